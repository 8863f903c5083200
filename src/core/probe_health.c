/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/probe_health.h"

#include <limits.h>

#include "base/clock.h"

enum {
        WINDOW_MAX = 64, /* bits of ProbeHealth.window */
        EARLY_PERMILLE_MAX = 50,
};

#define STALE_GRACE_USEC (2 * USEC_PER_SEC)

static const char *const probe_verdict_table[] = {
        [PROBE_VERDICT_NONE] = "none",     [PROBE_VERDICT_PASSING] = "passing", [PROBE_VERDICT_FAILING] = "failing",
        [PROBE_VERDICT_FAILED] = "failed", [PROBE_VERDICT_STALE] = "stale",     [PROBE_VERDICT_NOT_READY] = "not-ready",
};

DEFINE_STRING_TABLE(ProbeVerdict, probe_verdict, _PROBE_VERDICT_MAX)

void probe_health_reset(ProbeHealth *h, bool joined_late) {
        *h = (ProbeHealth){ .verdict = PROBE_VERDICT_NONE, .joined_late = joined_late };
}

void probe_health_adopt(ProbeHealth *h, bool joined_late, ProbeVerdict before) {
        *h = (ProbeHealth){ .verdict = PROBE_VERDICT_STALE, .before = before, .joined_late = joined_late };
}

static unsigned saturating_next(unsigned n) {
        return n == UINT_MAX ? n : n + 1;
}

static void window_push(ProbeHealth *h, bool is_fail) {
        h->window = h->window << 1 | is_fail;
        if (h->n_window < WINDOW_MAX)
                h->n_window++;
}

unsigned probe_health_window_failures(const ProbeHealth *h, const ProbeDefinition *p, unsigned *ret_n) {
        unsigned n = p->window_length < WINDOW_MAX ? p->window_length : WINDOW_MAX;
        uint64_t mask = n == WINDOW_MAX ? UINT64_MAX : (UINT64_C(1) << n) - 1;

        /* Bits beyond the n_window results there are, are 0: they count as no failure. */
        *ret_n = n < h->n_window ? n : h->n_window;
        return p->window_failures > 0 ? (unsigned) __builtin_popcountll(h->window & mask) : 0;
}

static bool window_is_tripped(const ProbeHealth *h, const ProbeDefinition *p) {
        unsigned n;

        return p->window_failures > 0 && probe_health_window_failures(h, p, &n) >= p->window_failures;
}

/* What the verdict was before this answer; one that was taken down by the server before this one goes on. */
static ProbeVerdict verdict_so_far(const ProbeHealth *h) {
        return h->verdict == PROBE_VERDICT_STALE ? h->before : h->verdict;
}

/* Whether a failure may be no more than the start not being over. */
static bool may_await_first_pass(const ProbeHealth *h, const ProbeDefinition *p, ProbePhase phase) {
        switch ((int) verdict_so_far(h)) {
        case PROBE_VERDICT_NONE:
                return p->role == PROBE_READINESS ? !h->joined_late : phase == PROBE_PHASE_ABSENT;
        case PROBE_VERDICT_NOT_READY:
                return p->role == PROBE_READINESS || phase == PROBE_PHASE_ABSENT;
        default:
                return false;
        }
}

static ProbeVerdict judge_failure(ProbeHealth *h, const ProbeDefinition *p, ProbePhase phase) {
        bool was_not_ready = verdict_so_far(h) == PROBE_VERDICT_NOT_READY;

        if (was_not_ready && phase != PROBE_PHASE_UP)
                h->failures = 1; /* somebody answers now: what was before was no answer of his */
        else if (was_not_ready)
                return PROBE_VERDICT_FAILED;
        /* A new failure may be below the limit: only passes lead out of FAILED. */
        if (h->failures >= p->failures || verdict_so_far(h) == PROBE_VERDICT_FAILED || window_is_tripped(h, p))
                return PROBE_VERDICT_FAILED;
        return PROBE_VERDICT_FAILING;
}

static ProbeVerdict judge_pass(const ProbeHealth *h, const ProbeDefinition *p) {
        ProbeVerdict so_far = verdict_so_far(h);
        bool is_back = h->successes >= p->successes;

        if (window_is_tripped(h, p))
                return PROBE_VERDICT_FAILED;
        if (!is_back && (so_far == PROBE_VERDICT_FAILING || so_far == PROBE_VERDICT_FAILED ||
                         (so_far == PROBE_VERDICT_NOT_READY && p->role == PROBE_READINESS)))
                return so_far;
        return PROBE_VERDICT_PASSING;
}

void probe_health_take(ProbeHealth *h, const ProbeDefinition *p, ProbeOutcome outcome, ProbePhase phase,
                       uint64_t now_usec) {
        if (outcome != PROBE_PASS && outcome != PROBE_FAIL)
                return;

        h->successes = outcome == PROBE_PASS ? saturating_next(h->successes) : 0;
        h->failures = outcome == PROBE_FAIL ? saturating_next(h->failures) : 0;
        h->checked_usec = now_usec;
        if (outcome == PROBE_FAIL && may_await_first_pass(h, p, phase)) {
                h->verdict = PROBE_VERDICT_NOT_READY; /* of no weight for the window rule */
                return;
        }
        window_push(h, outcome == PROBE_FAIL);
        h->verdict = outcome == PROBE_PASS ? judge_pass(h, p) : judge_failure(h, p, phase);
}

/* Never later: how soon a failure shows is promised from the interval as it was written. */
static uint64_t earlier(uint64_t usec, unsigned permille) {
        uint64_t factor = 1000 - (permille < EARLY_PERMILLE_MAX ? permille : EARLY_PERMILLE_MAX);

        return usec / 1000 * factor + usec % 1000 * factor / 1000;
}

static bool is_down(ProbeVerdict verdict) {
        return verdict == PROBE_VERDICT_FAILED || verdict == PROBE_VERDICT_NOT_READY;
}

uint64_t probe_health_delay_usec(const ProbeHealth *h, const ProbeDefinition *p, unsigned early_permille) {
        bool is_coming_back = is_down(h->verdict) && h->successes > 0 && h->successes < p->successes;

        if (h->verdict == PROBE_VERDICT_FAILING || is_coming_back)
                return p->fast_interval_usec;
        return earlier(is_down(h->verdict) ? p->down_interval_usec : p->interval_usec, early_permille);
}

uint64_t probe_health_stale_at_usec(const ProbeHealth *h, const ProbeDefinition *p) {
        uint64_t wait = p->interval_usec;

        if (h->checked_usec == 0)
                return USEC_NEVER;
        if (is_down(h->verdict) && p->down_interval_usec > wait)
                wait = p->down_interval_usec;
        wait = usec_add(wait, p->timeout_usec);
        return usec_add(h->checked_usec, usec_add(wait, STALE_GRACE_USEC));
}
