/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hero_proc(1): the command line. It asks the server over D-Bus, prints what it says, and turns it into an exit code.
 * What it can do stands in cli/verb_table.c. Must not open the database, and must not judge a service itself. */

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/outcome.h"
#include "cli/completion.h"
#include "cli/session.h"

static int run(const CommandLine *line) {
        _cleanup_(session_done) Session session = {
                .line = line,
                .out = stdout,
                .err = stderr,
                .out_style = terminal_style_detect(stdout, line->no_color),
                .err_style = terminal_style_detect(stderr, line->no_color),
        };

        return line->verb->run(&session);
}

static int complete(char **words, size_t n) {
        if (completion_run(stdout, words, n) == 0)
                return EX_DONE;
        fputs("hero_proc: out of memory\n", stderr);
        return EX_FAILED;
}

static int parse_and_run(int argc, char **argv) {
        CommandLine line;
        int r;

        /* Characters only: numbers and sorting are the same everywhere. */
        (void) setlocale(LC_CTYPE, "");

        r = command_line_parse(argc, argv, stdout, stderr, &line);
        if (r < 0)
                return EX_BAD_USAGE;
        return r > 0 ? EX_DONE : run(&line);
}

int main(int argc, char **argv) {
        /* Only the shells' files for completion say this. */
        bool completes = argc > 2 && strcmp(argv[1], "--complete") == 0 && strcmp(argv[2], "--") == 0;
        int r = completes ? complete(argv + 3, (size_t) argc - 3) : parse_and_run(argc, argv);

        /* A result that did not reach the disk or the pipe is none. */
        if (fflush(stdout) != 0 || ferror(stdout)) {
                fprintf(stderr, "hero_proc: cannot write the result: %s\n", strerror(errno));
                return r == EX_DONE ? EX_FAILED : r;
        }
        return r;
}
