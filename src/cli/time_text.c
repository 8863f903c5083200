/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/time_text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define MINUTE (60 * USEC_PER_SEC)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* "3min 20s", and "3min" for a whole number of them. */
static void print_two(char ret[TIME_TEXT_MAX], uint64_t big, const char *big_unit, uint64_t small,
                      const char *small_unit, const char *suffix) {
        if (small == 0)
                (void) snprintf(ret, TIME_TEXT_MAX, "%" PRIu64 "%s%s", big, big_unit, suffix);
        else
                (void) snprintf(ret, TIME_TEXT_MAX, "%" PRIu64 "%s %" PRIu64 "%s%s", big, big_unit, small, small_unit,
                                suffix);
}

void time_text_ago(uint64_t then_usec, uint64_t now_usec, char ret[TIME_TEXT_MAX]) {
        uint64_t d = now_usec > then_usec ? now_usec - then_usec : 0;

        if (then_usec == 0)
                (void) snprintf(ret, TIME_TEXT_MAX, "-");
        else if (d < USEC_PER_SEC)
                (void) snprintf(ret, TIME_TEXT_MAX, "now");
        else if (d < MINUTE)
                (void) snprintf(ret, TIME_TEXT_MAX, "%" PRIu64 "s ago", d / USEC_PER_SEC);
        else if (d < 5 * MINUTE)
                print_two(ret, d / MINUTE, "min", d % MINUTE / USEC_PER_SEC, "s", " ago");
        else if (d < HOUR)
                (void) snprintf(ret, TIME_TEXT_MAX, "%" PRIu64 "min ago", d / MINUTE);
        else if (d < DAY)
                print_two(ret, d / HOUR, "h", d % HOUR / MINUTE, "min", " ago");
        else
                (void) snprintf(ret, TIME_TEXT_MAX, "%" PRIu64 " day%s ago", d / DAY, d < 2 * DAY ? "" : "s");
}

void time_text_short_age(uint64_t then_usec, uint64_t now_usec, char ret[TIME_TEXT_MAX]) {
        uint64_t d = now_usec > then_usec ? now_usec - then_usec : 0;

        if (then_usec == 0)
                (void) snprintf(ret, TIME_TEXT_MAX, "-");
        else if (d < USEC_PER_SEC)
                (void) snprintf(ret, TIME_TEXT_MAX, "now");
        else if (d < MINUTE)
                (void) snprintf(ret, TIME_TEXT_MAX, "%" PRIu64 "s", d / USEC_PER_SEC);
        else if (d < HOUR)
                (void) snprintf(ret, TIME_TEXT_MAX, "%" PRIu64 "min", d / MINUTE);
        else if (d < DAY)
                (void) snprintf(ret, TIME_TEXT_MAX, "%" PRIu64 "h", d / HOUR);
        else
                (void) snprintf(ret, TIME_TEXT_MAX, "%" PRIu64 "d", d / DAY < 10000 ? d / DAY : 9999);
}

/* With one digit behind the point, unless that is a 0. */
static void print_tenths(char ret[TIME_TEXT_MAX], uint64_t value, uint64_t unit, const char *name) {
        if (value % unit / (unit / 10) == 0)
                (void) snprintf(ret, TIME_TEXT_MAX, "%" PRIu64 "%s", value / unit, name);
        else
                (void) snprintf(ret, TIME_TEXT_MAX, "%" PRIu64 ".%" PRIu64 "%s", value / unit,
                                value % unit / (unit / 10), name);
}

void time_text_span(uint64_t span_usec, char ret[TIME_TEXT_MAX]) {
        uint64_t d = span_usec;

        if (d == USEC_NEVER)
                (void) snprintf(ret, TIME_TEXT_MAX, "infinity");
        else if (d < USEC_PER_MSEC)
                (void) snprintf(ret, TIME_TEXT_MAX, "%" PRIu64 "us", d);
        else if (d < 10 * USEC_PER_MSEC)
                print_tenths(ret, d, USEC_PER_MSEC, "ms");
        else if (d < USEC_PER_SEC)
                (void) snprintf(ret, TIME_TEXT_MAX, "%" PRIu64 "ms", d / USEC_PER_MSEC);
        else if (d < 10 * USEC_PER_SEC)
                print_tenths(ret, d, USEC_PER_SEC, "s");
        else if (d < MINUTE)
                (void) snprintf(ret, TIME_TEXT_MAX, "%" PRIu64 "s", d / USEC_PER_SEC);
        else
                print_two(ret, d / MINUTE, "min", d % MINUTE / USEC_PER_SEC, "s", "");
}

static bool to_local_time(uint64_t usec, struct tm *ret) {
        time_t seconds = (time_t) (usec / USEC_PER_SEC);

        return usec > 0 && localtime_r(&seconds, ret);
}

void time_text_stamp(uint64_t then_usec, char ret[TIME_TEXT_MAX]) {
        struct tm tm;

        if (!to_local_time(then_usec, &tm) || strftime(ret, TIME_TEXT_MAX, "%a %Y-%m-%d %H:%M:%S %Z", &tm) == 0)
                (void) snprintf(ret, TIME_TEXT_MAX, "-");
}

void time_text_clock(uint64_t then_usec, char ret[TIME_TEXT_MAX]) {
        struct tm tm;

        if (!to_local_time(then_usec, &tm) || strftime(ret, TIME_TEXT_MAX, "%H:%M:%S", &tm) == 0)
                (void) snprintf(ret, TIME_TEXT_MAX, "-");
}

static const struct {
        const char *name;
        uint64_t usec;
} units[] = {
        { "", USEC_PER_SEC },    { "s", USEC_PER_SEC }, { "sec", USEC_PER_SEC },
        { "ms", USEC_PER_MSEC }, { "us", 1 },           { "min", MINUTE },
        { "m", MINUTE },         { "h", HOUR },         { "d", DAY },
};

int time_text_parse_span(const char *text, uint64_t *ret_usec) {
        double value;
        char *unit;

        if (strcmp(text, "infinity") == 0) {
                *ret_usec = USEC_NEVER;
                return 0;
        }
        /* strtod() knows words, signs and hexadecimal as well. */
        if (strspn(text, "0123456789.") == 0 || strpbrk(text, "xXeEpP"))
                return -EINVAL;
        value = strtod(text, &unit);
        if (unit == text)
                return -EINVAL;
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
                if (strcmp(unit, units[i].name) != 0)
                        continue;
                value *= (double) units[i].usec;
                if (!isfinite(value) || value >= (double) (UINT64_MAX / 2))
                        return -ERANGE;
                *ret_usec = (uint64_t) value;
                return 0;
        }
        return -EINVAL;
}
