/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The limit over all services: healing must not become the outage. A cause that many share (a full disk, a slow
 * machine, a server that was stopped) is not mended by restarting everything, and restarts cost what is short then.
 * Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/healing.h"

enum {
        LIMITER_RESTARTS_MAX = 64,     /* remembered, and the most within LIMITER_WINDOW_USEC */
        LIMITER_RESTARTS_MIN = 10,     /* within LIMITER_WINDOW_USEC, however few services there are */
        LIMITER_MANY_MIN = 4,          /* so many ill services are many, however few there are … */
        LIMITER_MANY_PERCENT = 25,     /* … and of more services, so many of a hundred */
        LIMITER_RESTARTS_PERCENT = 10, /* of the services, within LIMITER_WINDOW_USEC */
};
#define LIMITER_WINDOW_USEC UINT64_C(60000000)
#define LIMITER_ONE_BY_ONE_USEC UINT64_C(10000000) /* between two restarts while many are ill */
#define LIMITER_STARVED_USEC UINT64_C(10000000)    /* how long the server looks again after it was held up */
#define LIMITER_PRESSURE_USEC UINT64_C(5000000)    /* how long until pressure is asked about again */

enum { LIMITER_SHARE = -1, LIMITER_NONE = 0 };

typedef struct RestartLimiter {
        int per_window; /* an administrator's word: so many within LIMITER_WINDOW_USEC; SHARE: as above; NONE: no limit
                         */
        uint64_t restarts_usec[LIMITER_RESTARTS_MAX]; /* monotonic, a ring; 0: none */
        unsigned next;
        uint64_t starved_usec; /* monotonic: when the server was last found to have been held up; 0: never */
} RestartLimiter;

typedef struct LimiterVerdict {
        HealingHold hold; /* NONE: go on */
        uint64_t until_usec;
} LimiterVerdict;

/* May a service be restarted now? n_ill counts this one too. */
LimiterVerdict restart_limiter_ask(const RestartLimiter *l, size_t n_services, size_t n_ill, bool under_pressure,
                                   uint64_t now_usec);
void restart_limiter_restarted(RestartLimiter *l, uint64_t now_usec);
