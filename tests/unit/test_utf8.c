/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "core/utf8.h"

TEST(a_text_that_was_cut_anywhere_ends_with_its_last_whole_character) {
        static const char text[] = "aü€😀z";
        static const char *const expected[] = {
                "", "a", "a", "aü", "aü", "aü", "aü€", "aü€", "aü€", "aü€", "aü€😀", text
        };

        for (size_t n = 0; n < sizeof text; n++) {
                char cut[sizeof text] = "";

                memcpy(cut, text, n);
                utf8_drop_broken_end(cut);
                ASSERT_STREQ(cut, expected[n]);
        }
}

TEST(what_is_no_utf8_elsewhere_is_left_alone) {
        char stray[] = "a\x80", early[] = "\xc3(";

        utf8_drop_broken_end(stray);
        utf8_drop_broken_end(early);
        ASSERT_STREQ(stray, "a\x80");
        ASSERT_STREQ(early, "\xc3(");
}
