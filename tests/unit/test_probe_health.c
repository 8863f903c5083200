/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>
#include <limits.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "core/probe_health.h"

/* A row of results, and the verdict after each: "+" pass, "-" fail, "u" unknown; P passing, f failing, F failed, N
 * none, S stale. */
typedef struct Row {
        unsigned failures, successes, window_failures, window_length;
        bool adopted;
        const char *results, *verdicts;
} Row;

/* clang-format off */
static const Row rows[] = {
        { 3, 1, 0, 0, false, "",            "" },
        { 3, 1, 0, 0, false, "+",           "P" },
        { 3, 1, 0, 0, false, "---",         "ffF" },
        { 3, 1, 0, 0, false, "+-+-+--+",    "PfPfPffP" },
        { 3, 1, 0, 0, false, "+-----+-",    "PffFFFPf" },
        { 1, 1, 0, 0, false, "-+-",         "FPF" },
        { 1, 1, 0, 0, false, "u-",          "NF" },

        /* Our own faults count for nothing, neither way */
        { 3, 1, 0, 0, false, "uuuu",        "NNNN" },
        { 3, 1, 0, 0, false, "-u-u-u",      "ffffFF" },
        { 3, 1, 0, 0, false, "--u+",        "fffP" },
        { 3, 2, 0, 0, false, "---+u+",      "ffFFFP" },
        { 3, 1, 2, 4, false, "-uuu+uuu-",   "ffffPPPPF" },

        /* successes > 1: only passes in a row lead out of FAILED, and only out of that */
        { 2, 3, 0, 0, false, "+",           "P" },
        { 2, 3, 0, 0, false, "-+",          "fP" },
        { 2, 3, 0, 0, false, "--+++",       "fFFFP" },
        { 2, 3, 0, 0, false, "--++-+++",    "fFFFFFFP" },
        { 2, 3, 0, 0, false, "--+-+-+-",    "fFFFFFFF" },

        /* k of the last n */
        { 9, 1, 3, 5, false, "-+-+-",       "fPfPF" },
        { 9, 1, 3, 5, false, "-+-+-+",      "fPfPFP" },
        { 9, 1, 3, 5, false, "-+-+-+-",     "fPfPFPF" },
        { 9, 1, 3, 5, false, "--++-+-",     "ffPPFPf" },
        { 9, 1, 3, 5, false, "---++",       "ffFFF" },
        { 9, 1, 3, 5, false, "---+++++",    "ffFFFPPP" },
        { 9, 2, 2, 4, false, "-+-++++",     "fPFFPPP" },
        { 9, 4, 2, 4, false, "-+-++++",     "fPFFFFP" },
        { 3, 1, 3, 3, false, "---+",        "ffFP" },
        { 9, 1, 1, 1, false, "-+-",         "FPF" },
        { 9, 1, 5, 3, false, "----",        "ffff" }, /* can never be met */
        { 9, 1, 2, 4, false, "-+++-",       "fPPPf" },

        /* After a restart of the server the verdict is stale until the first answer */
        { 3, 1, 0, 0, true,  "u+",          "SP" },
        { 3, 1, 0, 0, true,  "u-",          "Sf" },
        { 3, 3, 0, 0, true,  "+",           "P" },
        { 1, 1, 0, 0, true,  "-",           "F" },
};
/* clang-format on */

static char letter_of(ProbeVerdict v) {
        return "NPfFS"[v];
}

static ProbeDefinition definition_of(const Row *r) {
        return (ProbeDefinition){ .failures = r->failures,
                                  .successes = r->successes,
                                  .window_failures = r->window_failures,
                                  .window_length = r->window_length };
}

TEST(each_row_of_results_has_its_row_of_verdicts) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const ProbeDefinition p = definition_of(&rows[i]);
                char verdicts[32] = "";
                ProbeHealth h;

                probe_health_reset(&h, rows[i].adopted);
                ASSERT_EQ(letter_of(h.verdict), rows[i].adopted ? 'S' : 'N');
                for (size_t j = 0; rows[i].results[j]; j++) {
                        char c = rows[i].results[j];

                        probe_health_take(&h, &p, c == '+' ? PROBE_PASS : c == '-' ? PROBE_FAIL : PROBE_UNKNOWN, j + 1);
                        verdicts[j] = letter_of(h.verdict);
                        ASSERT(h.failures == 0 || h.successes == 0);
                }
                if (strcmp(verdicts, rows[i].verdicts) != 0)
                        FAIL("row %zu: %s gives %s, and not %s", i, rows[i].results, verdicts, rows[i].verdicts);
        }
}

TEST(the_widest_window_has_sixty_four_results) {
        const ProbeDefinition p = { .failures = 1000, .successes = 1, .window_failures = 2, .window_length = 64 };
        ProbeHealth h;

        probe_health_reset(&h, false);
        probe_health_take(&h, &p, PROBE_FAIL, 1);
        for (unsigned i = 0; i < 62; i++)
                probe_health_take(&h, &p, PROBE_PASS, 2);
        probe_health_take(&h, &p, PROBE_FAIL, 3);
        ASSERT_EQ(h.verdict, PROBE_VERDICT_FAILED);
        probe_health_take(&h, &p, PROBE_PASS, 4); /* the first one leaves the window */
        ASSERT_EQ(h.verdict, PROBE_VERDICT_PASSING);
        ASSERT_EQ(h.n_window, 64);
}

TEST(counters_stop_at_their_end_and_do_not_wrap) {
        const ProbeDefinition p = { .failures = 3, .successes = 1 };
        ProbeHealth h = { .verdict = PROBE_VERDICT_FAILED, .failures = UINT_MAX };

        probe_health_take(&h, &p, PROBE_FAIL, 1);
        ASSERT_EQ(h.failures, UINT_MAX);
        ASSERT_EQ(h.verdict, PROBE_VERDICT_FAILED);
}

TEST(only_a_pass_or_a_fail_is_evidence) {
        const ProbeDefinition p = { .failures = 3, .successes = 1, .interval_usec = 5, .timeout_usec = 5 };
        ProbeHealth h;

        probe_health_reset(&h, false);
        probe_health_take(&h, &p, PROBE_UNKNOWN, 77);
        ASSERT_EQ(h.checked_usec, 0);
        ASSERT(probe_health_stale_at_usec(&h, &p) == USEC_NEVER);
        probe_health_take(&h, &p, PROBE_FAIL, 88);
        ASSERT_EQ(h.checked_usec, 88);
        probe_health_take(&h, &p, PROBE_UNKNOWN, 99);
        ASSERT_EQ(h.checked_usec, 88);
        probe_health_reset(&h, true);
        ASSERT_EQ(h.checked_usec, 0);
        ASSERT_EQ(h.failures, 0);
        ASSERT_EQ(h.n_window, 0);
}

static const ProbeDefinition timed = {
        .failures = 3,
        .successes = 3,
        .interval_usec = 5000000,
        .timeout_usec = 2000000,
        .fast_interval_usec = 200000,
        .down_interval_usec = 60000001,
};

TEST(the_wait_follows_the_verdict) {
        static const struct {
                ProbeVerdict verdict;
                unsigned failures, successes;
                unsigned early;
                uint64_t delay_usec;
        } waits[] = {
                { PROBE_VERDICT_NONE, 0, 0, 0, 5000000 },
                { PROBE_VERDICT_STALE, 0, 0, 0, 5000000 },
                { PROBE_VERDICT_PASSING, 0, 1, 0, 5000000 },
                { PROBE_VERDICT_PASSING, 0, 1, 10, 4950000 },
                { PROBE_VERDICT_PASSING, 0, 1, 50, 4750000 },
                { PROBE_VERDICT_PASSING, 0, 1, 1000, 4750000 },
                { PROBE_VERDICT_FAILING, 1, 0, 50, 200000 },
                { PROBE_VERDICT_FAILED, 3, 0, 0, 60000001 },
                { PROBE_VERDICT_FAILED, 3, 0, 10, 59400000 },
                { PROBE_VERDICT_FAILED, 0, 1, 50, 200000 },
                { PROBE_VERDICT_FAILED, 0, 2, 50, 200000 },
                /* the window rule holds it down: no hurry, however many passes came */
                { PROBE_VERDICT_FAILED, 0, 3, 0, 60000001 },
        };

        for (size_t i = 0; i < ELEMENTSOF(waits); i++) {
                const ProbeHealth h = { .verdict = waits[i].verdict,
                                        .failures = waits[i].failures,
                                        .successes = waits[i].successes };

                ASSERT_EQ(probe_health_delay_usec(&h, &timed, waits[i].early), waits[i].delay_usec);
        }
}

/* Or a service that answers would now and then be shown as stale for waiting as long as it was told to. */
TEST(evidence_outlives_the_longest_wait_and_the_probe_after_it) {
        static const ProbeVerdict verdicts[] = { PROBE_VERDICT_PASSING, PROBE_VERDICT_FAILING, PROBE_VERDICT_FAILED };

        for (uint64_t interval = 1000; interval <= UINT64_C(86400000000); interval *= 10)
                for (size_t i = 0; i < ELEMENTSOF(verdicts); i++) {
                        const ProbeDefinition p = { .failures = 1,
                                                    .successes = 1,
                                                    .interval_usec = interval,
                                                    .timeout_usec = 2000000,
                                                    .fast_interval_usec = 1000,
                                                    .down_interval_usec = interval * 3 };
                        const ProbeHealth h = { .verdict = verdicts[i], .checked_usec = 1000 };
                        uint64_t next = h.checked_usec + probe_health_delay_usec(&h, &p, 0) + p.timeout_usec;

                        ASSERT(probe_health_stale_at_usec(&h, &p) > next);
                }
}

TEST(evidence_grows_stale_two_seconds_after_that) {
        const ProbeHealth passing = { .verdict = PROBE_VERDICT_PASSING, .checked_usec = 1000 };
        const ProbeHealth failed = { .verdict = PROBE_VERDICT_FAILED, .checked_usec = 1000 };
        ProbeDefinition endless = timed;

        ASSERT_EQ(probe_health_stale_at_usec(&passing, &timed), 1000 + 5000000 + 2000000 + 2000000);
        ASSERT_EQ(probe_health_stale_at_usec(&failed, &timed), 1000 + 60000001 + 2000000 + 2000000);
        endless.timeout_usec = USEC_NEVER;
        ASSERT(probe_health_stale_at_usec(&passing, &endless) == USEC_NEVER);
}

TEST(verdicts_have_words) {
        ASSERT_STREQ(probe_verdict_to_string(PROBE_VERDICT_NONE), "none");
        ASSERT_STREQ(probe_verdict_to_string(PROBE_VERDICT_STALE), "stale");
        ASSERT_EQ(probe_verdict_from_string("failing"), PROBE_VERDICT_FAILING);
        ASSERT_EQ(probe_verdict_from_string("dead"), -EINVAL);
}
