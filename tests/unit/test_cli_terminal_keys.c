/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "cli/terminal_keys.h"

/* All keys of `bytes` as "key key "; "..." where it has to wait for more. */
static const char *keys_of(const char *bytes, bool is_all) {
        static char text[256];
        size_t n = strlen(bytes), taken = 0, step, length = 0;
        TerminalKey key;

        text[0] = '\0';
        while (taken < n && (step = terminal_keys_decode(bytes + taken, n - taken, is_all, &key)) > 0) {
                taken += step;
                if (key > 0x20 && key < 0x7f)
                        length += (size_t) snprintf(text + length, sizeof text - length, "%c ", (int) key);
                else
                        length += (size_t) snprintf(text + length, sizeof text - length, "%x ", (unsigned) key);
        }
        if (taken < n)
                (void) snprintf(text + length, sizeof text - length, "...");
        return text;
}

TEST(printable_characters_are_themselves) {
        ASSERT_STREQ(keys_of("jk/G", false), "j k / G ");
        ASSERT_STREQ(keys_of("\r\n\177\b", false), "d d 8 8 ");
}

TEST(both_forms_of_the_arrows_are_understood) {
        ASSERT_STREQ(keys_of("\033[A\033[B\033OA\033OB", false), "100 101 100 101 ");
        ASSERT_STREQ(keys_of("\033[5~\033[6~\033[H\033OF\033[1~\033[4~", false), "104 105 106 107 106 107 ");
        ASSERT_STREQ(keys_of("\033[1;5A", false), "100 "); /* with Ctrl */
}

TEST(a_key_that_is_cut_in_two_is_waited_for) {
        ASSERT_STREQ(keys_of("\033", false), "...");
        ASSERT_STREQ(keys_of("\033[", false), "...");
        ASSERT_STREQ(keys_of("\033[5", false), "...");
        ASSERT_STREQ(keys_of("x\033O", false), "x ...");
}

TEST(an_escape_that_nothing_follows_is_a_key) {
        ASSERT_STREQ(keys_of("\033", true), "1b ");
        ASSERT_STREQ(keys_of("\033[5", true), "0 ");
}

TEST(what_is_not_known_is_swallowed_whole) {
        ASSERT_STREQ(keys_of("\033[200~\033[?25h\033xq", false), "0 0 0 q ");
        ASSERT_STREQ(keys_of("\303\251\001q", false), "0 0 0 q ");
}

TEST(any_bytes_whatever_are_consumed_in_the_end) {
        unsigned seed = 1;

        for (int round = 0; round < 20000; round++) {
                char bytes[16];
                size_t n = 1 + (size_t) rand_r(&seed) % sizeof bytes, taken = 0;
                TerminalKey key;

                for (size_t i = 0; i < n; i++)
                        bytes[i] = "\033[O;5~Aq\377 1"[(size_t) rand_r(&seed) % 11];
                while (taken < n) {
                        size_t step = terminal_keys_decode(bytes + taken, n - taken, true, &key);

                        ASSERT(step > 0 && taken + step <= n);
                        taken += step;
                }
        }
}
