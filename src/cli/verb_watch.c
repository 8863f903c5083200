/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/outcome.h"
#include "cli/verbs.h"
#include "cli/watch_board.h"
#include "cli/watch_lines.h"

/* A board takes a screen to draw on and keys to leave it by. */
static bool has_screen(const Session *s) {
        const char *term = getenv("TERM");

        return s->line->json == JSON_OFF && s->out_style.is_terminal && isatty(STDIN_FILENO) && term && *term &&
               strcmp(term, "dumb") != 0;
}

int verb_watch_run(Session *s) {
        int code = session_connect(s);

        if (code != EX_DONE)
                return code;
        return has_screen(s) ? watch_board_run(s) : watch_lines_run(s);
}
