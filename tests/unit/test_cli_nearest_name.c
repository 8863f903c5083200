/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "cli/nearest_name.h"

static const char *const names[] = { "hero_db", "hero_os", "hero_osis", "status", "start", "stop" };
#define N_NAMES (sizeof names / sizeof names[0])

TEST(a_slip_of_the_fingers_is_understood) {
        ASSERT_STREQ(nearest_name_find("hero_oss", names, N_NAMES), "hero_os");
        ASSERT_STREQ(nearest_name_find("hreo_db", names, N_NAMES), "hero_db");
        ASSERT_STREQ(nearest_name_find("hero_osi", names, N_NAMES), "hero_os");
        ASSERT_STREQ(nearest_name_find("staus", names, N_NAMES), "status");
        ASSERT_STREQ(nearest_name_find("sotp", names, N_NAMES), "stop");
}

TEST(what_is_nowhere_near_is_left_alone) {
        ASSERT(!nearest_name_find("postgres", names, N_NAMES));
        ASSERT(!nearest_name_find("", names, N_NAMES));
        ASSERT(!nearest_name_find("x", names, N_NAMES));
        ASSERT(!nearest_name_find("hero_os", names, 0));
}

TEST(words_of_any_length_are_safe) {
        char longest[65], longer[300];
        const char *const long_names[] = { longest, longer };

        memset(longest, 'a', sizeof longest);
        longest[64] = '\0';
        memset(longer, 'a', sizeof longer);
        longer[sizeof longer - 1] = '\0';
        ASSERT_STREQ(nearest_name_find(longest, long_names, 2), longest);
        ASSERT(!nearest_name_find(longer, long_names, 2));
}
