/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a row of probe results means, and when to ask next. Pure: results and times in, verdict and time out. */

#include <stdbool.h>
#include <stdint.h>

#include "base/string_table.h"
#include "core/service_definition.h"

typedef enum ProbeOutcome {
        PROBE_PASS,
        PROBE_FAIL,
        PROBE_UNKNOWN, /* our own fault (EMFILE, ENOMEM): counts for nothing, but the evidence grows old */
        _PROBE_OUTCOME_MAX,
} ProbeOutcome;

typedef enum ProbeVerdict {
        PROBE_VERDICT_NONE, /* no answer yet in this invocation */
        PROBE_VERDICT_PASSING,
        PROBE_VERDICT_FAILING, /* failures in a row below the limit */
        PROBE_VERDICT_FAILED,  /* at the limit, and not yet `successes` in a row since */
        PROBE_VERDICT_STALE,   /* carried over from before a server restart, not yet asked again */
        _PROBE_VERDICT_MAX,
        PROBE_VERDICT_INVALID = -EINVAL,
} ProbeVerdict;

DECLARE_STRING_TABLE(ProbeVerdict, probe_verdict) /* "none", "passing", "failing", "failed", "stale" */

typedef struct ProbeHealth {
        ProbeVerdict verdict;
        unsigned failures, successes; /* in a row; at most one is not 0 */
        uint64_t checked_usec;        /* monotonic, when the last pass or fail was complete; 0: never */
        uint64_t window;              /* the last 64 results, bit 0 the newest, 1 = fail */
        unsigned n_window;
} ProbeHealth;

/* Forgets everything: to be called at each new InvocationID. `adopted`: the server came back to a running service, so
 * the verdict is STALE, not NONE, until the first answer. */
void probe_health_reset(ProbeHealth *h, bool adopted);

/* Takes one result that was complete at now_usec (monotonic). The verdict of a first failure with failures=1 is FAILED
 * at once. A FAILED probe passes again after `successes` passes in a row. The window rule (k failures among the last n)
 * makes FAILED too and lasts until fewer than k of the last n have failed. */
void probe_health_take(ProbeHealth *h, const ProbeDefinition *p, ProbeOutcome outcome, uint64_t now_usec);

/* How long after a complete result to ask again, in microseconds: fast_interval while FAILING (or on the way back from
 * FAILED with successes > 1), down_interval while FAILED, interval otherwise. The last two are shortened by
 * `early_permille`, 0..50 thousandths, never lengthened: they are part of what is promised. The interval counts from
 * the end of one probe to the start of the next. */
uint64_t probe_health_delay_usec(const ProbeHealth *h, const ProbeDefinition *p, unsigned early_permille);

/* When the evidence is too old to be believed: checked + the longest wait that may follow this verdict (interval, or
 * down_interval while FAILED) + timeout + grace (2 s); USEC_NEVER while never checked. */
uint64_t probe_health_stale_at_usec(const ProbeHealth *h, const ProbeDefinition *p);
