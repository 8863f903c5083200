/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <locale.h>

#include "base/cleanup.h"
#include "cli/progress_block.h"

static const TerminalStyle plain = { .width = 40 };

static const ProgressItem items[] = {
        { "hero_os", "", SERVICE_RUNNING, true },
        { "hero_db", "hero_net has to run first", SERVICE_STARTING, false },
        { "hero_ui", "", SERVICE_FAILED, false },
        { "hero_zz", "", SERVICE_STATE_INVALID, false },
};

#define ASSERT_TEXT(columns, rows, head, n, expected)                                                    \
        do {                                                                                             \
                _cleanup_free_ char *_text = progress_block_text(&plain, columns, rows, head, items, n); \
                ASSERT_STREQ(_text, expected);                                                           \
        } while (0)

TEST(what_is_awaited_is_a_line_each_with_its_reason) {
        ASSERT_TEXT(80, 10, "Waiting for running: 1 of 4", 4,
                    "Waiting for running: 1 of 4\n"
                    "~ hero_db: starting: hero_net has to run first\n"
                    "x hero_ui: failed\n"
                    "? hero_zz: not there\n");
}

TEST(a_single_one_needs_no_head) {
        _cleanup_free_ char *text = progress_block_text(&plain, 80, 10, "start: 0 of 1 done", &items[1], 1);

        ASSERT_STREQ(text, "~ hero_db: starting: hero_net has to run first\n");
}

TEST(no_line_is_wider_and_no_block_higher_than_the_terminal) {
        ASSERT_TEXT(16, 10, "Waiting for running: 1 of 4", 4,
                    "Waiting for run>\n~ hero_db: star>\nx hero_ui: fail>\n? hero_zz: not >\n");
        ASSERT_TEXT(80, 3, "head", 4, "head\n~ hero_db: starting: hero_net has to run first\n  and 2 more\n");
        ASSERT_TEXT(80, 1, "head", 4, "  and 3 more\n");
        ASSERT_TEXT(80, 4, "head", 4,
                    "head\n~ hero_db: starting: hero_net has to run first\nx hero_ui: failed\n? hero_zz: not there\n");
}

TEST(it_is_drawn_over_itself_and_leaves_nothing) {
        char *text _cleanup_free_ = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        ProgressBlock block = { .f = f, .style = &plain };
        ProgressItem two[] = { { "a", "", SERVICE_STARTING, false }, { "b", "", SERVICE_STARTING, false } };

        progress_block_clear(&block);
        progress_block_draw(&block, "head", two, 2);
        progress_block_draw(&block, "head", two, 2); /* nothing new */
        two[0].done = true;
        progress_block_draw(&block, "head", two, 2);
        progress_block_clear(&block);
        progress_block_clear(&block);
        fclose(f);
        ASSERT_STREQ(text, "head\033[K\n~ a: starting\033[K\n~ b: starting\033[K\n\033[J"
                           "\033[3A\rhead\033[K\n~ b: starting\033[K\n\033[J"
                           "\033[2A\r\033[J");
}

TEST(progress_is_for_terminals_that_can_go_back) {
        ASSERT(progress_block_wanted(&(TerminalStyle){ .is_terminal = true }, "xterm"));
        ASSERT(!progress_block_wanted(&(TerminalStyle){ .is_terminal = true }, "dumb"));
        ASSERT(!progress_block_wanted(&(TerminalStyle){ .is_terminal = true }, NULL));
        ASSERT(!progress_block_wanted(&(TerminalStyle){ 0 }, "xterm"));
}
