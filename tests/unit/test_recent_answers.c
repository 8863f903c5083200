/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "core/recent_answers.h"

/* The same for every run: what is random here is only which numbers. */
static uint64_t next_random(uint64_t *state) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

static int compare(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return x < y ? -1 : x > y;
}

/* By definition: the smallest value that at least so many percent are not above. */
static uint64_t percentile(const uint64_t *sorted, unsigned n, unsigned percent) {
        for (unsigned i = 0; i < n; i++)
                if ((i + 1) * 100 >= n * percent)
                        return sorted[i];
        return 0;
}

static bool is_close(uint64_t told, uint64_t truth) {
        return told <= truth && truth - told <= truth / 512;
}

TEST(percentiles_are_those_of_a_sorted_list_of_the_last_passes) {
        uint64_t state = 88172645463325252, durations[2000];
        ProbeOutcome outcomes[2000];
        RecentAnswers r = { 0 };

        for (unsigned n = 0; n < 2000; n++) {
                uint64_t sorted[RECENT_ANSWERS_MAX];
                unsigned n_sorted = 0;
                AnswerLatency latency;

                durations[n] = next_random(&state) >> (24 + next_random(&state) % 40);
                outcomes[n] = (ProbeOutcome) (next_random(&state) % 8 < 6 ? PROBE_PASS : next_random(&state) % 3);
                recent_answers_add(&r, outcomes[n], durations[n]);

                for (unsigned i = n < RECENT_ANSWERS_MAX ? 0 : n + 1 - RECENT_ANSWERS_MAX; i <= n; i++)
                        if (outcomes[i] == PROBE_PASS)
                                sorted[n_sorted++] = durations[i];
                qsort(sorted, n_sorted, sizeof sorted[0], compare);
                latency = recent_answers_latency(&r);
                ASSERT_EQ(latency.n, n_sorted);
                ASSERT(is_close(latency.p50_usec, percentile(sorted, n_sorted, 50)));
                ASSERT(is_close(latency.p99_usec, percentile(sorted, n_sorted, 99)));
                ASSERT(is_close(latency.max_usec, percentile(sorted, n_sorted, 100)));
        }
}

TEST(a_hundredth_that_is_slow_is_not_the_99th_percentile) {
        RecentAnswers r = { 0 };

        for (unsigned i = 0; i < 500; i++)
                recent_answers_add(&r, PROBE_PASS, i % RECENT_ANSWERS_MAX == 0 ? 90000 : 200);
        ASSERT_EQ(recent_answers_latency(&r).p50_usec, 200);
        ASSERT_EQ(recent_answers_latency(&r).p99_usec, 200);
        ASSERT(is_close(recent_answers_latency(&r).max_usec, 90000));
}

TEST(without_a_pass_there_is_no_latency) {
        RecentAnswers r = { 0 };

        ASSERT_EQ(recent_answers_latency(&r).n, 0);
        recent_answers_add(&r, PROBE_FAIL, 5);
        recent_answers_add(&r, PROBE_UNKNOWN, 5);
        ASSERT_EQ(recent_answers_latency(&r).n, 0);
        ASSERT_EQ(recent_answers_latency(&r).p99_usec, 0);
}

TEST(the_strip_begins_with_the_oldest_and_holds_the_last) {
        RecentAnswers r = { 0 };
        uint64_t usec;

        for (unsigned n = 1; n <= 300; n++) {
                unsigned first;

                recent_answers_add(&r, (ProbeOutcome) (n % 3), n);
                ASSERT_EQ(r.n, n < RECENT_ANSWERS_MAX ? n : RECENT_ANSWERS_MAX);
                first = n - r.n + 1;
                for (unsigned i = 0; i < r.n; i++) {
                        ASSERT_EQ(recent_answers_at(&r, i, &usec), (first + i) % 3);
                        ASSERT_EQ(usec, first + i); /* short ones are kept exactly */
                }
        }
}

TEST(a_day_is_not_too_long) {
        RecentAnswers r = { 0 };

        recent_answers_add(&r, PROBE_PASS, UINT64_C(86400000000));
        ASSERT(is_close(recent_answers_latency(&r).max_usec, UINT64_C(86400000000)));
        recent_answers_add(&r, PROBE_PASS, UINT64_MAX);
        ASSERT(recent_answers_latency(&r).max_usec > UINT64_C(86400000000));
}
