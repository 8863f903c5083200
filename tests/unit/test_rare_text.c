/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/rare_text.h"

TEST(none_is_the_empty_text_and_takes_nothing) {
        RareText t = { 0 };

        ASSERT_STREQ(rare_text_get(&t), "");
        rare_text_set(&t, "");
        ASSERT(!t.words);
        rare_text_done(&t);
        ASSERT_STREQ(rare_text_get(&t), "");
}

TEST(it_is_what_was_said_last) {
        RareText t = { 0 };
        char words[] = "refused";

        rare_text_set(&t, words);
        words[0] = '!';
        ASSERT_STREQ(rare_text_get(&t), "refused");
        rare_text_set(&t, "timed out");
        ASSERT_STREQ(rare_text_get(&t), "timed out");
        rare_text_set(&t, rare_text_get(&t)); /* itself */
        ASSERT_STREQ(rare_text_get(&t), "timed out");
        rare_text_set(&t, "");
        ASSERT(!t.words);
}

TEST(the_same_words_again_take_no_new_memory) {
        RareText t = { 0 };
        const char *before;

        rare_text_set(&t, "status 502");
        before = t.words;
        rare_text_set(&t, "status 502");
        ASSERT(t.words == before);
        rare_text_done(&t);
}
