/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The last results of one probe, in memory that never grows: how long its answers take, and a strip of what became of
 * each. A duration is kept to one part in 512. Pure. */

#include <stddef.h>
#include <stdint.h>

#include "core/probe_health.h"

enum {
        RECENT_ANSWERS_MAX = 128, /* more than 100, or the 99th percentile would be the longest */
};

typedef struct RecentAnswers {
        uint16_t cells[RECENT_ANSWERS_MAX];
        uint8_t n, next;
} RecentAnswers;

void recent_answers_add(RecentAnswers *r, ProbeOutcome outcome, uint64_t latency_usec);

/* The i-th, 0 the oldest of r->n. */
ProbeOutcome recent_answers_at(const RecentAnswers *r, size_t i, uint64_t *ret_latency_usec);

typedef struct AnswerLatency {
        unsigned n; /* answers that passed, of which the others tell; 0: there is none, and they are 0 */
        uint64_t p50_usec, p99_usec, max_usec;
} AnswerLatency;

/* Of those that passed: how long a failure took says more of the timeout than of the service. Nearest rank. */
AnswerLatency recent_answers_latency(const RecentAnswers *r);
