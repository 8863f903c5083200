/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How often something took how long, in memory that never grows: a bucket is an eighth as wide as it is far, and what
 * is longer than 4 h falls into the last. Pure. */

#include <stddef.h>
#include <stdint.h>

enum {
        DURATION_BUCKETS = 256,
};

typedef struct DurationHistogram {
        uint64_t counts[DURATION_BUCKETS];
        uint64_t n, sum_usec, max_usec;
} DurationHistogram;

void duration_histogram_add(DurationHistogram *h, uint64_t usec);

/* No more than `permille` thousandths took longer than this; up to an eighth too much, never too little. 0 when empty.
 */
uint64_t duration_histogram_percentile_usec(const DurationHistogram *h, unsigned permille);

/* What fell into bucket i took less than this. */
uint64_t duration_histogram_bound_usec(size_t i);
