/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/clock.h"
#include "core/restart_limiter.h"

#define SECOND USEC_PER_SEC
#define NOW (1000 * SECOND)

static void expect(const RestartLimiter *l, size_t n_services, size_t n_ill, uint64_t now_usec, HealingHold hold,
                   uint64_t until_usec) {
        LimiterVerdict v = restart_limiter_ask(l, n_services, n_ill, false, now_usec);

        ASSERT_STREQ(healing_hold_to_string(v.hold), healing_hold_to_string(hold));
        ASSERT_EQ(v.until_usec, until_usec);
}

TEST(a_few_ill_services_are_restarted_at_once) {
        RestartLimiter l = { .per_window = LIMITER_SHARE };

        expect(&l, 1, 1, NOW, HEALING_HOLD_NONE, NOW);
        expect(&l, 3, 3, NOW, HEALING_HOLD_NONE, NOW);
        expect(&l, 1000, 200, NOW, HEALING_HOLD_NONE, NOW);
}

TEST(many_ill_services_are_restarted_one_by_one) {
        RestartLimiter l = { .per_window = LIMITER_SHARE };

        expect(&l, 20, 6, NOW, HEALING_HOLD_NONE, NOW);
        restart_limiter_restarted(&l, NOW);
        expect(&l, 20, 5, NOW, HEALING_HOLD_MANY, NOW + LIMITER_ONE_BY_ONE_USEC);
        expect(&l, 20, 5, NOW + LIMITER_ONE_BY_ONE_USEC, HEALING_HOLD_NONE, NOW + LIMITER_ONE_BY_ONE_USEC);
        expect(&l, 20, 4, NOW, HEALING_HOLD_NONE, NOW); /* no longer a quarter of them */
}

TEST(within_a_minute_not_more_than_a_tenth_is_restarted) {
        RestartLimiter l = { .per_window = LIMITER_SHARE };

        for (unsigned i = 0; i < 10; i++) {
                expect(&l, 100, 1, NOW + i * SECOND, HEALING_HOLD_NONE, NOW + i * SECOND);
                restart_limiter_restarted(&l, NOW + i * SECOND);
        }
        expect(&l, 100, 1, NOW + 10 * SECOND, HEALING_HOLD_RATE, NOW + LIMITER_WINDOW_USEC);
        expect(&l, 100, 1, NOW + LIMITER_WINDOW_USEC, HEALING_HOLD_NONE, NOW + LIMITER_WINDOW_USEC);
}

TEST(the_ring_holds_as_many_as_are_ever_asked_for) {
        RestartLimiter l = { .per_window = LIMITER_SHARE };

        for (unsigned i = 0; i < LIMITER_RESTARTS_MAX; i++) {
                expect(&l, 100000, 1, NOW + i, HEALING_HOLD_NONE, NOW + i);
                restart_limiter_restarted(&l, NOW + i);
        }
        expect(&l, 100000, 1, NOW + 100, HEALING_HOLD_RATE, NOW + LIMITER_WINDOW_USEC);
}

TEST(a_server_that_was_held_up_looks_again_before_it_restarts_anything) {
        RestartLimiter l = { .per_window = LIMITER_NONE, .starved_usec = NOW - SECOND };

        expect(&l, 1, 1, NOW, HEALING_HOLD_STARVED, NOW - SECOND + LIMITER_STARVED_USEC);
        expect(&l, 1, 1, NOW + LIMITER_STARVED_USEC, HEALING_HOLD_NONE, NOW + LIMITER_STARVED_USEC);
}

TEST(under_pressure_nothing_is_restarted) {
        RestartLimiter l = { .per_window = LIMITER_SHARE };
        LimiterVerdict v = restart_limiter_ask(&l, 1, 1, true, NOW);

        ASSERT_EQ(v.hold, HEALING_HOLD_PRESSURE);
        ASSERT_EQ(v.until_usec, NOW + LIMITER_PRESSURE_USEC);
}

TEST(an_administrators_number_takes_the_place_of_both_shares) {
        RestartLimiter l = { .per_window = 2 };

        for (unsigned i = 0; i < 2; i++) {
                expect(&l, 1000, 900, NOW + i, HEALING_HOLD_NONE, NOW + i);
                restart_limiter_restarted(&l, NOW + i);
        }
        expect(&l, 1000, 900, NOW + 2, HEALING_HOLD_RATE, NOW + LIMITER_WINDOW_USEC);
        l.per_window = LIMITER_NONE;
        expect(&l, 1000, 900, NOW + 2, HEALING_HOLD_NONE, NOW + 2);
}
