/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/exit_code.h"

#include "base/cleanup.h"

int exit_code_of_result(int r) {
        if (r < 0 || r >= _HERO_E_MAX)
                return EX_FAILED;
        return outcome_info((Outcome) r)->exit_code;
}

int exit_code_of_state(ServiceState state) {
        switch (state) {
        case SERVICE_RUNNING:
                return EX_DONE;
        case SERVICE_DEGRADED:
                return EX_STATUS_DEGRADED;
        case SERVICE_FAILED:
        case SERVICE_STARTING:
        case SERVICE_STOPPING:
        case SERVICE_RESTARTING:
        case SERVICE_STOPPED:
                return EX_STATUS_NOT_RUNNING;
        case SERVICE_UNKNOWN:
        case SERVICE_STATE_INVALID:
        case _SERVICE_STATE_MAX:
                break;
        }
        return EX_STATUS_UNKNOWN;
}

static size_t gravity(int code) {
        static const int order[] = {
                EX_DONE,
                EX_STATUS_DEGRADED,
                EX_STATUS_UNKNOWN,
                EX_STATUS_NOT_RUNNING,
                EX_FAILED,
                EX_NO_SUCH_SERVICE,
                EX_INVALID_DEFINITION,
                EX_NOT_AUTHORIZED,
                EX_SERVER_UNREACHABLE,
                EX_BAD_USAGE,
        };
        size_t i = 0;

        while (i < ELEMENTSOF(order) && order[i] != code)
                i++;
        return i;
}

int exit_code_worst(int a, int b) {
        return gravity(a) >= gravity(b) ? a : b;
}
