/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What services use, read from the kernel at a low rate and only for those that somebody looks at. */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define USAGE_PERIOD_USEC (2 * USEC_PER_SEC)

typedef struct UsageSample {
        char *name;
        uint64_t read_usec; /* monotonic; 0: never */
        uint64_t memory_bytes, cpu_usec;
        uint32_t cpu_tenths;
} UsageSample;

typedef struct UsageSamples {
        char root[PATH_MAX]; /* of boundary/cgroup_usage.h; "": nothing can be read */
        UsageSample *list;   /* by name */
        size_t n;
} UsageSamples;

/* With `root` NULL nothing is ever known. */
void usage_samples_init(UsageSamples *u, const char *root);
void usage_samples_done(UsageSamples *u);

/* What is known of that service, read anew if that is a period ago. NULL: out of memory. */
const UsageSample *usage_samples_look(UsageSamples *u, const char *name, uint64_t now_usec);
void usage_samples_forget(UsageSamples *u, const char *name);
