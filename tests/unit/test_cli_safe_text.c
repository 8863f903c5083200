/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/cleanup.h"
#include "cli/safe_text.h"

#define ASSERT_SAFE(text, utf8, lines, expected)                                     \
        do {                                                                         \
                char *_safe _cleanup_free_ = safe_text_dup((text), (utf8), (lines)); \
                ASSERT_STREQ(_safe, (expected));                                     \
        } while (0)

TEST(plain_text_stays_as_it_is) {
        ASSERT_SAFE("connection refused", true, false, "connection refused");
        ASSERT_SAFE("Überraschung ✗", true, false, "Überraschung ✗");
        ASSERT_SAFE("", true, false, "");
}

TEST(no_control_character_reaches_the_terminal) {
        char text[3] = { 0 };

        ASSERT_SAFE("\033]0;owned\a\r\n", true, false, "\\x1b]0;owned\\x07\\x0d\\x0a");
        ASSERT_SAFE("a\302\233 31m", true, false, "a\\x9b 31m");
        ASSERT_SAFE("a\nb\tc", true, true, "a\nb\\x09c");
        for (int c = 1; c < 0x100; c++) {
                text[0] = (char) c;
                char *safe _cleanup_free_ = safe_text_dup(text, false, false);
                for (char *p = safe; *p; p++)
                        ASSERT(*p >= 0x20 && *p < 0x7f);
        }
}

TEST(without_utf8_each_foreign_character_is_one_question_mark) {
        ASSERT_SAFE("caf\303\251 \342\234\227!", false, false, "caf? ?!");
}

TEST(bytes_that_are_no_characters_are_question_marks) {
        ASSERT_SAFE("\2331m\374", true, false, "?1m?");
        ASSERT_SAFE("x\302", true, false, "x?"); /* and is not read beyond */
}

TEST(every_string_below_a_json_value_is_made_safe) {
        struct json_object *json = json_tokener_parse("[{\"a\":[\"\\u001b[31m\",7,null]},\"\\u0007\"]");

        ASSERT_EQ(safe_text_json(json, true), 0);
        ASSERT_STREQ(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN),
                     "[{\"a\":[\"\\\\x1b[31m\",7,null]},\"\\\\x07\"]");
        json_object_put(json);
}
