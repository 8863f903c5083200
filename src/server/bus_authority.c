/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/bus_authority.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/outcome.h"

typedef struct Question {
        sd_bus_message *call;
        bus_authority_allowed_t allowed;
        void *userdata;
} Question;

static void question_free(void *userdata) {
        Question *q = userdata;

        sd_bus_message_unref(q->call);
        free(q);
}

static int deny(sd_bus_message *call) {
        return sd_bus_reply_method_errorf(call, outcome_info(HERO_E_NOT_AUTHORIZED)->dbus_name,
                                          "%s: only root and the user that the server runs as may do this",
                                          sd_bus_message_get_member(call));
}

static int on_uid(sd_bus_message *reply, void *userdata, sd_bus_error *ignored) {
        Question *q = userdata;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        uint32_t uid;
        int r;

        (void) ignored;
        if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "u", &uid) < 0 ||
            (uid != 0 && uid != geteuid()))
                return deny(q->call);

        r = q->allowed(q->call, q->userdata, &error);
        if (r < 0 || sd_bus_error_is_set(&error))
                r = sd_bus_error_is_set(&error) ? sd_bus_reply_method_error(q->call, &error)
                                                : sd_bus_reply_method_errno(q->call, r, NULL);
        sd_bus_error_free(&error);
        return r < 0 ? 0 : r; /* a caller that is gone is no reason to close the connection */
}

int bus_authority_require(sd_bus_message *m, bus_authority_allowed_t allowed, void *userdata) {
        sd_bus *bus = sd_bus_message_get_bus(m);
        sd_bus_slot *slot;
        Question *q = malloc(sizeof *q);
        int r;

        if (!q)
                return -ENOMEM;
        *q = (Question){ sd_bus_message_ref(m), allowed, userdata };
        r = sd_bus_call_method_async(bus, &slot, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                     "org.freedesktop.DBus", "GetConnectionUnixUser", on_uid, q, "s",
                                     sd_bus_message_get_sender(m));
        if (r < 0) {
                question_free(q);
                return r;
        }
        (void) sd_bus_slot_set_destroy_callback(slot, question_free);
        (void) sd_bus_slot_set_floating(slot, 1);
        sd_bus_slot_unref(slot);
        return 1;
}
