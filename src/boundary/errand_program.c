/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/errand_program.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/outcome.h"
#include "boundary/errand.h"

static int help(const ErrandProgram *program) {
        printf("%s\n"
               "\n"
               "%s Started by systemd.\n"
               "Standard input is the socket of %s.\n"
               "\n"
               "  -h, --help         this text\n"
               "  --version          the version\n",
               program->name, program->purpose, program->socket_unit);
        return EX_DONE;
}

int errand_program_main(const ErrandProgram *program, int argc, char **argv) {
        enum { OPT_VERSION = 256 };
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPT_VERSION },
                {},
        };
        int c = getopt_long(argc, argv, "h", options, NULL);

        if (c == 'h')
                return help(program);
        if (c == OPT_VERSION) {
                printf("%s %s\n", program->name, HERO_PROC_VERSION);
                return EX_DONE;
        }
        if (c >= 0 || optind < argc)
                return EX_BAD_USAGE;
        log_error("cannot take questions from standard input: %s", strerror(-errand_serve(STDIN_FILENO, program->run)));
        return EX_FAILED;
}
