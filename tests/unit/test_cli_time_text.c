/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>

#include "base/clock.h"
#include "cli/time_text.h"

#define MIN (60 * USEC_PER_SEC)
#define HOUR (60 * MIN)
#define THEN (UINT64_C(1763805600) * USEC_PER_SEC)

TEST(an_age_has_the_units_that_matter) {
        static const struct {
                uint64_t age;
                const char *text;
        } cases[] = {
                { 0, "now" },
                { USEC_PER_SEC - 1, "now" },
                { USEC_PER_SEC, "1s ago" },
                { MIN - 1, "59s ago" },
                { MIN, "1min ago" },
                { MIN + 5 * USEC_PER_SEC, "1min 5s ago" },
                { 5 * MIN + 59 * USEC_PER_SEC, "5min ago" },
                { HOUR - 1, "59min ago" },
                { 2 * HOUR, "2h ago" },
                { 2 * HOUR + 3 * MIN, "2h 3min ago" },
                { 24 * HOUR, "1 day ago" },
                { 47 * HOUR, "1 day ago" },
                { 400 * 24 * HOUR, "400 days ago" },
        };
        char text[TIME_TEXT_MAX];

        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                time_text_ago(THEN, THEN + cases[i].age, text);
                ASSERT_STREQ(text, cases[i].text);
        }
}

TEST(an_age_is_never_negative_and_never_is_a_dash) {
        char text[TIME_TEXT_MAX];

        time_text_ago(THEN + HOUR, THEN, text);
        ASSERT_STREQ(text, "now");
        time_text_ago(0, THEN, text);
        ASSERT_STREQ(text, "-");
}

TEST(a_span_is_short) {
        static const struct {
                uint64_t span;
                const char *text;
        } cases[] = {
                { 0, "0us" },
                { 999, "999us" },
                { 1000, "1ms" },
                { 2140, "2.1ms" },
                { 9999, "9.9ms" },
                { 10000, "10ms" },
                { USEC_PER_SEC, "1s" },
                { 1500 * USEC_PER_MSEC, "1.5s" },
                { 59 * USEC_PER_SEC, "59s" },
                { 200 * USEC_PER_SEC, "3min 20s" },
                { 600 * USEC_PER_SEC, "10min" },
                { USEC_NEVER, "infinity" },
        };
        char text[TIME_TEXT_MAX];

        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                time_text_span(cases[i].span, text);
                ASSERT_STREQ(text, cases[i].text);
        }
}

TEST(spans_are_read_with_and_without_units) {
        static const struct {
                const char *text;
                uint64_t span;
        } cases[] = {
                { "30", 30 * USEC_PER_SEC },
                { "0", 0 },
                { "1.5", 1500 * USEC_PER_MSEC },
                { ".5s", 500 * USEC_PER_MSEC },
                { "500ms", 500 * USEC_PER_MSEC },
                { "2min", 2 * MIN },
                { "1h", HOUR },
                { "infinity", USEC_NEVER },
        };
        uint64_t span;

        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                ASSERT_EQ(time_text_parse_span(cases[i].text, &span), 0);
                ASSERT_EQ(span, cases[i].span);
        }
}

TEST(what_is_no_span_is_refused) {
        static const char *const texts[] = { "",    "s",    "-1",  "+1",    " 1",        "nan",
                                             "inf", "0x10", "1e3", "1.2.3", "5 parsecs", "." };
        uint64_t span = 7;

        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
                ASSERT_EQ(time_text_parse_span(texts[i], &span), -EINVAL);
        ASSERT_EQ(time_text_parse_span("99999999999999999999", &span), -ERANGE);
        ASSERT_EQ(span, 7);
}

TEST(a_short_age_takes_five_columns_at_most) {
        static const struct {
                uint64_t seconds;
                const char *text;
        } ages[] = {
                { 0, "now" },
                { 1, "1s" },
                { 59, "59s" },
                { 60, "1min" },
                { 3599, "59min" },
                { 3600, "1h" },
                { 86399, "23h" },
                { 86400, "1d" },
                { 86400 * 9999, "9999d" },
                { UINT64_C(86400) * 10000, "9999d" },
        };
        char text[TIME_TEXT_MAX];

        for (size_t i = 0; i < sizeof ages / sizeof ages[0]; i++) {
                uint64_t now = UINT64_C(1763805600000000);

                time_text_short_age(now - ages[i].seconds * 1000000, now, text);
                ASSERT_STREQ(text, ages[i].text);
        }
        time_text_short_age(0, 1, text);
        ASSERT_STREQ(text, "-");
        time_text_short_age(2000000, 1000000, text); /* another machine's clock */
        ASSERT_STREQ(text, "now");
}
