/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* hero_proc_server: options, the event loop, and what hangs together in it. Starts no process and holds no service: it
 * may be killed at any time, and finds everything again. */

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "boundary/bus_connection.h"
#include "boundary/daemon_loop.h"
#include "boundary/ready_notice.h"
#include "boundary/sock_diag.h"
#include "boundary/watchdog.h"
#include "core/restart_limiter.h"
#include "server/adoption.h"
#include "server/bus_api.h"
#include "server/server_paths.h"
#include "server/supervisor.h"

typedef struct Server {
        sd_event *event;
        Watchdog *watchdog;
        ReadyNotice *ready;
        Supervisor *supervisor;
        BusApi *api;
        BusConnection *connection;
} Server;

static void server_done(Server *s) {
        bus_connection_free(s->connection);
        bus_api_free(s->api);
        supervisor_free(s->supervisor);
        ready_notice_free(s->ready);
        watchdog_free(s->watchdog);
        sd_event_unref(s->event);
}

static int help(void) {
        printf("hero_proc_server [OPTIONS]\n"
               "\n"
               "Supervises services as transient systemd units; org.hero.Proc1 on the bus.\n"
               "\n"
               "  --system           of the machine, on the system bus (default)\n"
               "  --user             of the calling user, on the user's bus\n"
               "  --socket-dir=DIR   where the services' sockets are (default: $HERO_SOCKET_DIR,\n"
               "                     else /run/hero or $XDG_RUNTIME_DIR/hero)\n"
               "  --state-dir=DIR    where hero_proc.db is (default: /var/lib/hero_proc, or\n"
               "                     $XDG_STATE_HOME/hero_proc)\n"
               "  --debug            log more\n"
               "  --restart-limit=N  restart at most N services a minute of its own accord (0: without a limit;\n"
               "                     default: a tenth of all, at least 10, and one by one while a quarter is ill)\n"
               "  -h, --help         this text\n"
               "  --version          the version\n");
        return 0;
}

static void on_name_claimed(int r, void *userdata) {
        Server *s = userdata;
        char text[40];
        size_t n;

        if (r <= 0) {
                log_error("cannot be org.hero.Proc1 on the bus: %s",
                          r < 0 ? strerror(-r) : "it belongs to another hero_proc_server");
                (void) sd_event_exit(s->event, EXIT_FAILURE);
                return;
        }
        (void) supervisor_services(s->supervisor, &n);
        (void) snprintf(text, sizeof text, "%zu service%s", n, n == 1 ? "" : "s");
        ready_notice_tell(s->ready, text);
}

/* Everything has been compared with systemd. */
static void on_synced(void *userdata) {
        Server *s = userdata;

        bus_api_claim_name(s->api, on_name_claimed, s);
}

static int on_bus(sd_bus *bus, void *userdata) {
        Server *s = userdata;
        int r = bus_api_set_bus(s->api, bus);

        return r < 0 ? r : supervisor_set_bus(s->supervisor, bus);
}

static void on_bus_failed(int error, void *userdata) {
        (void) userdata;
        if (error == -ECONNRESET)
                log_warning("the bus closed the connection, connecting again");
        else
                log_error("cannot connect to the bus, will go on trying: %s", strerror(-error));
}

/* The unit leaves the server no network of the machine's: what it asks the kernel of sockets goes through what systemd
 * has opened there, and hero_proc_dialer connects to ports. */
static int take_sockets(void) {
        char **names = NULL;
        int n = sd_listen_fds_with_names(1, &names), r = n < 0 ? n : 0;

        for (int i = 0; i < n; i++) {
                if (r == 0 && strcmp(names[i], "diag") == 0)
                        r = sock_diag_hand_over(SD_LISTEN_FDS_START + i);
                free(names[i]);
        }
        free(names);
        return r;
}

static int run(const SupervisorOptions *options) {
        _cleanup_(server_done) Server s = { 0 };
        _cleanup_free_ char *message = NULL;
        int r = take_sockets();

        if (r >= 0)
                r = daemon_loop_new(&s.event);
        if (r >= 0)
                r = watchdog_new(s.event, &s.watchdog);
        if (r >= 0)
                r = ready_notice_new(s.event, &s.ready);
        if (r >= 0)
                r = supervisor_new(s.event, options, &s.supervisor, &message);
        if (r != 0 && r != 1) {
                log_error("cannot start: %s", message ? message : strerror(r < 0 ? -r : EIO));
                return EXIT_FAILURE;
        }
        adoption_set_ready(supervisor_adoption(s.supervisor), on_synced, &s);
        r = bus_api_new(s.supervisor, &s.api);
        if (r >= 0)
                r = bus_connection_new(s.event, options->is_user, on_bus, on_bus_failed, &s, &s.connection);
        if (r < 0) {
                log_error("cannot start: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        return daemon_loop_run(s.event);
}

static int parse_restart_limit(const char *text, int *ret) {
        char *end;
        long n = strtol(text, &end, 10);

        if (*text == '\0' || *end != '\0' || n < 0 || n > LIMITER_RESTARTS_MAX) {
                log_error("--restart-limit: \"%s\": expected a number from 0 to %d", text, LIMITER_RESTARTS_MAX);
                return -EINVAL;
        }
        *ret = (int) n;
        return 0;
}

int main(int argc, char **argv) {
        enum { OPT_USER = 256, OPT_SYSTEM, OPT_SOCKET_DIR, OPT_STATE_DIR, OPT_RESTART_LIMIT, OPT_DEBUG, OPT_VERSION };
        static const struct option options[] = {
                { "user", no_argument, NULL, OPT_USER },
                { "system", no_argument, NULL, OPT_SYSTEM },
                { "socket-dir", required_argument, NULL, OPT_SOCKET_DIR },
                { "state-dir", required_argument, NULL, OPT_STATE_DIR },
                { "restart-limit", required_argument, NULL, OPT_RESTART_LIMIT },
                { "debug", no_argument, NULL, OPT_DEBUG },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPT_VERSION },
                { NULL, 0, NULL, 0 },
        };
        _cleanup_(server_paths_done) ServerPaths paths = { 0 };
        const char *socket_dir = NULL, *state_dir = NULL;
        bool is_user = false;
        int c, restart_limit = LIMITER_SHARE;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case OPT_USER:
                case OPT_SYSTEM:
                        is_user = c == OPT_USER;
                        break;
                case OPT_SOCKET_DIR:
                        socket_dir = optarg;
                        break;
                case OPT_STATE_DIR:
                        state_dir = optarg;
                        break;
                case OPT_RESTART_LIMIT:
                        if (parse_restart_limit(optarg, &restart_limit) < 0)
                                return 2;
                        break;
                case OPT_DEBUG:
                        log_set_max_level(LOG_DEBUG);
                        break;
                case OPT_VERSION:
                        printf("hero_proc_server %s\n", HERO_PROC_VERSION);
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
        daemon_loop_return_memory();
        /* Folders for services have to be open to their users; the store makes its own private. */
        (void) umask(0022);
        if (server_paths_find(&paths, is_user, socket_dir, state_dir) < 0)
                return EXIT_FAILURE;
        return run(&(SupervisorOptions){
                .is_user = is_user,
                .restart_limit = restart_limit,
                .socket_dir = paths.socket_dir,
                .exec_dir = paths.exec_dir,
                .alert_dir = paths.alert_dir,
                .store_path = paths.store_path,
                .shim = HERO_PROC_BINDIR "/hero_proc_notify",
                .dialer = paths.dialer,
                .hands = paths.hands,
        });
}
