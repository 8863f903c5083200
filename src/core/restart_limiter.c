/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/restart_limiter.h"

#include "base/clock.h"

/* The k-th last restart, counted from 1; 0: there were not so many. */
static uint64_t restart_before(const RestartLimiter *l, size_t k) {
        return l->restarts_usec[(l->next + LIMITER_RESTARTS_MAX - k) % LIMITER_RESTARTS_MAX];
}

static size_t share_of(size_t n, unsigned percent, size_t at_least, size_t at_most) {
        size_t share = n * percent / 100;

        if (share < at_least)
                return at_least;
        return share > at_most ? at_most : share;
}

static LimiterVerdict wait_after(uint64_t event_usec, uint64_t pause_usec, HealingHold hold, uint64_t now_usec) {
        uint64_t until_usec = usec_add(event_usec, pause_usec);

        if (event_usec == 0 || until_usec <= now_usec)
                return (LimiterVerdict){ HEALING_HOLD_NONE, now_usec };
        return (LimiterVerdict){ hold, until_usec };
}

LimiterVerdict restart_limiter_ask(const RestartLimiter *l, size_t n_services, size_t n_ill, bool under_pressure,
                                   uint64_t now_usec) {
        size_t n_many = share_of(n_services, LIMITER_MANY_PERCENT, LIMITER_MANY_MIN, SIZE_MAX);
        size_t n_allowed = l->per_window > 0 ? (size_t) l->per_window
                                             : share_of(n_services, LIMITER_RESTARTS_PERCENT, LIMITER_RESTARTS_MIN,
                                                        LIMITER_RESTARTS_MAX);
        LimiterVerdict v = wait_after(l->starved_usec, LIMITER_STARVED_USEC, HEALING_HOLD_STARVED, now_usec);

        if (v.hold == HEALING_HOLD_NONE && under_pressure && l->per_window != LIMITER_NONE)
                v = (LimiterVerdict){ HEALING_HOLD_PRESSURE, usec_add(now_usec, LIMITER_PRESSURE_USEC) };
        if (v.hold == HEALING_HOLD_NONE && l->per_window == LIMITER_SHARE && n_ill >= n_many)
                v = wait_after(restart_before(l, 1), LIMITER_ONE_BY_ONE_USEC, HEALING_HOLD_MANY, now_usec);
        if (v.hold == HEALING_HOLD_NONE && l->per_window != LIMITER_NONE)
                v = wait_after(restart_before(l, n_allowed), LIMITER_WINDOW_USEC, HEALING_HOLD_RATE, now_usec);
        return v;
}

void restart_limiter_restarted(RestartLimiter *l, uint64_t now_usec) {
        l->restarts_usec[l->next] = now_usec;
        l->next = (l->next + 1) % LIMITER_RESTARTS_MAX;
}
