/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/clock.h"
#include "core/healing.h"

#define SECOND USEC_PER_SEC

static const RestartRule rule = {
        .policy = RESTART_ON_FAILURE,
        .delay_usec = 1 * SECOND,
        .max_delay_usec = 8 * SECOND,
        .window_usec = 600 * SECOND,
        .stability_period_usec = 60 * SECOND,
        .max_attempts = 5,
};

static HealingCase usual(void) {
        return (HealingCase){ .may_restart = true, .dependencies_met = true, .rule = &rule };
}

static HealingRecord ill_since(uint64_t usec) {
        return (HealingRecord){ .sign = HEALING_ILL, .sign_since_usec = usec };
}

static void expect_hold(const HealingRecord *r, const HealingCase *c, uint64_t now_usec, HealingHold hold,
                        uint64_t at_usec) {
        HealingDecision d = healing_decide(r, c, now_usec);

        ASSERT_STREQ(healing_hold_to_string(d.hold), healing_hold_to_string(hold));
        ASSERT_EQ(d.act, hold == HEALING_HOLD_NONE);
        ASSERT_EQ(d.at_usec, at_usec);
}

TEST(only_illness_asks_for_a_restart) {
        HealingCase c = usual();

        for (int sign = 0; sign < _HEALING_SIGN_MAX; sign++) {
                HealingRecord r = { .sign = (HealingSign) sign, .sign_since_usec = SECOND };
                bool act = healing_decide(&r, &c, 10000 * SECOND).act;

                ASSERT_EQ(act, sign == HEALING_ILL || sign == HEALING_GIVEN_UP);
        }
}

TEST(the_pause_doubles_up_to_its_limit_and_begins_with_the_illness) {
        static const unsigned pauses[] = { 1, 2, 4, 8, 8 };
        HealingCase c = usual();

        for (unsigned n = 0; n < ELEMENTSOF(pauses); n++) {
                HealingRecord r = ill_since(1000 * SECOND);

                r.n_attempts = n;
                r.last_attempt_usec = 900 * SECOND;
                expect_hold(&r, &c, 1000 * SECOND, HEALING_HOLD_BACK_OFF, (1000 + pauses[n]) * SECOND);
                expect_hold(&r, &c, (1000 + pauses[n]) * SECOND, HEALING_HOLD_NONE, (1000 + pauses[n]) * SECOND);
        }
}

TEST(jitter_only_lengthens_the_pause_and_by_a_tenth_at_most) {
        HealingCase c = usual();
        HealingRecord r = ill_since(1000 * SECOND);

        for (unsigned permille = 0; permille < 300; permille += 50) {
                uint64_t pause_usec;

                c.jitter_permille = permille;
                pause_usec = healing_decide(&r, &c, 1000 * SECOND).at_usec - 1000 * SECOND;
                ASSERT(pause_usec >= SECOND && pause_usec <= SECOND + SECOND / 10);
        }
}

TEST(a_young_invocation_is_given_its_start_timeout) {
        HealingCase c = usual();
        HealingRecord r = ill_since(1000 * SECOND);

        c.settled_usec = 1030 * SECOND;
        expect_hold(&r, &c, 1010 * SECOND, HEALING_HOLD_STARTING, 1030 * SECOND);
        expect_hold(&r, &c, 1030 * SECOND, HEALING_HOLD_NONE, 1030 * SECOND);
}

TEST(a_report_a_stranger_and_a_dependency_stand_against_it) {
        HealingCase c = usual();
        HealingRecord r = ill_since(SECOND);

        c.may_restart = false;
        expect_hold(&r, &c, 1000 * SECOND, HEALING_HOLD_POLICY, USEC_NEVER);
        c = usual();
        c.is_strangers = true;
        expect_hold(&r, &c, 1000 * SECOND, HEALING_HOLD_STRANGER, USEC_NEVER);
        c = usual();
        c.dependencies_met = false;
        expect_hold(&r, &c, 1000 * SECOND, HEALING_HOLD_DEPENDENCY, 1001 * SECOND);
        c = usual();
        c.start_limit_free_usec = 1200 * SECOND;
        expect_hold(&r, &c, 1000 * SECOND, HEALING_HOLD_START_LIMIT, 1200 * SECOND);
}

TEST(after_max_attempts_it_goes_on_slowly_and_is_not_forgotten) {
        HealingCase c = usual();
        HealingRecord r = { 0 };
        uint64_t now_usec = 1000 * SECOND;

        for (unsigned i = 0; i < rule.max_attempts; i++, now_usec += 40 * SECOND) {
                ASSERT_EQ(healing_attempts_left(&r, &rule), rule.max_attempts - i);
                ASSERT(!r.is_spent);
                healing_attempted(&r, &rule, now_usec);
        }
        ASSERT(r.is_spent);
        ASSERT_EQ(healing_attempts_left(&r, &rule), 0);
        (void) healing_note(&r, HEALING_ILL, &rule, now_usec);
        expect_hold(&r, &c, now_usec, HEALING_HOLD_BUDGET, r.last_attempt_usec + rule.window_usec + SECOND);
        now_usec = r.last_attempt_usec + rule.window_usec + SECOND;
        expect_hold(&r, &c, now_usec, HEALING_HOLD_NONE, now_usec);
        healing_attempted(&r, &rule, now_usec + 1);
        ASSERT(r.is_spent);
}

TEST(health_for_the_stability_period_begins_the_count_anew_and_less_does_not) {
        HealingCase c = usual();
        HealingRecord r = { 0 };

        healing_attempted(&r, &rule, 1000 * SECOND);
        ASSERT(!healing_note(&r, HEALING_WELL, &rule, 1010 * SECOND));
        ASSERT_EQ(healing_decide(&r, &c, 1010 * SECOND).at_usec,
                  1070 * SECOND);                                         /* looked at when it will be long enough */
        ASSERT(!healing_note(&r, HEALING_UNCLEAR, &rule, 1060 * SECOND)); /* degraded is not well */
        ASSERT(!healing_note(&r, HEALING_WELL, &rule, 1061 * SECOND));
        ASSERT(!healing_note(&r, HEALING_WELL, &rule, 1120 * SECOND));
        ASSERT_EQ(r.n_attempts, 1);
        ASSERT(healing_note(&r, HEALING_WELL, &rule, 1121 * SECOND));
        ASSERT_EQ(r.n_attempts, 0);
        ASSERT(!healing_note(&r, HEALING_WELL, &rule, 1200 * SECOND));
}

TEST(a_crash_loop_is_tried_again_slowly_counted_from_its_last_death) {
        HealingCase c = usual();
        HealingRecord r = { .sign = HEALING_GIVEN_UP, .sign_since_usec = 1000 * SECOND };

        c.died_usec = 999 * SECOND;
        expect_hold(&r, &c, 1000 * SECOND, HEALING_HOLD_GIVEN_UP, (999 + 601) * SECOND);
        healing_attempted(&r, &rule, 1600 * SECOND);
        c.died_usec = 1605 * SECOND;
        expect_hold(&r, &c, 1606 * SECOND, HEALING_HOLD_GIVEN_UP, (1605 + 601) * SECOND);
}

/* Over any stretch of window_ms, whatever happens: never more than max_attempts. */
TEST(no_window_holds_more_attempts_than_max_attempts_however_fate_deals) {
        enum { N_STEPS = 20000 };
        HealingCase c = usual();
        HealingRecord r = { 0 };
        static uint64_t attempts_usec[N_STEPS];
        unsigned n_attempts = 0, seed = 1;
        uint64_t now_usec = 1000 * SECOND;

        for (unsigned i = 0; i < N_STEPS; i++) {
                seed = seed * 1103515245u + 12345u;
                now_usec += (seed >> 16) % 30 * SECOND;
                /* Never well for the stability period: 3 steps of 4 are ill, the rest short. */
                (void) healing_note(&r, (seed >> 8) % 4 == 0 ? HEALING_UNCLEAR : HEALING_ILL, &rule, now_usec);
                if (!healing_decide(&r, &c, now_usec).act)
                        continue;
                healing_attempted(&r, &rule, now_usec);
                attempts_usec[n_attempts++] = now_usec;
                if (n_attempts > rule.max_attempts)
                        ASSERT(now_usec - attempts_usec[n_attempts - 1 - rule.max_attempts] >= rule.window_usec);
        }
        ASSERT(n_attempts > 100);
}

TEST(systemds_start_limit_is_followed_start_by_start) {
        StartLimit l = { 0 };
        uint64_t now_usec = 1000 * SECOND;

        for (unsigned i = 0; i < start_limit_burst(&rule); i++) {
                ASSERT_EQ(start_limit_free_usec(&l, &rule, now_usec), 0);
                start_limit_count(&l, &rule, now_usec + i * SECOND);
        }
        ASSERT(start_limit_free_usec(&l, &rule, now_usec + 10 * SECOND) > now_usec + rule.window_usec);
        ASSERT_EQ(start_limit_free_usec(&l, &rule, now_usec + rule.window_usec + 2 * SECOND), 0);
        start_limit_count(&l, &rule, now_usec + rule.window_usec + 2 * SECOND);
        ASSERT_EQ(l.n_starts, 1);
}
