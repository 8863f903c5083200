/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What has happened since this server came up, counted in memory that never grows. Nothing is decided by it. */

#include <json-c/json.h>
#include <stdint.h>

#include "core/duration_histogram.h"
#include "core/probe_health.h"
#include "core/reason.h"

typedef struct Supervisor Supervisor;

/* Why processes of a service were started anew. */
typedef enum RestartCause {
        RESTART_BY_SYSTEMD,  /* the process died, and restart{} has systemd try again */
        RESTART_BY_HEALING,  /* by the server: a probe or socket failed */
        RESTART_BY_OPERATOR, /* RestartService */
        RESTART_BY_RESET,    /* ResetFailed found it broken */
        _RESTART_CAUSE_MAX,
} RestartCause;

typedef struct Metrics {
        uint64_t started_realtime_usec;
        uint64_t n_probe_results[_PROBE_OUTCOME_MAX];
        DurationHistogram probe_duration;      /* of answers, good and bad */
        DurationHistogram probe_lateness;      /* from when a probe was due to when it began */
        DurationHistogram evaluation_lateness; /* from the first event that nobody had judged yet to the judgement */
        uint64_t n_failures[_REASON_MAX];      /* services that became failed, by the reason that led */
        uint64_t n_restarts[_RESTART_CAUSE_MAX];
        uint64_t n_bus_connections, n_systemd_connections; /* each beyond the first was a reconnect */
} Metrics;

/* Of the supervisor, and beside them for each service the age of its evidence. An object to be put. */
struct json_object *metrics_json(Supervisor *s);
