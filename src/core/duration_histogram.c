/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/duration_histogram.h"

#include "core/duration_code.h"

enum {
        BUCKET_DIGITS = 3,
};

void duration_histogram_add(DurationHistogram *h, uint64_t usec) {
        h->counts[duration_encode(usec, BUCKET_DIGITS, DURATION_BUCKETS - 1)]++;
        h->n++;
        h->sum_usec += usec;
        if (usec > h->max_usec)
                h->max_usec = usec;
}

uint64_t duration_histogram_bound_usec(size_t i) {
        return i >= DURATION_BUCKETS - 1 ? UINT64_MAX : duration_decode((unsigned) i + 1, BUCKET_DIGITS);
}

uint64_t duration_histogram_percentile_usec(const DurationHistogram *h, unsigned permille) {
        uint64_t n_above = 0, n_allowed = h->n / 1000 * (1000 - permille) + h->n % 1000 * (1000 - permille) / 1000;

        for (size_t i = DURATION_BUCKETS; i-- > 0;) {
                n_above += h->counts[i];
                if (n_above > n_allowed) {
                        uint64_t bound_usec = duration_histogram_bound_usec(i);

                        return bound_usec <= h->max_usec ? bound_usec - 1 : h->max_usec;
                }
        }
        return 0;
}
