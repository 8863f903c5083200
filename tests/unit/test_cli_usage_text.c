/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "cli/usage_text.h"

#define ASSERT_MEMORY(bytes, expected)             \
        do {                                       \
                char _text[USAGE_TEXT_MAX];        \
                usage_text_memory((bytes), _text); \
                ASSERT_STREQ(_text, (expected));   \
        } while (0)

#define ASSERT_CPU(tenths, expected)             \
        do {                                     \
                char _text[USAGE_TEXT_MAX];      \
                usage_text_cpu((tenths), _text); \
                ASSERT_STREQ(_text, (expected)); \
        } while (0)

TEST(memory_takes_five_columns_at_most) {
        ASSERT_MEMORY(0, "0B");
        ASSERT_MEMORY(1023, "1023B");
        ASSERT_MEMORY(1024, "1.0K");
        ASSERT_MEMORY(102399, "99.9K");
        ASSERT_MEMORY(102400, "100K");
        ASSERT_MEMORY(1048575, "1023K");
        ASSERT_MEMORY(1048576, "1.0M");
        ASSERT_MEMORY(22439526, "21.3M");
        ASSERT_MEMORY(UINT64_C(1) << 40, "1.0T");
        ASSERT_MEMORY(UINT64_MAX - 1, "15.9E");
        ASSERT_MEMORY(UINT64_MAX, "-");
        for (uint64_t bytes = 1; bytes < UINT64_MAX / 3; bytes = bytes * 3 / 2 + 1) {
                char text[USAGE_TEXT_MAX];

                usage_text_memory(bytes, text);
                ASSERT(strlen(text) <= 5);
        }
}

TEST(processor_time_is_of_one_processor) {
        ASSERT_CPU(0, "0.0%");
        ASSERT_CPU(3, "0.3%");
        ASSERT_CPU(999, "99.9%");
        ASSERT_CPU(1000, "100%");
        ASSERT_CPU(16004, "1600%");
        ASSERT_CPU(UINT32_MAX, "-");
}

TEST(a_share_takes_two_times_of_the_same_count) {
        ASSERT_EQ(usage_text_cpu_tenths(1000000, 1500000, 2000000), 250);
        ASSERT_EQ(usage_text_cpu_tenths(0, 8000000, 2000000), 4000);
        ASSERT_EQ(usage_text_cpu_tenths(5, 5, 2000000), 0);
        ASSERT_EQ(usage_text_cpu_tenths(5, 4, 2000000), UINT32_MAX); /* its slice was made anew */
        ASSERT_EQ(usage_text_cpu_tenths(UINT64_MAX, 4, 2000000), UINT32_MAX);
        ASSERT_EQ(usage_text_cpu_tenths(5, UINT64_MAX, 2000000), UINT32_MAX);
        ASSERT_EQ(usage_text_cpu_tenths(5, 6, 0), UINT32_MAX);
}
