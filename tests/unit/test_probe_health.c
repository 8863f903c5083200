/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>
#include <limits.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "core/probe_health.h"

/* A row of results, and the verdict after each. "+" pass, "-" fail, "u" unknown; within the start timeout "p" pass, "w"
 * wrong answer, "." nobody listens. P passing, f failing, F failed, N none, S stale, R not ready. `before`: 0, or what
 * an earlier server took down of the service that this one came back to. */
typedef struct Row {
        unsigned failures, successes, window_failures, window_length;
        char before;
        const char *results, *verdicts;
        ProbeRole role;
} Row;

/* clang-format off */
static const Row rows[] = {
        { 3, 1, 0, 0, 0,   "",            "" },
        { 3, 1, 0, 0, 0,   "+",           "P" },
        { 3, 1, 0, 0, 0,   "---",         "ffF" },
        { 3, 1, 0, 0, 0,   "+-+-+--+",    "PfPfPffP" },
        { 3, 1, 0, 0, 0,   "+-----+-",    "PffFFFPf" },
        { 1, 1, 0, 0, 0,   "-+-",         "FPF" },
        { 1, 1, 0, 0, 0,   "u-",          "NF" },

        /* Our own faults count for nothing, neither way */
        { 3, 1, 0, 0, 0,   "uuuu",        "NNNN" },
        { 3, 1, 0, 0, 0,   "-u-u-u",      "ffffFF" },
        { 3, 1, 0, 0, 0,   "--u+",        "fffP" },
        { 3, 2, 0, 0, 0,   "---+u+",      "ffFFFP" },
        { 3, 1, 2, 4, 0,   "-uuu+uuu-",   "ffffPPPPF" },

        /* successes > 1: once it has failed, only passes in a row lead back */
        { 2, 3, 0, 0, 0,   "+",           "P" },
        { 2, 3, 0, 0, 0,   "-+++",        "fffP" },
        { 2, 3, 0, 0, 0,   "+-++-+++",    "PffffffP" },
        { 2, 3, 0, 0, 0,   "--+++",       "fFFFP" },
        { 2, 3, 0, 0, 0,   "--++-+++",    "fFFFFFFP" },
        { 2, 3, 0, 0, 0,   "--+-+-+-",    "fFFFFFFF" },

        /* k of the last n */
        { 9, 1, 3, 5, 0,   "-+-+-",       "fPfPF" },
        { 9, 1, 3, 5, 0,   "-+-+-+",      "fPfPFP" },
        { 9, 1, 3, 5, 0,   "-+-+-+-",     "fPfPFPF" },
        { 9, 1, 3, 5, 0,   "--++-+-",     "ffPPFPf" },
        { 9, 1, 3, 5, 0,   "---++",       "ffFFF" },
        { 9, 1, 3, 5, 0,   "---+++++",    "ffFFFPPP" },
        { 9, 2, 2, 4, 0,   "-+-++++",     "ffFFPPP" },
        { 9, 4, 2, 4, 0,   "-+-++++",     "ffFFFFP" },
        { 3, 1, 3, 3, 0,   "---+",        "ffFP" },
        { 9, 1, 1, 1, 0,   "-+-",         "FPF" },
        { 9, 1, 5, 3, 0,   "----",        "ffff" }, /* can never be met */
        { 9, 1, 2, 4, 0,   "-+++-",       "fPPPf" },
        { 9, 2, 3, 6, 0,   "+-+-+-+-+-",  "PffffFFFFF" }, /* one in two: never green again */

        /* A start: others than readiness probes await only that somebody comes to listen */
        { 3, 1, 0, 0, 0,   "..p",         "RRP" },
        { 3, 9, 0, 0, 0,   "..p",         "RRP" },
        { 3, 1, 0, 0, 0,   "..www",       "RRffF" },
        { 3, 1, 0, 0, 0,   "..wp",        "RRfP" },
        { 3, 1, 0, 0, 0,   "..-",         "RRF" },
        { 3, 1, 0, 0, 0,   "..u-+",       "RRRFP" },
        { 3, 1, 0, 0, 0,   "w.",          "ff" },
        { 3, 1, 0, 0, 0,   "p...",        "PffF" },
        { 9, 1, 2, 4, 0,   "...p-",       "RRRPf" }, /* of no weight for the window rule */

        /* A readiness probe: nothing counts before the first pass */
        { 3, 1, 0, 0, 0,   "+---",        "PffF",    PROBE_READINESS },
        { 1, 1, 0, 0, 0,   ".wwwp",       "RRRRP",   PROBE_READINESS },
        { 1, 1, 0, 0, 0,   ".ww--+-",     "RRRRRPF", PROBE_READINESS },
        { 3, 1, 2, 4, 0,   "wwwwp-",      "RRRRPf",  PROBE_READINESS },
        { 3, 2, 0, 0, 0,   "wpwpp",       "RRRRP",   PROBE_READINESS },
        { 3, 2, 0, 0, 0,   "p",           "P",       PROBE_READINESS },
        { 3, 1, 0, 0, 0,   "u-u+",        "NRRP",    PROBE_READINESS },
        { 3, 1, 0, 0, 0,   ".w",          "Rf",      PROBE_REPORT },

        /* After a restart of the server the verdict is stale until the first answer, and goes on from there */
        { 3, 1, 0, 0, 'N', "u+",          "SP" },
        { 3, 1, 0, 0, 'N', "u-",          "Sf" },
        { 3, 3, 0, 0, 'N', "+",           "P" },
        { 1, 1, 0, 0, 'N', "-",           "F" },
        { 3, 1, 0, 0, 'P', "-",           "f" },
        { 3, 1, 0, 0, 'P', "+",           "P" },
        { 3, 2, 0, 0, 'f', "++",          "fP" },
        { 3, 2, 0, 0, 'F', "u++",         "SFP" },
        { 3, 1, 0, 0, 'F', "-",           "F" },
        { 3, 1, 0, 0, 'R', ".p",          "RP" },
        { 3, 1, 0, 0, 'R', "-",           "F" },
        { 3, 1, 0, 0, 'R', "-+",          "RP",      PROBE_READINESS },
        { 3, 1, 0, 0, 'P', "w",           "f",       PROBE_READINESS },
        { 3, 1, 0, 0, 'N', "w",           "R",       PROBE_READINESS },
        { 3, 1, 0, 0, 'N', "-",           "f",       PROBE_READINESS }, /* it may well have passed */
};
/* clang-format on */

static const char letters[] = "NPfFSR";

static ProbeDefinition definition_of(const Row *r) {
        return (ProbeDefinition){ .failures = r->failures,
                                  .successes = r->successes,
                                  .window_failures = r->window_failures,
                                  .window_length = r->window_length,
                                  .role = r->role };
}

static ProbeOutcome outcome_of(char c) {
        return c == '+' || c == 'p' ? PROBE_PASS : c == 'u' ? PROBE_UNKNOWN : PROBE_FAIL;
}

static ProbePhase phase_of(char c) {
        return c == '.' ? PROBE_PHASE_ABSENT : c == 'w' || c == 'p' ? PROBE_PHASE_STARTING : PROBE_PHASE_UP;
}

TEST(each_row_of_results_has_its_row_of_verdicts) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const ProbeDefinition p = definition_of(&rows[i]);
                char verdicts[32] = "";
                ProbeHealth h;

                bool is_late = rows[i].before && phase_of(rows[i].results[0]) == PROBE_PHASE_UP;

                probe_health_reset(&h, is_late);
                if (rows[i].before)
                        probe_health_adopt(&h, is_late, (ProbeVerdict) (strchr(letters, rows[i].before) - letters));
                ASSERT_EQ(letters[h.verdict], rows[i].before ? 'S' : 'N');
                for (size_t j = 0; rows[i].results[j]; j++) {
                        char c = rows[i].results[j];

                        probe_health_take(&h, &p, outcome_of(c), phase_of(c), j + 1);
                        verdicts[j] = letters[h.verdict];
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
        probe_health_take(&h, &p, PROBE_FAIL, PROBE_PHASE_UP, 1);
        for (unsigned i = 0; i < 62; i++)
                probe_health_take(&h, &p, PROBE_PASS, PROBE_PHASE_UP, 2);
        probe_health_take(&h, &p, PROBE_FAIL, PROBE_PHASE_UP, 3);
        ASSERT_EQ(h.verdict, PROBE_VERDICT_FAILED);
        probe_health_take(&h, &p, PROBE_PASS, PROBE_PHASE_UP, 4); /* the first one leaves the window */
        ASSERT_EQ(h.verdict, PROBE_VERDICT_PASSING);
        ASSERT_EQ(h.n_window, 64);
}

TEST(a_readiness_probe_that_came_late_counts_as_others_do) {
        const ProbeDefinition p = { .failures = 2, .successes = 1, .role = PROBE_READINESS };
        ProbeHealth h;

        probe_health_reset(&h, true);
        probe_health_take(&h, &p, PROBE_FAIL, PROBE_PHASE_UP, 1);
        ASSERT_EQ(h.verdict, PROBE_VERDICT_FAILING);
        probe_health_take(&h, &p, PROBE_FAIL, PROBE_PHASE_UP, 2);
        ASSERT_EQ(h.verdict, PROBE_VERDICT_FAILED);
}

TEST(the_window_tells_how_many_failed_of_how_many) {
        const ProbeDefinition p = { .failures = 9, .successes = 1, .window_failures = 3, .window_length = 5 };
        const ProbeDefinition none = { .failures = 9, .successes = 1 };
        unsigned n;
        ProbeHealth h;

        probe_health_reset(&h, false);
        ASSERT_EQ(probe_health_window_failures(&h, &p, &n), 0);
        ASSERT_EQ(n, 0);
        for (unsigned i = 1; i <= 7; i++) {
                probe_health_take(&h, &p, i % 2 ? PROBE_FAIL : PROBE_PASS, PROBE_PHASE_UP, i);
                ASSERT_EQ(probe_health_window_failures(&h, &none, &n), 0);
                ASSERT_EQ(probe_health_window_failures(&h, &p, &n), i < 5 ? (i + 1) / 2 : i % 2 ? 3 : 2);
                ASSERT_EQ(n, i < 5 ? i : 5);
        }
}

TEST(counters_stop_at_their_end_and_do_not_wrap) {
        const ProbeDefinition p = { .failures = 3, .successes = 1 };
        ProbeHealth h = { .verdict = PROBE_VERDICT_FAILED, .failures = UINT_MAX };

        probe_health_take(&h, &p, PROBE_FAIL, PROBE_PHASE_UP, 1);
        ASSERT_EQ(h.failures, UINT_MAX);
        ASSERT_EQ(h.verdict, PROBE_VERDICT_FAILED);
}

TEST(only_a_pass_or_a_fail_is_evidence) {
        const ProbeDefinition p = { .failures = 3, .successes = 1, .interval_usec = 5, .timeout_usec = 5 };
        ProbeHealth h;

        probe_health_reset(&h, false);
        probe_health_take(&h, &p, PROBE_UNKNOWN, PROBE_PHASE_UP, 77);
        ASSERT_EQ(h.checked_usec, 0);
        ASSERT(probe_health_stale_at_usec(&h, &p) == USEC_NEVER);
        probe_health_take(&h, &p, PROBE_FAIL, PROBE_PHASE_UP, 88);
        ASSERT_EQ(h.checked_usec, 88);
        probe_health_take(&h, &p, PROBE_UNKNOWN, PROBE_PHASE_UP, 99);
        ASSERT_EQ(h.checked_usec, 88);
        probe_health_adopt(&h, true, PROBE_VERDICT_NONE);
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
                { PROBE_VERDICT_FAILING, 0, 1, 50, 200000 },
                { PROBE_VERDICT_NOT_READY, 4, 0, 0, 60000001 },
                { PROBE_VERDICT_NOT_READY, 0, 1, 0, 200000 },
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
        static const ProbeVerdict verdicts[] = { PROBE_VERDICT_PASSING, PROBE_VERDICT_FAILING, PROBE_VERDICT_FAILED,
                                                 PROBE_VERDICT_NOT_READY };

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
        const ProbeHealth not_ready = { .verdict = PROBE_VERDICT_NOT_READY, .checked_usec = 1000 };
        ProbeDefinition endless = timed;

        ASSERT_EQ(probe_health_stale_at_usec(&passing, &timed), 1000 + 5000000 + 2000000 + 2000000);
        ASSERT_EQ(probe_health_stale_at_usec(&failed, &timed), 1000 + 60000001 + 2000000 + 2000000);
        ASSERT_EQ(probe_health_stale_at_usec(&not_ready, &timed), 1000 + 60000001 + 2000000 + 2000000);
        endless.timeout_usec = USEC_NEVER;
        ASSERT(probe_health_stale_at_usec(&passing, &endless) == USEC_NEVER);
}

TEST(verdicts_have_words) {
        ASSERT_STREQ(probe_verdict_to_string(PROBE_VERDICT_NONE), "none");
        ASSERT_STREQ(probe_verdict_to_string(PROBE_VERDICT_STALE), "stale");
        ASSERT_STREQ(probe_verdict_to_string(PROBE_VERDICT_NOT_READY), "not-ready");
        ASSERT_EQ(probe_verdict_from_string("failing"), PROBE_VERDICT_FAILING);
        ASSERT_EQ(probe_verdict_from_string("dead"), -EINVAL);
}
