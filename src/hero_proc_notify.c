/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The shim in front of a service. systemd starts it as the unit's main process; it clears away what a dead predecessor
 * left, executes the exact arguments in that same process, and where the service does not speak sd_notify itself leaves
 * one small process behind that tells systemd when the service is ready. It runs before every start, also the restarts
 * that systemd makes while hero_proc_server is away. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/outcome.h"
#include "boundary/detached_process.h"
#include "boundary/exec_file.h"
#include "boundary/notify_socket.h"
#include "boundary/readiness_relay.h"
#include "boundary/socket_stale.h"

/* Where the service could not be started: numbers of systemd's own range, with systemd's meaning where it has one, so
 * that `systemctl status` shows the right word and hero_proc says exec-failed. */
enum {
        EXIT_FD3_CLASH = 202,   /* systemd: FDS */
        EXIT_EXEC_FAILED = 203, /* systemd: EXEC */
        EXIT_NOT_PREPARED = 245,
};

enum {
        READY_FD = 3,
        READY_ANSWER_MSEC = 5000, /* how long --ready waits for systemd */
};

static void help(void) {
        printf("hero_proc_notify --exec FILE\n"
               "hero_proc_notify --ready [--status=TEXT]\n\n"
               "Stands in front of a service of hero_proc, inside its unit.\n\n"
               "  --exec FILE      clean up, then become the service as the orders in FILE say\n"
               "  --ready          tell systemd that this service is ready (needs $NOTIFY_SOCKET)\n"
               "  --status=TEXT    with --ready: one line that systemctl status shows\n"
               "  --help           this text\n"
               "  --version        the version\n\n"
               "Exit status: that of the service, which takes the place of this program. Otherwise\n"
               "  0    --ready: systemd has heard it\n"
               "  1    --ready: systemd could not be told\n"
               "  2    wrong usage\n"
               "  202  file descriptor 3 is promised for readiness, but systemd passes sockets from 3 on\n"
               "  203  the service's program cannot be executed\n"
               "  245  the orders cannot be read, or not be prepared for\n");
}

/* ---- before the service ---- */

/* A dead socket file makes bind() fail with EADDRINUSE. One that cannot be removed is left for the service to stumble
 * over: its own message is the better one. */
static void remove_dead_sockets(char **sockets) {
        for (char **s = sockets; *s; s++) {
                int r = socket_remove_stale(*s);

                if (r > 0)
                        log_info("hero_proc_notify: removed %s: nobody listened on it any more", *s);
                else if (r < 0)
                        log_warning("hero_proc_notify: cannot clean up %s: %s", *s, strerror(-r));
        }
}

/* A stale one would tell of a readiness that is not there, so this must succeed. */
static int remove_ready_file(const char *path) {
        if (unlink(path) < 0 && errno != ENOENT) {
                log_error("hero_proc_notify: cannot remove the old ready file %s: %s", path, strerror(errno));
                return EXIT_NOT_PREPARED;
        }
        return 0;
}

/* With 0, 1 and 2 taken nothing of ours can land there and be mistaken for the service's own. */
static void take_standard_fds(void) {
        int fd;

        do
                fd = open("/dev/null", O_RDWR | O_NOCTTY);
        while (fd >= 0 && fd <= STDERR_FILENO);
        if (fd >= 0)
                (void) close(fd);
}

/* Takes descriptor 3 at once, so that no other fd of ours lands there. It stays like this when there is no systemd to
 * relay to: a newline for it must not go to whatever file the service opens first. */
static int take_ready_fd(void) {
        _cleanup_close_ int fd = -1;

        if (getenv("LISTEN_FDS")) {
                log_error("hero_proc_notify: ready by fd3 cannot go together with sockets passed by systemd "
                          "(LISTEN_FDS is set): both are file descriptor 3");
                return EXIT_FD3_CLASH;
        }
        fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
        if (fd < 0 || (fd == READY_FD ? fcntl(fd, F_SETFD, 0) : dup2(fd, READY_FD)) < 0) {
                log_error("hero_proc_notify: cannot prepare file descriptor 3: %s", strerror(errno));
                return EXIT_NOT_PREPARED;
        }
        if (fd == READY_FD)
                (void) TAKE_FD(fd);
        return 0;
}

/* ---- the relay's process ---- */

static _Noreturn void be_the_relay(ReadinessRelay *relay) {
        int r;

        process_close_all_but((int[]){ relay->watch_fd, relay->main_fd, relay->notify->fd }, 3);
        r = readiness_relay_run(relay);
        if (r < 0)
                log_error("hero_proc_notify: cannot tell systemd that the service is ready: %s", strerror(-r));
        _exit(r < 0 ? EX_FAILED : EX_DONE);
}

/* A pipe that closes by itself would mean that the service was executed. A byte into an empty pipe fails only where
 * nobody is left to read it. */
static void tell_relay_of_failure(int exec_fd) {
        (void) signal(SIGPIPE, SIG_IGN); /* a relay that was killed must not change how this ends */
        while (write(exec_fd, "", 1) < 0 && errno == EINTR)
                ;
}

/* ret_fd: see readiness_relay_init(). */
static int start_relay(RelayKind kind, const char *ready_file, const char *notify_address, int *ret_fd) {
        _cleanup_(notify_socket_done) NotifySocket notify = NOTIFY_SOCKET_NULL;
        _cleanup_(readiness_relay_done) ReadinessRelay relay = READINESS_RELAY_NULL;
        _cleanup_close_ int fd = -1;
        int r;

        r = notify_socket_open(notify_address, &notify);
        if (r < 0) {
                log_error("hero_proc_notify: cannot talk to systemd at %s: %s", notify_address, strerror(-r));
                return EXIT_NOT_PREPARED;
        }
        r = readiness_relay_init(&relay, kind, ready_file, &notify, &fd);
        if (r < 0) {
                log_error("hero_proc_notify: cannot watch for readiness%s%s: %s", kind == RELAY_FILE ? " by " : "",
                          kind == RELAY_FILE ? ready_file : "", strerror(-r));
                return EXIT_NOT_PREPARED;
        }
        r = process_detach();
        if (r > 0) {
                /* Here and not with the others: while it holds this end, it would never see the pipe close. */
                cleanup_close(&fd);
                be_the_relay(&relay);
        }
        if (r < 0) {
                if (kind == RELAY_EXEC) /* it may have been started all the same */
                        tell_relay_of_failure(fd);
                log_error("hero_proc_notify: cannot start the readiness relay: %s", strerror(-r));
                return EXIT_NOT_PREPARED;
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* ---- becoming the service ---- */

/* Returns only when it failed. `exec_fd`, unless -1, is the relay's, which must hear of that. */
static int become_service(char **arguments, int exec_fd) {
        int error;

        /* A path is executed as it stands, because execvp() would give a program of another architecture to /bin/sh as
         * if it were a script, and that would look like a success. */
        if (strchr(arguments[0], '/'))
                (void) execv(arguments[0], arguments);
        else
                (void) execvp(arguments[0], arguments);
        error = errno;
        if (exec_fd >= 0)
                tell_relay_of_failure(exec_fd);
        log_error("hero_proc_notify: cannot execute %.1000s: %s", arguments[0], strerror(error));
        return EXIT_EXEC_FAILED;
}

static int relay_and_become_service(RelayKind kind, const ExecFile *orders) {
        const char *notify_address = getenv("NOTIFY_SOCKET");
        _cleanup_close_ int fd = -1;
        int r;

        if (kind == RELAY_FILE && (r = remove_ready_file(orders->ready_file)) != 0)
                return r;
        if (kind == RELAY_FD3 && (r = take_ready_fd()) != 0)
                return r;
        if (notify_address && (r = start_relay(kind, orders->ready_file, notify_address, &fd)) != 0)
                return r;
        /* The service does not speak sd_notify; what a library in it says there would be taken for its word. */
        (void) unsetenv("NOTIFY_SOCKET");

        if (kind == RELAY_FD3 && fd >= 0 && dup2(fd, READY_FD) < 0) {
                log_error("hero_proc_notify: cannot pass on file descriptor 3: %s", strerror(errno));
                return EXIT_NOT_PREPARED;
        }
        return become_service(orders->arguments, kind == RELAY_EXEC ? fd : -1);
}

static int exec_service(const char *path) {
        static const struct {
                const char *ready;
                RelayKind kind;
        } relayed[] = { { "exec", RELAY_EXEC }, { "fd3", RELAY_FD3 }, { "file", RELAY_FILE } };
        _cleanup_(exec_file_done) ExecFile orders = {};
        int r;

        r = exec_file_read(path, &orders);
        if (r < 0) {
                log_error("hero_proc_notify: cannot read the orders in %s: %s", path, strerror(-r));
                return EXIT_NOT_PREPARED;
        }
        take_standard_fds();
        remove_dead_sockets(orders.sockets);
        for (size_t i = 0; i < ELEMENTSOF(relayed); i++)
                if (strcmp(orders.ready, relayed[i].ready) == 0)
                        return relay_and_become_service(relayed[i].kind, &orders);
        return become_service(orders.arguments, -1);
}

/* ---- --ready ---- */

static int wait_for_answer(int barrier_fd) {
        struct pollfd p = { .fd = barrier_fd };
        int n;

        do
                n = poll(&p, 1, READY_ANSWER_MSEC);
        while (n < 0 && errno == EINTR);
        return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

static int say_ready(const char *status) {
        const char *address = getenv("NOTIFY_SOCKET");
        _cleanup_(notify_socket_done) NotifySocket notify = NOTIFY_SOCKET_NULL;
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int barrier_fd = -1;
        int r;

        if (!address) {
                log_error("hero_proc_notify: NOTIFY_SOCKET is not set: only inside a service whose definition says "
                          "\"ready\": \"notify\" is there someone to tell");
                return EX_FAILED;
        }
        if (asprintf(&text, "READY=1%s%s", status ? "\nSTATUS=" : "", status ?: "") < 0) {
                log_error("hero_proc_notify: cannot tell systemd at %s: %s", address, strerror(ENOMEM));
                return EX_FAILED;
        }
        if ((r = notify_socket_open(address, &notify)) < 0 || (r = notify_socket_send(&notify, text)) < 0 ||
            (r = notify_socket_send_barrier(&notify, &barrier_fd)) < 0 || (r = wait_for_answer(barrier_fd)) < 0) {
                log_error("hero_proc_notify: cannot tell systemd at %s: %s", address, strerror(-r));
                return EX_FAILED;
        }
        return EX_DONE;
}

/* ---- the command line ---- */

typedef struct Options {
        const char *exec_file, *status;
        bool ready;
} Options;

static bool options_are_valid(const Options *o, int n_left_over) {
        const char *complaint = NULL;

        if (n_left_over > 0)
                complaint = "arguments beside the options: what to execute stands in FILE";
        else if (!!o->exec_file == o->ready)
                complaint = "exactly one of --exec and --ready is needed";
        else if (o->status && !o->ready)
                complaint = "--status goes with --ready";
        else if (o->status && strchr(o->status, '\n'))
                complaint = "--status is one line";
        if (complaint)
                log_error("hero_proc_notify: %s; see --help", complaint);
        return !complaint;
}

int main(int argc, char **argv) {
        static const struct option known[] = {
                { "exec", required_argument, NULL, 'e' },   { "ready", no_argument, NULL, 'r' },
                { "status", required_argument, NULL, 's' }, { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'v' },      {},
        };
        Options o = {};
        int c;

        while ((c = getopt_long(argc, argv, "+", known, NULL)) >= 0)
                switch (c) {
                case 'e':
                        o.exec_file = optarg;
                        break;
                case 'r':
                        o.ready = true;
                        break;
                case 's':
                        o.status = optarg;
                        break;
                case 'h':
                        help();
                        return EX_DONE;
                case 'v':
                        printf("hero_proc_notify %s\n", HERO_PROC_VERSION);
                        return EX_DONE;
                default:
                        return EX_BAD_USAGE;
                }
        if (!options_are_valid(&o, argc - optind))
                return EX_BAD_USAGE;
        return o.ready ? say_ready(o.status) : exec_service(o.exec_file);
}
