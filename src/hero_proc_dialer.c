/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* hero_proc_dialer: makes the connections of probes to TCP ports, for the server, which has no network. All that it can
 * be asked for is a port on loopback. It parses nothing: the server alone talks to who is at the other end. */

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/outcome.h"
#include "boundary/errand.h"
#include "boundary/port_connection.h"

static int help(void) {
        printf("hero_proc_dialer\n"
               "\n"
               "Connects to ports of this machine for hero_proc_server, which has no network. Started by systemd.\n"
               "Standard input is the socket of hero_proc-dialer.socket.\n"
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
                printf("hero_proc_dialer %s\n", HERO_PROC_VERSION);
                return EX_DONE;
        }
        if (c >= 0 || optind < argc)
                return EX_BAD_USAGE;
        log_error("cannot take questions from standard input: %s",
                  strerror(-errand_serve(STDIN_FILENO, port_connection_serve)));
        return EX_FAILED;
}
