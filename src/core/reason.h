/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* States and reasons: the words that every face of hero_proc uses. */

#include <stddef.h>
#include <stdint.h>

#include "base/string_table.h"

typedef enum ServiceState {
        SERVICE_RUNNING,
        SERVICE_DEGRADED,
        SERVICE_FAILED,
        SERVICE_STARTING,
        SERVICE_STOPPING,
        SERVICE_RESTARTING,
        SERVICE_STOPPED,
        SERVICE_UNKNOWN,
        _SERVICE_STATE_MAX,
        SERVICE_STATE_INVALID = -EINVAL,
} ServiceState;

DECLARE_STRING_TABLE(ServiceState, service_state)

/* From what needs somebody to what needs nobody; and a state's place in there. */
extern const ServiceState service_state_order[_SERVICE_STATE_MAX];
size_t service_state_place(ServiceState state);

typedef enum ReasonCode {
        REASON_NONE,
        REASON_SYSTEMD_UNREACHABLE,
        REASON_PROCESS_DIED,
        REASON_EXEC_FAILED,
        REASON_START_TIMEOUT,
        REASON_CRASH_LOOP,
        REASON_ACTION_FAILED,
        REASON_NOT_READY,
        REASON_SOCKET_MISSING,
        REASON_SOCKET_NO_LISTENER,
        REASON_SOCKET_UNLINKED,
        REASON_SOCKET_FOREIGN,
        REASON_SOCKET_NOT_ACCEPTING,
        REASON_PROBE_FAILED,
        REASON_WAITING_FOR,
        REASON_DEPENDENCY_FAILED,
        REASON_RESTART_BUDGET,
        REASON_STOPPED_BY_OPERATOR,
        REASON_EXITED,
        REASON_STALE,
        _REASON_MAX,
        REASON_INVALID = -EINVAL,
} ReasonCode;

DECLARE_STRING_TABLE(ReasonCode, reason_code) /* "process-died", …; "" for REASON_NONE */

typedef enum ReasonSubject {
        SUBJECT_SERVICE,
        SUBJECT_ACTION,
        SUBJECT_SOCKET,
        SUBJECT_PORT,
        SUBJECT_PROBE,
        SUBJECT_DEPENDENCY, /* index into the definition's requires, then after */
} ReasonSubject;

/* Why a service is not simply running; what it is about is an index into the definition's list of that kind. */
typedef struct Reason {
        uint8_t code, subject;
        uint16_t index;
} Reason;
