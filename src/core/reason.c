/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/reason.h"

static const char *const service_state_table[] = {
        [SERVICE_RUNNING] = "running",   [SERVICE_DEGRADED] = "degraded", [SERVICE_FAILED] = "failed",
        [SERVICE_STARTING] = "starting", [SERVICE_STOPPING] = "stopping", [SERVICE_RESTARTING] = "restarting",
        [SERVICE_STOPPED] = "stopped",   [SERVICE_UNKNOWN] = "unknown",
};
DEFINE_STRING_TABLE(ServiceState, service_state, _SERVICE_STATE_MAX)

const ServiceState service_state_order[_SERVICE_STATE_MAX] = {
        SERVICE_FAILED,   SERVICE_UNKNOWN,  SERVICE_DEGRADED, SERVICE_RESTARTING,
        SERVICE_STARTING, SERVICE_STOPPING, SERVICE_RUNNING,  SERVICE_STOPPED,
};

size_t service_state_place(ServiceState state) {
        size_t i = 0;

        while (i < _SERVICE_STATE_MAX - 1 && service_state_order[i] != state)
                i++;
        return i;
}

static const char *const reason_code_table[] = {
        [REASON_NONE] = "",
        [REASON_SYSTEMD_UNREACHABLE] = "systemd-unreachable",
        [REASON_PROCESS_DIED] = "process-died",
        [REASON_EXEC_FAILED] = "exec-failed",
        [REASON_START_TIMEOUT] = "start-timeout",
        [REASON_CRASH_LOOP] = "crash-loop",
        [REASON_ACTION_FAILED] = "action-failed",
        [REASON_NOT_READY] = "not-ready",
        [REASON_SOCKET_MISSING] = "socket-missing",
        [REASON_SOCKET_NO_LISTENER] = "socket-no-listener",
        [REASON_SOCKET_UNLINKED] = "socket-unlinked",
        [REASON_SOCKET_FOREIGN] = "socket-foreign",
        [REASON_SOCKET_NOT_ACCEPTING] = "socket-not-accepting",
        [REASON_PROBE_FAILED] = "probe-failed",
        [REASON_WAITING_FOR] = "waiting-for",
        [REASON_DEPENDENCY_FAILED] = "dependency-failed",
        [REASON_RESTART_BUDGET] = "restart-budget",
        [REASON_STOPPED_BY_OPERATOR] = "stopped-by-operator",
        [REASON_EXITED] = "exited",
        [REASON_STALE] = "stale",
};
DEFINE_STRING_TABLE(ReasonCode, reason_code, _REASON_MAX)
