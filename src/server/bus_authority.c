/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/bus_authority.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/outcome.h"

/* Of hero_proc-gateway.service (units/hero_proc.sysusers.conf). */
#define GATEWAY_USER "hero-proc-gateway"

/* What the gateway may do, once it has seen that its own caller is entitled: an operator's everyday. Never what makes
 * root run something new. */
static const char *const gateway_members[] = { "StartService", "StopService", "RestartService", "ResetFailed" };

enum {
        SYSTEM_UID_MAX = 999, /* of Debian, and of systemd's sysusers */
};

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

/* The account is looked up only for a caller that can be it: people's uids must not be able to make the server ask a
 * slow directory service. Kept nowhere, since the account may come after the server. */
static bool is_gateway(uid_t uid) {
        struct passwd entry, *found = NULL;
        char buffer[4096];

        if (geteuid() != 0 || uid > SYSTEM_UID_MAX)
                return false;
        return getpwnam_r(GATEWAY_USER, &entry, buffer, sizeof buffer, &found) == 0 && found && found->pw_uid == uid;
}

static bool is_for_gateway(const char *member) {
        for (size_t i = 0; i < ELEMENTSOF(gateway_members); i++)
                if (strcmp(member, gateway_members[i]) == 0)
                        return true;
        return false;
}

/* Here, and nowhere else, is decided who may call what. */
static bool may_call(uid_t uid, const char *member) {
        return uid == 0 || uid == geteuid() || (is_for_gateway(member) && is_gateway(uid));
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
            !may_call(uid, sd_bus_message_get_member(q->call)))
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
