/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* hero_proc_hands: gives the folders of services to their users, and ends processes where a definition says
 * kill_others, for the server, which has no capability for either. What it is to be done to comes as a descriptor that
 * the server has opened. */

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/outcome.h"
#include "boundary/errand.h"
#include "boundary/hands_work.h"

static int help(void) {
        printf("hero_proc_hands\n"
               "\n"
               "Owns folders and ends processes for hero_proc_server, which may not. Started by systemd.\n"
               "Standard input is the socket of hero_proc-hands.socket.\n"
               "\n"
               "  -h, --help         this text\n"
               "  --version          the version\n");
        return EX_DONE;
}

int main(int argc, char **argv) {
        enum { OPT_VERSION = 256 };
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPT_VERSION },
                {},
        };
        int c = getopt_long(argc, argv, "h", options, NULL);

        if (c == 'h')
                return help();
        if (c == OPT_VERSION) {
                printf("hero_proc_hands %s\n", HERO_PROC_VERSION);
                return EX_DONE;
        }
        if (c >= 0 || optind < argc)
                return EX_BAD_USAGE;
        log_error("cannot take questions from standard input: %s", strerror(-errand_serve(STDIN_FILENO, hands_serve)));
        return EX_FAILED;
}
