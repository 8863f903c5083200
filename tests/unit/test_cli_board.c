/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <locale.h>
#include <time.h>

#include "base/cleanup.h"
#include "cli/board.h"
#include "cli/terminal_line.h"

/* Sat 2025-11-22 10:00:00 UTC */
#define NOW UINT64_C(1763805600000000)
#define AGO(seconds) (NOW - (seconds) *UINT64_C(1000000))

static const TerminalStyle utf8 = { .utf8 = true }, ascii = { 0 }, colors = { .utf8 = true, .color = true };

static ViewedReason reasons[] = {
        { (char *) "probe-failed", (char *) "files", (char *) "files: empty reply (3 times in a row)" },
        { (char *) "probe-failed", (char *) "x",
          (char *) "\033[2J\342\200\256\346\274\242\345\255\227 looks harmless" },
};

static ViewedService services[] = {
        { .name = (char *) "hero_agent", .state = SERVICE_RUNNING, .since_usec = AGO(7200) },
        { .name = (char *) "hero_books",
          .state = SERVICE_FAILED,
          .since_usec = NOW,
          .reasons = &reasons[0],
          .n_reasons = 1 },
        { .name = (char *) "hero_a_name_that_is_as_long_as_any_name_may_ever_be_and_not_less",
          .state = SERVICE_DEGRADED,
          .since_usec = AGO(180),
          .reasons = &reasons[1],
          .n_reasons = 1 },
        { .name = (char *) "down", .state = SERVICE_STOPPED },
        { .name = (char *) "also_failed", .state = SERVICE_FAILED, .since_usec = AGO(3) },
};

enum { N = sizeof services / sizeof services[0] };

static BoardRow rows[N];

static Board board_of_all(void) {
        Board b = { .where = "", .filter = "", .rows = rows, .n_rows = N, .n_services = N, .now_usec = NOW };

        (void) setlocale(LC_CTYPE, "C.UTF-8");
        (void) setenv("TZ", "UTC", 1);
        tzset();
        for (size_t i = 0; i < N; i++) {
                rows[i] = (BoardRow){ &services[i], UINT64_MAX, UINT32_MAX };
                b.counts[services[i].state]++;
        }
        board_sort(rows, N);
        return b;
}

static char *joined(const Board *b, const TerminalStyle *style, size_t n_rows, size_t columns) {
        char **lines = board_lines(b, style, n_rows, columns), *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        for (size_t i = 0; i < n_rows; i++)
                fprintf(f, "%s\n", lines[i]);
        fclose(f);
        board_free_lines(lines, n_rows);
        return text;
}

TEST(the_worst_comes_first_and_the_counts_stand_above) {
        Board b = board_of_all();
        _cleanup_free_ char *text = NULL;

        rows[3].memory_bytes = 22439526;
        rows[3].cpu_tenths = 3;
        b.selected = 1;
        text = joined(&b, &utf8, 9, 80);
        ASSERT_STREQ(text, "5 services: 2 failed, 1 degraded, 1 running, 1 stopped                  10:00:00\n"
                           " STATE        NAME                  SINCE   MEM   CPU  REASON\n"
                           " ✗ failed     also_failed              3s     -     -  \n"
                           ">✗ failed     hero_books              now     -     -  files: empty reply (3 ti…\n"
                           " ◐ degraded   hero_a_name_that_is…   3min     -     -  \\x1b[2J\\u202e漢字 looks …\n"
                           " ● running    hero_agent               2h 21.3M  0.3%  \n"
                           " ○ stopped    down                      -     -     -  \n"
                           "\n"
                           "q quit  Enter why  / filter  r redraw\n");
}

TEST(no_line_is_wider_than_the_screen_and_there_are_as_many_as_it_has_rows) {
        Board b = board_of_all();
        const TerminalStyle *styles[] = { &utf8, &ascii, &colors };

        for (size_t s = 0; s < 2; s++)
                for (size_t n_rows = 1; n_rows < 14; n_rows++)
                        for (size_t columns = 1; columns < 140; columns++) {
                                char **lines;

                                b.filter_is_typed = columns % 2;
                                b.filter = columns % 3 ? "a" : "";
                                b.trouble = columns % 5 ? NULL : "hero_proc_server is not running";
                                b.top = board_scroll(b.top, b.selected, N, board_room(n_rows));
                                lines = board_lines(&b, styles[s], n_rows, columns);
                                for (size_t i = 0; i < n_rows; i++)
                                        if (!lines[i] || terminal_line_columns(lines[i], styles[s]) > columns)
                                                FAIL("%zux%zu, line %zu: %s", columns, n_rows, i, lines[i]);
                                ASSERT(!lines[n_rows]);
                                board_free_lines(lines, n_rows);
                        }
}

TEST(a_narrow_screen_shows_less_of_each_and_still_each) {
        Board b = board_of_all();
        _cleanup_free_ char *middle = joined(&b, &ascii, 7, 45), *narrow = NULL, *low = NULL;

        ASSERT_STREQ(middle, "5 services: 2 failed, 1 degraded, 1 running, \n"
                             " STATE        NAME         SINCE  REASON\n"
                             ">x failed     also_failed     3s  \n"
                             " x failed     hero_books     now  files: emp>\n"
                             " ! degraded   hero_a_nam>   3min  \\x1b[2J?\?\?>\n"
                             " * running    hero_agent      2h  \n"
                             "q quit  Enter why  / filter  r redraw\n");
        narrow = joined(&b, &ascii, 3, 20);
        ASSERT_STREQ(narrow, "5 services: 2 failed\n>x also_failed\n x hero_books\n");
        low = joined(&b, &ascii, 1, 20);
        ASSERT_STREQ(low, "5 services: 2 failed\n");
}

TEST(while_nothing_is_known_the_head_says_so_and_counts_nothing) {
        Board b = board_of_all();
        _cleanup_free_ char *text = NULL;

        b.trouble = "hero_proc_server is not running: nothing is known of 5 services";
        b.where = "user";
        text = joined(&b, &ascii, 1, 100);
        ASSERT(strncmp(text, "user  ? hero_proc_server is not running: nothing is known of 5 services  ", 70) == 0);
        ASSERT(!strstr(text, "running,"));
}

TEST(only_running_is_green) {
        Board b = board_of_all();
        _cleanup_free_ char *text = NULL;

        b.selected = 4;
        text = joined(&b, &colors, 9, 80);
        ASSERT(strstr(text, "\033[0;32m● running"));
        for (const char *green = text; (green = strstr(green, "\033[0;32m")); green++)
                ASSERT(strncmp(green + strlen("\033[0;32m"), "● running", strlen("● running")) == 0 ||
                       strncmp(green + strlen("\033[0;32m"), "1 running", strlen("1 running")) == 0);
}

TEST(a_filter_looks_at_name_state_and_reason_in_either_case) {
        ASSERT(board_filter_matches(&services[1], ""));
        ASSERT(board_filter_matches(&services[1], "BOOK"));
        ASSERT(board_filter_matches(&services[1], "fail"));
        ASSERT(board_filter_matches(&services[1], "empty"));
        ASSERT(!board_filter_matches(&services[1], "agent"));
}

TEST(the_selected_row_is_always_seen_and_no_room_is_wasted) {
        for (size_t n = 0; n < 12; n++)
                for (size_t room = 1; room < 12; room++)
                        for (size_t top = 0; top < 14; top++)
                                for (size_t selected = 0; selected < n; selected++) {
                                        size_t t = board_scroll(top, selected, n, room);

                                        ASSERT(t <= selected && selected < t + room);
                                        ASSERT(n <= room ? t == 0 : t + room <= n);
                                }
        ASSERT_EQ(board_scroll(3, 0, 0, 5), 0);
        ASSERT_EQ(board_scroll(3, 5, 9, 0), 3); /* a screen without room for any */
        ASSERT_EQ(board_scroll(3, 5, 20, 5), 3);
}

TEST(a_text_is_broken_to_the_width_and_scrolled_within_bounds) {
        size_t top = 0;
        char **lines;

        (void) setlocale(LC_CTYPE, "C.UTF-8");
        lines = board_text_lines("Why", "one two three\n\nfourfivesix\nlast", &ascii, 6, 10, &top);
        ASSERT_STREQ(lines[0], "Why");
        ASSERT_STREQ(lines[1], "one two ");
        ASSERT_STREQ(lines[2], "three");
        ASSERT_STREQ(lines[3], "");
        ASSERT_STREQ(lines[4], "fourfivesi");
        ASSERT_STREQ(lines[5], "q back  j>");
        board_free_lines(lines, 6);
        top = 1000;
        lines = board_text_lines("Why", "one two three\n\nfourfivesix\nlast", &ascii, 6, 10, &top);
        ASSERT_EQ(top, 2);
        ASSERT_STREQ(lines[4], "last");
        board_free_lines(lines, 6);
        for (size_t n_rows = 1; n_rows < 5; n_rows++)
                for (size_t columns = 1; columns < 30; columns++) {
                        lines = board_text_lines("Why hero_books", "\346\274\242\345\255\227 a\033b\n\n", &utf8, n_rows,
                                                 columns, &top);
                        for (size_t i = 0; i < n_rows; i++)
                                ASSERT(lines[i] && terminal_line_columns(lines[i], &utf8) <= columns);
                        board_free_lines(lines, n_rows);
                }
}
