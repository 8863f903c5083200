/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <locale.h>

#include "base/cleanup.h"
#include "cli/terminal_line.h"

static const TerminalStyle utf8 = { .utf8 = true }, ascii = { 0 }, colors = { .utf8 = true, .color = true };

static char *line_of(const TerminalStyle *style, size_t width, const char *text) {
        TerminalLine l;

        (void) setlocale(LC_CTYPE, "C.UTF-8");
        terminal_line_begin(&l, style, width);
        terminal_line_add(&l, text);
        return terminal_line_end(&l);
}

#define ASSERT_LINE(style, width, text, expected)                           \
        do {                                                                \
                _cleanup_free_ char *_line = line_of(style, width, (text)); \
                ASSERT_STREQ(_line, (expected));                            \
        } while (0)

TEST(a_line_that_fits_stays_as_it_is) {
        ASSERT_LINE(&utf8, 5, "hello", "hello");
        ASSERT_LINE(&utf8, 5, "", "");
        ASSERT_LINE(&utf8, 5, "h\303\251llo", "h\303\251llo");
}

TEST(a_line_that_does_not_fit_is_cut_and_says_so) {
        ASSERT_LINE(&utf8, 4, "hello", "hel…");
        ASSERT_LINE(&ascii, 4, "hello", "hel>");
        ASSERT_LINE(&utf8, 1, "hello", "…");
        ASSERT_LINE(&utf8, 0, "hello", "");
}

TEST(wide_and_combining_characters_are_counted_as_they_are_shown) {
        ASSERT_LINE(&utf8, 4, "\346\274\242\345\255\227", "\346\274\242\345\255\227"); /* two of two columns each */
        ASSERT_LINE(&utf8, 3, "\346\274\242\345\255\227", "\346\274\242…");
        ASSERT_LINE(&utf8, 2, "\346\274\242\345\255\227", "…"); /* half of one is none */
        ASSERT_LINE(&utf8, 1, "e\314\201", "e\314\201");        /* e and its accent */
        ASSERT_EQ(terminal_line_columns("\346\274\242e\314\201", &utf8), 3);
        ASSERT_EQ(terminal_line_columns("caf\303\251", &ascii), 4);
}

TEST(what_would_move_the_cursor_is_made_harmless_and_counted) {
        ASSERT_LINE(&utf8, 80, "a\033[2Jb\nc\t", "a\\x1b[2Jb\\x0ac\\x09");
        ASSERT_LINE(&utf8, 80, "\342\200\256txt.exe", "\\u202etxt.exe");
        ASSERT_LINE(&utf8, 80, "\342\201\246a\342\200\250b\330\234c", "\\u2066a\\u2028b\\u061cc");
        ASSERT_EQ(terminal_line_columns("\033", &utf8), 4);
        ASSERT_LINE(&utf8, 4, "\033xyz", "\\x1…");
}

TEST(bytes_that_are_no_character_are_question_marks) {
        ASSERT_LINE(&utf8, 9, "a\377b\342\202", "a?b??");
        ASSERT_LINE(&utf8, 9, "a\315\270b", "a?b"); /* U+0378, which nobody is */
}

TEST(cells_are_filled_up_or_cut_to_their_width) {
        TerminalLine l;
        char *line;

        (void) setlocale(LC_CTYPE, "C.UTF-8");
        terminal_line_begin(&l, &utf8, 20);
        terminal_line_add_cell(&l, "ab", 4, false);
        terminal_line_add_cell(&l, "cd", 4, true);
        terminal_line_add_cell(&l, "efghij", 4, false);
        terminal_line_add_cell(&l, "klmnop", 4, true);
        terminal_line_add(&l, "qrstuvw");
        line = terminal_line_end(&l);
        ASSERT_STREQ(line, "ab    cdefg…klm…qrs…");
        ASSERT_EQ(terminal_line_columns(line, &utf8), 20);
        free(line);
}

TEST(no_cell_goes_beyond_the_line) {
        (void) setlocale(LC_CTYPE, "C.UTF-8");
        for (size_t width = 0; width < 12; width++)
                for (int right = 0; right < 2; right++) {
                        TerminalLine l;
                        char *line;

                        terminal_line_begin(&l, &utf8, width);
                        for (size_t i = 0; i < 3; i++)
                                terminal_line_add_cell(&l, i == 1 ? "\346\274\242\345\255\227" : "abc", 5, right != 0);
                        line = terminal_line_end(&l);
                        ASSERT(terminal_line_columns(line, &utf8) <= width);
                        free(line);
                }
}

TEST(colours_take_no_columns_and_end_with_the_line) {
        TerminalLine l;
        char *line;

        terminal_line_begin(&l, &colors, 3);
        terminal_line_add_style(&l, "\033[0;32m");
        terminal_line_add(&l, "abcd");
        line = terminal_line_end(&l);
        ASSERT_STREQ(line, "\033[0;32mab…\033[0m");
        free(line);
        terminal_line_begin(&l, &ascii, 3);
        terminal_line_add_style(&l, terminal_style_color(&ascii, SERVICE_RUNNING));
        terminal_line_add(&l, "ab");
        line = terminal_line_end(&l);
        ASSERT_STREQ(line, "ab");
        free(line);
}
