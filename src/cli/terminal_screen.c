/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/terminal_screen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text_stream.h"

/* Alternate screen, no cursor, no wrapping: xterm's sequences, which every terminal of this century knows. The keypad
 * stays as it is: both forms of its keys are understood. */
#define ENTER "\033[?1049h\033[?25l\033[?7l\033[0m\033[H\033[2J"
#define LEAVE "\033[0m\033[?7h\033[?25h\033[?1049l"

static int write_all(int fd, const char *bytes, size_t n) {
        while (n > 0) {
                ssize_t written = write(fd, bytes, n);

                if (written < 0 && errno != EINTR)
                        return -errno;
                if (written > 0) {
                        bytes += written;
                        n -= (size_t) written;
                }
        }
        return 0;
}

void terminal_screen_forget(TerminalScreen *s) {
        for (size_t i = 0; i < s->n_lines; i++)
                free(s->lines[i]);
        free(s->lines);
        s->lines = NULL;
        s->n_lines = 0;
}

int terminal_screen_enter(TerminalScreen *s, int in_fd, int out_fd) {
        struct termios raw;
        int r;

        *s = (TerminalScreen){ .in_fd = in_fd, .out_fd = out_fd };
        if (tcgetattr(in_fd, &s->before) < 0)
                return -errno;
        raw = s->before;
        /* Keys one by one and unseen. Ctrl-C and Ctrl-Z stay signals, which are handled; Ctrl-S must not freeze a board
         * that is believed to be live. */
        raw.c_lflag &= ~(tcflag_t) (ICANON | ECHO);
        raw.c_iflag &= ~(tcflag_t) (IXON | ICRNL);
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        if (tcsetattr(in_fd, TCSADRAIN, &raw) < 0)
                return -errno;
        s->entered = true;
        r = write_all(out_fd, ENTER, strlen(ENTER));
        if (r < 0)
                terminal_screen_leave(s);
        return r;
}

void terminal_screen_leave(TerminalScreen *s) {
        terminal_screen_forget(s);
        if (!s->entered)
                return;
        s->entered = false;
        (void) write_all(s->out_fd, LEAVE, strlen(LEAVE));
        /* Keys that nobody has read were meant for us, and not for the shell. */
        (void) tcsetattr(s->in_fd, TCSAFLUSH, &s->before);
}

static bool is_shown(const TerminalScreen *s, size_t i, const char *line) {
        return s->lines && i < s->n_lines && strcmp(s->lines[i], line) == 0;
}

int terminal_screen_draw(TerminalScreen *s, char **lines, size_t n) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *f = text_stream_open(&text, &size);
        int r = f ? 0 : -ENOMEM;

        if (f && s->n_lines != n)
                fputs("\033[H\033[2J", f);
        for (size_t i = 0; f && i < n; i++)
                if (s->n_lines != n || !is_shown(s, i, lines[i]))
                        /* Erased before it is written: behind a full line the cursor stands on its last character. */
                        fprintf(f, "\033[%zu;1H\033[2K%s\033[0m", i + 1, lines[i]);
        if (f && fclose(f) != 0)
                r = -ENOMEM;
        if (r == 0)
                r = write_all(s->out_fd, text, size);
        terminal_screen_forget(s);
        s->lines = lines;
        s->n_lines = n;
        return r;
}
