/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A terminal's whole screen, for as long as we have it: the alternate one, without cursor, line wrapping or echo. What
 * was there before is there again after terminal_screen_leave(). Only lines that differ are sent. */

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

typedef struct TerminalScreen {
        int in_fd, out_fd;
        struct termios before; /* as it was when we came */
        bool entered;
        char **lines; /* as shown; NULL: nothing is known of what is shown */
        size_t n_lines;
} TerminalScreen;

/* Both must be terminals. Negative errno; then the terminal is as it was. */
int terminal_screen_enter(TerminalScreen *s, int in_fd, int out_fd);
/* May be called twice, and before enter on a screen of zeros. */
void terminal_screen_leave(TerminalScreen *s);

/* Somebody else may have written there: the next drawing sends all lines. */
void terminal_screen_forget(TerminalScreen *s);

/* Shows `lines`, as many as the terminal has rows, each no wider than it. They become the screen's. Negative errno when
 * the terminal takes nothing any more. */
int terminal_screen_draw(TerminalScreen *s, char **lines, size_t n);
