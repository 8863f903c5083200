/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "core/duration_histogram.h"

TEST(each_duration_falls_below_the_bound_of_its_bucket_and_not_below_that_of_the_one_before) {
        for (uint64_t usec = 0; usec < UINT64_C(20000000000); usec = usec < 5000 ? usec + 1 : usec + usec / 97) {
                DurationHistogram h = { 0 };
                size_t i = 0;

                duration_histogram_add(&h, usec);
                while (h.counts[i] == 0)
                        i++;
                ASSERT(usec < duration_histogram_bound_usec(i));
                ASSERT(i == 0 || usec >= duration_histogram_bound_usec(i - 1));
                if (i < DURATION_BUCKETS - 1 && usec >= 8)
                        ASSERT(duration_histogram_bound_usec(i) - duration_histogram_bound_usec(i - 1) <= usec / 8 + 1);
        }
}

TEST(a_percentile_is_never_told_too_small_and_at_most_an_eighth_too_large) {
        DurationHistogram h = { 0 };

        ASSERT_EQ(duration_histogram_percentile_usec(&h, 990), 0);
        for (uint64_t usec = 1; usec <= 100000; usec++)
                duration_histogram_add(&h, usec);
        for (unsigned permille = 1; permille < 1000; permille++) {
                uint64_t told = duration_histogram_percentile_usec(&h, permille), truth = permille * UINT64_C(100);

                ASSERT(told >= truth);
                ASSERT(told <= truth + truth / 8 + 1);
        }
        ASSERT_EQ(duration_histogram_percentile_usec(&h, 1000), 100000);
        ASSERT_EQ(h.max_usec, 100000);
        ASSERT_EQ(h.n, 100000);
}

TEST(one_in_a_hundred_that_is_late_is_not_the_99th_percentile_and_two_are) {
        DurationHistogram h = { 0 };

        for (unsigned i = 0; i < 99; i++)
                duration_histogram_add(&h, 5);
        duration_histogram_add(&h, 70000);
        ASSERT_EQ(duration_histogram_percentile_usec(&h, 990), 5);
        duration_histogram_add(&h, 70000);
        ASSERT_EQ(duration_histogram_percentile_usec(&h, 990), 70000);
}

TEST(what_is_longer_than_any_bucket_falls_into_the_last) {
        DurationHistogram h = { 0 };

        duration_histogram_add(&h, UINT64_MAX);
        ASSERT_EQ(h.counts[DURATION_BUCKETS - 1], 1);
        ASSERT(duration_histogram_percentile_usec(&h, 500) >= UINT64_MAX - 1);
}
