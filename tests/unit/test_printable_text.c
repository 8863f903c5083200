/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "core/printable_text.h"

static const char *printable(const char *text, size_t size) {
        static char buffer[256];

        printable_text(text, strlen(text), buffer, size);
        return buffer;
}

TEST(text_is_left_as_it_is) {
        ASSERT_STREQ(printable("", 16), "");
        ASSERT_STREQ(printable("python3 -m http.server", 64), "python3 -m http.server");
        ASSERT_STREQ(printable("grüße €😀", 64), "grüße €😀");
}

TEST(what_could_confuse_a_terminal_becomes_a_question_mark) {
        ASSERT_STREQ(printable("a\033[2J\nb\tc\x7f", 64), "a?[2J?b?c?");
        ASSERT_STREQ(printable("a\xc2\x9b"
                               "31m",
                               64),
                     "a?31m"); /* U+009B */
        ASSERT_STREQ(printable("a\xe2\x80\xae"
                               "b",
                               64),
                     "a?b");                                             /* U+202E: from right to left */
        ASSERT_STREQ(printable("a\xe2\x81\xa6\xef\xbb\xbf", 64), "a??"); /* U+2066, U+FEFF */
}

TEST(bytes_that_are_no_characters_become_question_marks) {
        ASSERT_STREQ(printable("a\xff\xc3", 64), "a??");
        ASSERT_STREQ(printable("\xc0\x80\xed\xa0\x80", 64), "?????");
}

/* U+FDD0, U+FFFE, U+1FFFE: UTF-8, and refused by sd-bus all the same. */
TEST(noncharacters_become_question_marks) {
        ASSERT_STREQ(printable("a\xef\xb7\x90 \xef\xbf\xbe \xf0\x9f\xbf\xbe", 64), "a? ? ?");
}

TEST(what_does_not_fit_is_cut_between_characters) {
        ASSERT_STREQ(printable("abcdef", 7), "abcdef");
        ASSERT_STREQ(printable("abcdefg", 7), "abc…");
        ASSERT_STREQ(printable("abüüüü", 7), "ab…");
        ASSERT_STREQ(printable("üüüüüü", 8), "üü…");
        ASSERT_STREQ(printable("abcd", 4), "…");
        ASSERT_STREQ(printable("abc", 4), "abc");
}
