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
        [PROBE_VERDICT_FAILED] = "failed", [PROBE_VERDICT_STALE] = "stale",
};

DEFINE_STRING_TABLE(ProbeVerdict, probe_verdict, _PROBE_VERDICT_MAX)

void probe_health_reset(ProbeHealth *h, bool adopted) {
        *h = (ProbeHealth){ .verdict = adopted ? PROBE_VERDICT_STALE : PROBE_VERDICT_NONE };
}

static unsigned saturating_next(unsigned n) {
        return n == UINT_MAX ? n : n + 1;
}

static void window_push(ProbeHealth *h, bool is_fail) {
        h->window = h->window << 1 | is_fail;
        if (h->n_window < WINDOW_MAX)
                h->n_window++;
}

static bool window_is_tripped(const ProbeHealth *h, const ProbeDefinition *p) {
        unsigned n = p->window_length < WINDOW_MAX ? p->window_length : WINDOW_MAX;
        uint64_t mask = n == WINDOW_MAX ? UINT64_MAX : (UINT64_C(1) << n) - 1;

        /* Bits beyond the n_window results there are, are 0: they count as no failure. */
        return p->window_failures > 0 && (unsigned) __builtin_popcountll(h->window & mask) >= p->window_failures;
}

static ProbeVerdict judge(const ProbeHealth *h, const ProbeDefinition *p) {
        bool is_at_limit = h->failures > 0 && h->failures >= p->failures;
        /* Also after a new failure, which may be below the limit: only passes lead out of FAILED. */
        bool is_still_down = h->verdict == PROBE_VERDICT_FAILED && h->successes < p->successes;

        if (is_at_limit || is_still_down || window_is_tripped(h, p))
                return PROBE_VERDICT_FAILED;
        return h->failures > 0 ? PROBE_VERDICT_FAILING : PROBE_VERDICT_PASSING;
}

void probe_health_take(ProbeHealth *h, const ProbeDefinition *p, ProbeOutcome outcome, uint64_t now_usec) {
        if (outcome != PROBE_PASS && outcome != PROBE_FAIL)
                return;

        h->successes = outcome == PROBE_PASS ? saturating_next(h->successes) : 0;
        h->failures = outcome == PROBE_FAIL ? saturating_next(h->failures) : 0;
        h->checked_usec = now_usec;
        window_push(h, outcome == PROBE_FAIL);
        h->verdict = judge(h, p);
}

/* Never later: how soon a failure shows is promised from the interval as it was written. */
static uint64_t earlier(uint64_t usec, unsigned permille) {
        uint64_t factor = 1000 - (permille < EARLY_PERMILLE_MAX ? permille : EARLY_PERMILLE_MAX);

        return usec / 1000 * factor + usec % 1000 * factor / 1000;
}

uint64_t probe_health_delay_usec(const ProbeHealth *h, const ProbeDefinition *p, unsigned early_permille) {
        bool is_coming_back = h->verdict == PROBE_VERDICT_FAILED && h->successes > 0 && h->successes < p->successes;

        if (h->verdict == PROBE_VERDICT_FAILING || is_coming_back)
                return p->fast_interval_usec;
        return earlier(h->verdict == PROBE_VERDICT_FAILED ? p->down_interval_usec : p->interval_usec, early_permille);
}

uint64_t probe_health_stale_at_usec(const ProbeHealth *h, const ProbeDefinition *p) {
        uint64_t wait = p->interval_usec;

        if (h->checked_usec == 0)
                return USEC_NEVER;
        if (h->verdict == PROBE_VERDICT_FAILED && p->down_interval_usec > wait)
                wait = p->down_interval_usec;
        wait = usec_add(wait, p->timeout_usec);
        return usec_add(h->checked_usec, usec_add(wait, STALE_GRACE_USEC));
}
