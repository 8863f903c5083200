/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/polkit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define POLKIT_SERVICE "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

enum {
        ALLOW_USER_INTERACTION = 1 << 0,
};

static void cancellation_id(uint64_t number, char ret[32]) {
        (void) snprintf(ret, 32, "hero_proc-%" PRIu64, number);
}

int polkit_question_send(sd_bus *bus, const PolkitQuestion *q, sd_bus_message_handler_t handler, void *userdata,
                         sd_bus_slot **ret_slot) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        uint32_t flags = q->may_interact ? ALLOW_USER_INTERACTION : 0;
        char id[32];
        int r;

        cancellation_id(q->cancellation, id);
        r = sd_bus_message_new_method_call(bus, &call, POLKIT_SERVICE, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(call, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s", q->sender,
                                          q->action, 2, "verb", q->verb, "service", q->service, flags, id);
        return r < 0 ? r
                     : sd_bus_call_async(bus, ret_slot, call, handler, userdata,
                                         q->may_interact ? POLKIT_HUMAN_PATIENCE_USEC : POLKIT_PATIENCE_USEC);
}

static PolkitAnswer answer_of_error(const sd_bus_error *error) {
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
            strncmp(error->name, "org.freedesktop.DBus.Error.Spawn.", strlen("org.freedesktop.DBus.Error.Spawn.")) == 0)
                return POLKIT_ABSENT;
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) || sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT))
                return POLKIT_SILENT;
        return POLKIT_FAILED;
}

static bool details_hold(sd_bus_message *reply, const char *wanted) {
        const char *key, *value;

        if (sd_bus_message_enter_container(reply, 'a', "{ss}") < 0)
                return false;
        while (sd_bus_message_read(reply, "{ss}", &key, &value) > 0)
                if (strcmp(key, wanted) == 0)
                        return true;
        return false;
}

PolkitAnswer polkit_answer_read(sd_bus_message *reply) {
        int authorized, challenge;

        if (sd_bus_message_is_method_error(reply, NULL))
                return answer_of_error(sd_bus_message_get_error(reply));
        if (sd_bus_message_has_signature(reply, "(bba{ss})") <= 0 ||
            sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
            sd_bus_message_read(reply, "bb", &authorized, &challenge) < 0)
                return POLKIT_FAILED;
        if (authorized)
                return POLKIT_AUTHORIZED;
        if (challenge)
                return POLKIT_NEEDS_HUMAN;
        return details_hold(reply, "polkit.dismissed") ? POLKIT_DISMISSED : POLKIT_DENIED;
}

void polkit_question_cancel(sd_bus *bus, uint64_t cancellation) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        char id[32];

        cancellation_id(cancellation, id);
        if (sd_bus_message_new_method_call(bus, &call, POLKIT_SERVICE, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CancelCheckAuthorization") < 0 ||
            sd_bus_message_append(call, "s", id) < 0 || sd_bus_message_set_expect_reply(call, 0) < 0 ||
            sd_bus_message_set_auto_start(call, 0) < 0)
                return;
        (void) sd_bus_send(bus, call, NULL);
}
