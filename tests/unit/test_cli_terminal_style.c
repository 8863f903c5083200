/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "cli/terminal_style.h"

static bool colored(bool is_terminal, const char *systemd_colors, const char *no_color, const char *term) {
        return terminal_style_wants_color(&(ColorFacts){
                .is_terminal = is_terminal, .systemd_colors = systemd_colors, .no_color = no_color, .term = term });
}

TEST(colours_are_for_terminals) {
        ASSERT(colored(true, NULL, NULL, "xterm"));
        ASSERT(!colored(false, NULL, NULL, "xterm"));
        ASSERT(!colored(true, NULL, NULL, "dumb"));
        ASSERT(!colored(true, NULL, NULL, NULL));
}

TEST(no_color_counts_unless_it_is_empty) {
        ASSERT(!colored(true, NULL, "1", "xterm"));
        ASSERT(!colored(true, NULL, "0", "xterm"));
        ASSERT(colored(true, NULL, "", "xterm"));
}

TEST(systemd_colors_comes_before_no_color_and_can_force) {
        ASSERT(colored(false, "1", "1", "dumb"));
        ASSERT(colored(false, "16", NULL, NULL));
        ASSERT(!colored(true, "0", NULL, "xterm"));
        ASSERT(!colored(true, "False", NULL, "xterm"));
        ASSERT(!colored(false, "auto-256", NULL, "xterm"));
        ASSERT(colored(true, "auto-256", NULL, "xterm"));
        ASSERT(!colored(true, "auto-256", "1", "xterm"));
}

TEST(no_color_the_option_comes_first) {
        ASSERT(!terminal_style_wants_color(
                &(ColorFacts){ .is_terminal = true, .refused = true, .systemd_colors = "1", .term = "xterm" }));
}

TEST(ascii_signs_are_ascii_and_tell_the_states_apart_as_the_others_do) {
        TerminalStyle ascii = { 0 }, utf8 = { .utf8 = true };

        for (int i = 0; i < _SERVICE_STATE_MAX; i++) {
                const char *a = terminal_style_sign(&ascii, (ServiceState) i);

                ASSERT(a[0] > 0x20 && a[0] < 0x7f && !a[1]);
                for (int j = 0; j < _SERVICE_STATE_MAX; j++)
                        ASSERT_EQ(strcmp(a, terminal_style_sign(&ascii, (ServiceState) j)) == 0,
                                  strcmp(terminal_style_sign(&utf8, (ServiceState) i),
                                         terminal_style_sign(&utf8, (ServiceState) j)) == 0);
        }
}

TEST(without_colours_there_is_no_escape_sequence) {
        TerminalStyle style = { .utf8 = true };

        for (int i = 0; i < _SERVICE_STATE_MAX; i++)
                ASSERT_STREQ(terminal_style_color(&style, (ServiceState) i), "");
        ASSERT_STREQ(terminal_style_plain(&style), "");
}

TEST(a_file_is_no_terminal_and_has_no_width) {
        FILE *f = tmpfile();
        TerminalStyle style;

        unsetenv("SYSTEMD_COLORS");
        style = terminal_style_detect(f, false);
        fclose(f);
        ASSERT(!style.is_terminal && !style.color);
        ASSERT_EQ(style.width, 0);
}
