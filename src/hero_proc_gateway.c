/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* hero_proc_gateway: HTTP over the sockets that systemd holds, translated to hero_proc's D-Bus API. Runs without any
 * rights of its own; whatever happens to it, supervision goes on. */

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "boundary/daemon_loop.h"
#include "boundary/watchdog.h"
#include "gateway/gateway.h"

enum {
        ALLOWED_HOSTS_MAX = 32,
};

static int help(void) {
        printf("hero_proc_gateway [OPTIONS]\n"
               "\n"
               "hero_proc over HTTP, on the sockets of hero_proc-gateway.socket.\n"
               "\n"
               "  --system           of the machine, on the system bus (default)\n"
               "  --user             of the calling user, on the user's bus\n"
               "  --allow-host=NAME  another name that browsers reach this by, besides localhost\n"
               "  --debug            log more\n"
               "  -h, --help         this text\n"
               "  --version          the version\n");
        return 0;
}

static int run(const GatewayOptions *options) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(watchdog_freep) Watchdog *watchdog = NULL;
        _cleanup_(gateway_freep) Gateway *gateway = NULL;
        const char *message = NULL;
        int r = daemon_loop_new(&event);

        if (r >= 0)
                r = watchdog_new(event, &watchdog);
        if (r >= 0)
                r = gateway_new(event, options, &gateway, &message);
        if (r < 0) {
                log_error("cannot start: %s", message ? message : strerror(-r));
                return message ? EX_CONFIG : EXIT_FAILURE; /* trying again would not help */
        }
        return daemon_loop_run(event);
}

int main(int argc, char **argv) {
        enum { OPT_USER = 256, OPT_SYSTEM, OPT_ALLOW_HOST, OPT_DEBUG, OPT_VERSION };
        static const struct option options[] = {
                { "user", no_argument, NULL, OPT_USER },
                { "system", no_argument, NULL, OPT_SYSTEM },
                { "allow-host", required_argument, NULL, OPT_ALLOW_HOST },
                { "debug", no_argument, NULL, OPT_DEBUG },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPT_VERSION },
                { NULL, 0, NULL, 0 },
        };
        const char *allowed_hosts[ALLOWED_HOSTS_MAX + 1] = { NULL };
        size_t n_allowed_hosts = 0;
        bool is_user = false;
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case OPT_USER:
                case OPT_SYSTEM:
                        is_user = c == OPT_USER;
                        break;
                case OPT_ALLOW_HOST:
                        if (n_allowed_hosts == ALLOWED_HOSTS_MAX) {
                                log_error("--allow-host: expected at most %d", ALLOWED_HOSTS_MAX);
                                return 2;
                        }
                        allowed_hosts[n_allowed_hosts++] = optarg;
                        break;
                case OPT_DEBUG:
                        log_set_max_level(LOG_DEBUG);
                        break;
                case OPT_VERSION:
                        printf("hero_proc_gateway %s\n", HERO_PROC_VERSION);
                        return 0;
                case 'h':
                        return help();
                default:
                        return 2;
                }
        if (optind < argc) {
                log_error("%s: no arguments are taken, see --help", argv[optind]);
                return 2;
        }
        if (geteuid() == 0) {
                log_error("this parses what anybody sends, and must not run as root: see hero_proc-gateway.service");
                return EXIT_FAILURE;
        }
        daemon_loop_return_memory();
        (void) mallopt(M_ARENA_MAX, 1);
        return run(&(GatewayOptions){ .is_user = is_user, .allowed_hosts = allowed_hosts });
}
