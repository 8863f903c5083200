/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a service uses, in at most five columns. Pure. */

#include <stdint.h>

enum {
        USAGE_TEXT_MAX = 24,
};

/* "0B", "812K", "21.4M", "1.5G", "120G"; "-" for UINT64_MAX. */
void usage_text_memory(uint64_t bytes, char ret[USAGE_TEXT_MAX]);

/* Of one processor, from tenths of a percent: "0.3%", "99.9%", "1600%"; "-" for UINT32_MAX. */
void usage_text_cpu(uint32_t tenths, char ret[USAGE_TEXT_MAX]);

/* Tenths of a percent, from the processor time at two times; UINT32_MAX where they tell nothing: one of them is not
 * known, no time has passed, or the count has begun anew. */
uint32_t usage_text_cpu_tenths(uint64_t old_cpu_usec, uint64_t new_cpu_usec, uint64_t passed_usec);
