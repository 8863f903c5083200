/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Time is microseconds in a uint64_t: monotonic for every decision, real time only to show to people. */

#include <stdint.h>
#include <time.h>

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_NEVER UINT64_MAX

static inline uint64_t clock_now_usec(clockid_t clock) {
        struct timespec ts;

        (void) clock_gettime(clock, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

static inline uint64_t clock_monotonic_usec(void) {
        return clock_now_usec(CLOCK_MONOTONIC);
}

static inline uint64_t clock_realtime_usec(void) {
        return clock_now_usec(CLOCK_REALTIME);
}

/* a + b that stays at USEC_NEVER rather than wrapping to the past. */
static inline uint64_t usec_add(uint64_t a, uint64_t b) {
        return a > USEC_NEVER - b ? USEC_NEVER : a + b;
}
