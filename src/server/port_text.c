/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/port_text.h"

#include <inttypes.h>

static void say_stranger(FILE *f, const ServicePort *k) {
        bool has_unit = k->listener_unit && k->listener_unit[0];

        if (k->listener_pid == 0)
                fprintf(f, "held by a process of user %" PRIu32 "%s%s, which cannot be seen from here", k->listener_uid,
                        has_unit ? " in " : "", has_unit ? k->listener_unit : "");
        else
                fprintf(f, "held by PID %" PRIu32 " (%s) of %s", k->listener_pid, k->listener_command,
                        has_unit ? k->listener_unit : "no unit");
}

void port_text_say(FILE *f, ReasonCode code, const ServicePort *k) {
        fprintf(f, "%s: ", k->definition->name);
        switch ((int) code) {
        case REASON_SOCKET_MISSING:
                fprintf(f, "nobody listens");
                break;
        case REASON_SOCKET_FOREIGN:
                say_stranger(f, k);
                break;
        case REASON_SOCKET_NOT_ACCEPTING:
                fprintf(f, "%" PRIu32 " connections wait, and none is accepted", k->backlog);
                break;
        default:
                fprintf(f, "cannot be seen from here");
                break;
        }
}
