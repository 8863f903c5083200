/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Times as people read and write them. Pure but for the time zone. */

#include <stdint.h>

enum {
        TIME_TEXT_MAX = 64,
};

/* "5min ago", "2h 3min ago", "3 days ago"; "now" within a second and for any time still to come (another machine's
 * clock may be ahead of ours); "-" for 0. Both in CLOCK_REALTIME. */
void time_text_ago(uint64_t then_usec, uint64_t now_usec, char ret[TIME_TEXT_MAX]);

/* The same in at most five columns: "now", "12s", "59min", "23h", "9999d". */
void time_text_short_age(uint64_t then_usec, uint64_t now_usec, char ret[TIME_TEXT_MAX]);

/* "850us", "2.1ms", "1.5s", "3min 20s": two digits that matter are enough for a latency. */
void time_text_span(uint64_t span_usec, char ret[TIME_TEXT_MAX]);

/* "Sat 2025-11-22 10:00:00 UTC" in the local time zone; "-" for 0. */
void time_text_stamp(uint64_t then_usec, char ret[TIME_TEXT_MAX]);

/* "10:00:00" in the local time zone. */
void time_text_clock(uint64_t then_usec, char ret[TIME_TEXT_MAX]);

/* "30", "1.5", "500ms", "2min", "1h", "infinity" (USEC_NEVER); a number without unit is seconds. -EINVAL for anything
 * else (negative and NaN among it), -ERANGE beyond what a uint64_t holds. */
int time_text_parse_span(const char *text, uint64_t *ret_usec);
