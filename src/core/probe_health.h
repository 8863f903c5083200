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
        PROBE_UNKNOWN, /* our own fault (EMFILE, a late loop): counts for nothing, but the evidence grows old */
        _PROBE_OUTCOME_MAX,
} ProbeOutcome;

typedef enum ProbeVerdict {
        PROBE_VERDICT_NONE, /* no answer yet in this invocation */
        PROBE_VERDICT_PASSING,
        PROBE_VERDICT_FAILING,   /* below the limit, and not yet `successes` in a row since */
        PROBE_VERDICT_FAILED,    /* at the limit, and not yet `successes` in a row since */
        PROBE_VERDICT_STALE,     /* the server came back to a running service, and has not yet asked */
        PROBE_VERDICT_NOT_READY, /* it failed and has yet to pass for the first time in this invocation */
        _PROBE_VERDICT_MAX,
        PROBE_VERDICT_INVALID = -EINVAL,
} ProbeVerdict;

DECLARE_STRING_TABLE(ProbeVerdict, probe_verdict) /* "none", "passing", "failing", "failed", "stale", "not-ready" */

typedef struct ProbeHealth {
        ProbeVerdict verdict;
        ProbeVerdict before;          /* of STALE: what the server before this one took down; NONE: nothing */
        unsigned failures, successes; /* in a row; at most one is not 0 */
        uint64_t checked_usec;        /* monotonic, when the last pass or fail was complete; 0: never */
        uint64_t window;              /* the last 64 results, bit 0 the newest, 1 = fail */
        unsigned n_window;
        bool joined_late; /* its owner's start was over when it was first asked: that it has not passed proves nothing
                           */
} ProbeHealth;

/* Forgets everything: to be called at each new InvocationID. */
void probe_health_reset(ProbeHealth *h, bool joined_late);
/* The server came back to a running service: STALE until the first answer, which is then counted on from what was
 * known before. */
void probe_health_adopt(ProbeHealth *h, bool joined_late, ProbeVerdict before);

/* Where a probe's owner is in its life, and what that makes of a failure. */
typedef enum ProbePhase {
        PROBE_PHASE_UP,       /* it should be serving */
        PROBE_PHASE_STARTING, /* it is within its start timeout */
        PROBE_PHASE_ABSENT,   /* the same, and nobody has come to listen yet */
} ProbePhase;

/* Takes one result that was complete at now_usec (monotonic).
 *
 * The verdict of a first failure with failures=1 is FAILED at once. From a failure on it passes again only after
 * `successes` passes in a row. The window rule (k failures among the last n) makes FAILED too and lasts until fewer
 * than k of the last n have failed.
 * Before the first pass of an invocation, a failure makes NOT_READY: of a readiness probe each one, of others that
 * somebody who is starting does not listen yet. Once the start is over, the others are FAILED by their next failure:
 * they have not served for a moment. */
void probe_health_take(ProbeHealth *h, const ProbeDefinition *p, ProbeOutcome outcome, ProbePhase phase,
                       uint64_t now_usec);

/* How many of the last n failed, for the window rule [k, n], and how many of these n there have been; 0 without one. */
unsigned probe_health_window_failures(const ProbeHealth *h, const ProbeDefinition *p, unsigned *ret_n);

/* How long after a complete result to ask again, in microseconds: fast_interval while FAILING and on the way back with
 * successes > 1, down_interval while FAILED or NOT_READY, interval otherwise. The last two are shortened by
 * `early_permille`, 0..50 thousandths, never lengthened: they are part of what is promised. The interval counts from
 * the end of one probe to the start of the next. */
uint64_t probe_health_delay_usec(const ProbeHealth *h, const ProbeDefinition *p, unsigned early_permille);

/* When the evidence is too old to be believed: checked + the longest wait that may follow this verdict (interval, or
 * down_interval where that follows) + timeout + grace (2 s); USEC_NEVER while never checked. */
uint64_t probe_health_stale_at_usec(const ProbeHealth *h, const ProbeDefinition *p);
