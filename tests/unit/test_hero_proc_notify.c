/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shim_frame.h"

/* Starts a service behind the shim. */
static Run run_service(const char *ready) {
        Run run = { .ready = ready, .notify = notify_path, .sockets = NONE, .arguments = SERVICE };

        run_shim(&run);
        return run;
}

/* ---- what the service gets ---- */

TEST(the_service_is_the_process_that_systemd_forked) {
        static const char *const modes[] = { "exec", "fd3", "file", "notify", "none" };
        char expected[32];

        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                _run_ Run run = run_service(modes[i]);

                ASSERT(run_is_up(&run));
                snprintf(expected, sizeof expected, "\npid %d\n", run.pid);
                ASSERT(strstr(run.report, expected));
                ASSERT_EQ(child_of(run.pid, 0), 0);
        }
}

TEST(the_service_has_no_descriptor_but_its_own) {
        _run_ Run by_exec = run_service("exec");
        ASSERT(run_is_up(&by_exec));
        ASSERT(strstr(by_exec.report, "fds 0 1 2\n"));
        run_done(&by_exec);
        by_exec = run_service("fd3");
        ASSERT(run_is_up(&by_exec));
        ASSERT(strstr(by_exec.report, "fds 0 1 2 3\n"));
}

TEST(the_notify_socket_is_left_to_a_service_that_speaks_to_it_and_to_no_other) {
        static const struct {
                const char *ready, *expected;
        } table[] = { { "exec", "notify none" },
                      { "fd3", "notify none" },
                      { "file", "notify none" },
                      { "notify", "notify /tmp" },
                      { "none", "notify /tmp" } };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _run_ Run run = run_service(table[i].ready);
                ASSERT(run_is_up(&run));
                ASSERT(strstr(run.report, table[i].expected));
        }
}

TEST(signals_are_to_the_service_what_systemd_made_them) {
        _run_ Run run = run_service("fd3");

        ASSERT(run_is_up(&run));
        ASSERT(strstr(run.report, "SigBlk:\t0000000000000000\n"));
        /* SIGPIPE, which systemd ignores; what else a shell above the test had ignored is no matter of the shim's. */
        const char *ignored = strstr(run.report, "SigIgn:\t");
        ASSERT(ignored);
        ASSERT(strtoull(ignored + strlen("SigIgn:\t"), NULL, 16) & (1u << (SIGPIPE - 1)));
}

TEST(every_argument_arrives_byte_for_byte) {
        _cleanup_free_ char *big = malloc(100 * 1024 + 1);
        /* clang-format off */
        const char *const hostile[] = {
                self, "", " ", "a b", ";", "a;b", "a ; b", "k=v;w", "$", "$$", "$HOME", "${HOME}", "x${HOME}y", "dd$$HOME",
                "%", "%n", "%%", "%s%s%n", "'", "\"", "\\", "\\\\", "'a' \"b\"", "\\n", "\n", "a\nb", "\t", "\r", "\x01",
                "\x7f", "#", "-", "--", "--exec", "-@+!:|", "*", "~", "{a,b}", "`id`", "$(id)", "grüß 世界 🦸", "\xff\xfe",
                "{\"a\": \"b;c\", \"d\": [\"$e\"]}", big, NULL
        };
        /* clang-format on */
        Run run = { .ready = "exec", .notify = notify_path, .sockets = NONE, .arguments = hostile };

        memset(big, 'y', 100 * 1024);
        big[100 * 1024] = '\0';
        run_shim(&run);
        _run_ Run up = run;
        ASSERT(run_is_up(&up));
        char *at = strstr(up.report, "\narguments\n");
        ASSERT(at);
        at += strlen("\narguments\n");
        for (size_t i = 0; hostile[i]; i++, at += strlen(at) + 1) {
                ASSERT(at < up.report + up.report_size);
                ASSERT_STREQ(at, hostile[i]);
        }
        ASSERT(at == up.report + up.report_size);
}

/* ---- readiness ---- */

static bool ready_then_barrier(pid_t *ret_relay) {
        const char *text = notification(0, ret_relay, NULL);

        if (!text || strcmp(text, "READY=1") != 0)
                return false;
        text = notification(0, NULL, NULL);
        return text && strcmp(text, "BARRIER=1") == 0;
}

TEST(exec_is_ready_once_executed_and_the_relay_leaves) {
        _run_ Run run = run_service("exec");
        pid_t relay;

        ASSERT(run_is_up(&run));
        ASSERT(ready_then_barrier(&relay));
        ASSERT_EQ(wait_exit(relay), 0);
        ASSERT(no_notification());
}

TEST(a_program_that_is_done_at_once_was_executed_all_the_same) {
        Run run = { .ready = "exec", .notify = notify_path, .sockets = NONE, .arguments = LIST("/bin/true") };
        pid_t relay;

        run_shim(&run);
        _run_ Run up = run;
        ASSERT_EQ(wait_exit(up.pid), 0);
        ASSERT(ready_then_barrier(&relay));
        ASSERT_EQ(wait_exit(relay), 0);
}

TEST(fd3_is_ready_at_an_empty_line_or_ready_1_and_once_only) {
        static const char *const talks[] = { "n", "r", "jn", "jjr", "pq", "bnr", "nnnrrj" };

        for (size_t i = 0; i < ELEMENTSOF(talks); i++) {
                _run_ Run run = run_service("fd3");
                pid_t relay;

                ASSERT(run_is_up(&run));
                for (const char *order = talks[i]; *order; order++)
                        ASSERT(run_order(&run, *order));
                /* The big line has no end, so the newline ends it, and READY=1 stands alone. */
                ASSERT(ready_then_barrier(&relay));
                ASSERT(run_order(&run, 'c'));
                ASSERT_EQ(wait_exit(relay), 0);
                ASSERT(no_notification());
        }
}

TEST(fd3_is_drained_after_ready_so_that_the_service_never_blocks) {
        _run_ Run run = run_service("fd3");
        pid_t relay;

        ASSERT(run_is_up(&run));
        ASSERT(run_order(&run, 'n'));
        ASSERT(ready_then_barrier(&relay));
        ASSERT(run_order(&run, 'b'));
        ASSERT(run_order(&run, 'n'));
        ASSERT(run_order(&run, '0'));
        ASSERT_EQ(wait_exit(run.pid), 0);
        ASSERT_EQ(wait_exit(relay), 0);
        ASSERT(no_notification());
}

TEST(fd3_closed_without_a_word_is_not_ready) {
        static const char *const talks[] = { "c", "jc", "pc" };

        for (size_t i = 0; i < ELEMENTSOF(talks); i++) {
                _run_ Run run = run_service("fd3");
                pid_t relay;

                ASSERT(run_is_up(&run));
                ASSERT((relay = relay_of(&run)) > 0);
                for (const char *order = talks[i]; *order; order++)
                        ASSERT(run_order(&run, *order));
                ASSERT_EQ(wait_exit(relay), 0);
                ASSERT(no_notification());
        }
}

TEST(a_ready_file_counts_when_it_appears) {
        _run_ Run run = run_service("file");
        pid_t relay;

        ASSERT(run_is_up(&run));
        ASSERT((relay = relay_of(&run)) > 0);
        ASSERT_EQ(symlink("/etc/passwd", ready_path), 0); /* not a file, and followed by nobody */
        ASSERT_EQ(unlink(ready_path), 0);
        ASSERT_EQ(mkdir(ready_path, 0700), 0);
        ASSERT_EQ(rmdir(ready_path), 0);
        ASSERT(no_notification());
        close(open(ready_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        ASSERT(ready_then_barrier(&relay));
        ASSERT_EQ(wait_exit(relay), 0);
}

TEST(a_ready_file_counts_also_where_no_inotify_instance_is_to_be_had) {
        Run run = {
                .ready = "file", .notify = notify_path, .sockets = NONE, .arguments = SERVICE, .lacks_inotify = true
        };
        pid_t relay;

        run_shim(&run);
        _run_ Run up = run;
        ASSERT(run_is_up(&up));
        ASSERT(no_notification());
        close(open(ready_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        ASSERT(ready_then_barrier(&relay));
        ASSERT_EQ(wait_exit(relay), 0);
}

TEST(a_stale_ready_file_is_removed_before_the_service_runs) {
        close(open(ready_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        _run_ Run run = run_service("file");
        pid_t relay;

        ASSERT(run_is_up(&run));
        ASSERT_EQ(access(ready_path, F_OK), -1);
        ASSERT((relay = relay_of(&run)) > 0);
        ASSERT_EQ(kill(run.pid, SIGKILL), 0);
        ASSERT_EQ(wait_exit(relay), 0);
        ASSERT(no_notification());
}

TEST(the_folder_of_the_ready_file_may_be_replaced) {
        _run_ Run run = run_service("file");
        char old_path[80];
        pid_t relay;

        ASSERT(run_is_up(&run));
        snprintf(old_path, sizeof old_path, "%s.old", run_path);
        ASSERT_EQ(rename(run_path, old_path), 0);
        ASSERT_EQ(mkdir(run_path, 0700), 0);
        close(open(ready_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        ASSERT(ready_then_barrier(&relay));
        ASSERT_EQ(wait_exit(relay), 0);
}

TEST(notify_and_none_leave_no_relay) {
        static const char *const modes[] = { "notify", "none" };

        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                _run_ Run run = run_service(modes[i]);

                ASSERT(run_is_up(&run));
                ASSERT_EQ(relay_of(&run), 0);
                ASSERT(no_notification());
        }
}

TEST(an_abstract_notify_socket_works) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char name[64];
        int path_fd = notify_fd;
        pid_t relay = 0;

        snprintf(name, sizeof name, "@%s", folder);
        memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
        notify_fd = notify_listen(&address, (socklen_t) (offsetof(struct sockaddr_un, sun_path) + strlen(name)));
        Run run = { .ready = "exec", .notify = name, .sockets = NONE, .arguments = SERVICE };
        run_shim(&run);
        bool is_told = run_is_up(&run) && ready_then_barrier(&relay) && wait_exit(relay) == 0;
        run_done(&run);
        close(notify_fd);
        notify_fd = path_fd;
        ASSERT(is_told);
}

/* ---- the relay ---- */

static int count_fds(pid_t pid) {
        char path[64];
        int n = 0;

        snprintf(path, sizeof path, "/proc/%d/fd", pid);
        DIR *fds = opendir(path);
        if (!fds)
                return -1;
        for (struct dirent *d; (d = readdir(fds));)
                n += d->d_name[0] != '.';
        closedir(fds);
        return n;
}

TEST(the_relay_holds_nothing_of_the_service_and_has_its_own_session) {
        int n_fds;
        pid_t relay;

        Run down = { .ready = "fd3", .notify = notify_path, .sockets = NONE, .arguments = SERVICE, .passes_fd = true };
        run_shim(&down);
        _run_ Run run = down;
        ASSERT(run_is_up(&run));
        ASSERT((relay = relay_of(&run)) > 0);
        /* One line through the relay: it is set up once it has read that. */
        ASSERT(run_order(&run, 'n'));
        ASSERT(ready_then_barrier(NULL));
        ASSERT_EQ(getsid(relay), relay);
        /* 0 and 1 on /dev/null, standard error, the pipe, the pidfd, the notify socket; the two ends of the barrier may
         * just be closing. */
        for (int tries = 0; (n_fds = count_fds(relay)) > 6 && tries < 1000; tries++)
                usleep(1000);
        ASSERT_EQ(n_fds, 6);
}

TEST(no_stop_signal_ends_the_relay_before_the_service) {
        static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM };
        _run_ Run run = run_service("fd3");
        pid_t relay, sender;

        ASSERT(run_is_up(&run));
        ASSERT((relay = relay_of(&run)) > 0);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                ASSERT_EQ(kill(relay, signals[i]), 0);
        ASSERT(run_order(&run, 'n'));
        ASSERT(ready_then_barrier(&sender));
        ASSERT_EQ(sender, relay);
}

TEST(a_service_killed_before_ready_takes_the_relay_along_silently) {
        static const char *const modes[] = { "fd3", "file" };

        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                _run_ Run run = run_service(modes[i]);
                pid_t relay;

                ASSERT(run_is_up(&run));
                ASSERT((relay = relay_of(&run)) > 0);
                ASSERT_EQ(kill(run.pid, SIGKILL), 0);
                ASSERT_EQ(wait_exit(relay), 0);
                ASSERT(no_notification());
        }
}

TEST(a_child_that_keeps_fd3_does_not_keep_the_relay) {
        _run_ Run run = run_service("fd3");
        pid_t relay, child;

        ASSERT(run_is_up(&run));
        ASSERT((relay = relay_of(&run)) > 0);
        ASSERT(run_order(&run, 'k'));
        ASSERT((child = child_of(run.pid, 0)) > 0);
        ASSERT(run_order(&run, 'n'));
        ASSERT(ready_then_barrier(NULL));
        ASSERT_EQ(kill(run.pid, SIGKILL), 0);
        ASSERT_EQ(wait_exit(relay), 0);
        ASSERT_EQ(kill(child, SIGKILL), 0);
}

TEST(a_systemd_that_does_not_answer_keeps_no_relay_of_a_dead_service) {
        _run_ Run run = run_service("exec");
        _cleanup_close_ int barrier = -1;
        pid_t relay;

        ASSERT(run_is_up(&run));
        ASSERT_STREQ(notification(0, &relay, NULL), "READY=1");
        ASSERT_STREQ(notification(0, NULL, &barrier), "BARRIER=1");
        ASSERT_EQ(waitpid(relay, NULL, WNOHANG), 0);
        ASSERT_EQ(kill(run.pid, SIGKILL), 0);
        ASSERT_EQ(wait_exit(relay), 0);
}

/* ---- what cannot be started ---- */

TEST(a_failed_exec_is_203_with_a_message_and_no_ready) {
        static const char *const modes[] = { "exec", "fd3", "file", "notify", "none" };

        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                Run run = { .ready = modes[i],
                            .notify = notify_path,
                            .sockets = NONE,
                            .arguments = LIST("/nonexistent/x", "y") };
                run_shim(&run);
                _run_ Run up = run;
                ASSERT_EQ(wait_exit(up.pid), 203);
                ASSERT(message_holds("hero_proc_notify: cannot execute /nonexistent/x: No such file or directory\n"));
                while (waitpid(-1, NULL, 0) > 0) /* the relay, if it lives still */
                        ;
                ASSERT(no_notification());
        }
}

TEST(a_program_of_another_kind_is_not_given_to_a_shell) {
        char program[64];

        snprintf(program, sizeof program, "%s/program", folder);
        _cleanup_close_ int fd = open(program, O_WRONLY | O_CREAT | O_TRUNC, 0700);
        ASSERT(write(fd, "exit 7\n", 7) == 7);
        cleanup_close(&fd);
        fd = -1;
        Run run = { .ready = "exec", .notify = notify_path, .sockets = NONE, .arguments = LIST(program) };
        run_shim(&run);
        _run_ Run up = run;
        ASSERT_EQ(wait_exit(up.pid), 203);
        ASSERT(message_holds("Exec format error"));
}

TEST(a_bare_name_is_searched_in_path) {
        Run run = { .ready = "none", .notify = NULL, .sockets = NONE, .arguments = LIST("sh", "-c", "exit 7") };

        run_shim(&run);
        _run_ Run up = run;
        ASSERT_EQ(wait_exit(up.pid), 7);
}

TEST(bad_orders_are_245) {
        ASSERT_EQ(wait_exit(run_by_hand(NULL, LIST(shim, "--exec", "/nonexistent/orders"))), 245);
        ASSERT(message_holds("cannot read the orders in /nonexistent/orders: No such file or directory"));

        ASSERT_EQ(rmdir(run_path), 0);
        _run_ Run run = run_service("file");
        int status = wait_exit(run.pid);
        ASSERT_EQ(mkdir(run_path, 0700), 0);
        ASSERT_EQ(status, 245);
        ASSERT(message_holds("cannot watch for readiness by "));
}

TEST(fd3_together_with_passed_sockets_is_refused) {
        Run run = { .ready = "fd3",
                    .notify = notify_path,
                    .sockets = NONE,
                    .arguments = SERVICE,
                    .extra_environment = "LISTEN_FDS=1" };

        run_shim(&run);
        _run_ Run up = run;
        ASSERT_EQ(wait_exit(up.pid), 202);
        ASSERT(message_holds("LISTEN_FDS"));
        run.ready = "exec"; /* there they do no harm */
        run_shim(&run);
        _run_ Run other = run;
        ASSERT(run_is_up(&other));
}

TEST(without_systemd_it_just_executes_and_fd3_is_harmless) {
        static const char *const modes[] = { "exec", "fd3", "file", "notify", "none" };

        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                Run run = { .ready = modes[i], .notify = NULL, .sockets = NONE, .arguments = SERVICE };
                run_shim(&run);
                _run_ Run up = run;
                ASSERT(run_is_up(&up));
                ASSERT_EQ(relay_of(&up), 0);
                if (strcmp(modes[i], "fd3") == 0)
                        ASSERT(run_order(&up, 'n'));
        }
}

/* ---- sockets ---- */

static int bind_stream(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void) unlink(path);
        strcpy(address.sun_path, path);
        if (bind(fd, (struct sockaddr *) &address, sizeof address) < 0 || listen(fd, 1) < 0)
                abort();
        return fd;
}

TEST(a_dead_socket_is_removed_and_a_live_one_kept) {
        Run run = { .ready = "exec",
                    .notify = notify_path,
                    .sockets = LIST("/nonexistent/s", socket_path),
                    .arguments = SERVICE };
        _cleanup_close_ int fd = bind_stream(socket_path);

        run_shim(&run);
        _run_ Run beside_live = run;
        ASSERT(run_is_up(&beside_live));
        ASSERT_EQ(access(socket_path, F_OK), 0);
        run_done(&beside_live);
        beside_live = (Run){ .control = -1, .pid = INT_MAX };

        cleanup_close(&fd);
        fd = -1;
        run_shim(&run);
        _run_ Run after_death = run;
        ASSERT(run_is_up(&after_death));
        ASSERT_EQ(access(socket_path, F_OK), -1);
        ASSERT(message_holds("nobody listened on it"));
}

/* ---- --ready and the command line ---- */

TEST(ready_by_hand_says_so_and_waits_to_be_heard) {
        pid_t pid = run_by_hand(notify_path, LIST(shim, "--ready", "--status=All 3 shards open")), sender;
        _cleanup_close_ int barrier = -1;

        ASSERT_STREQ(notification(0, &sender, NULL), "READY=1\nSTATUS=All 3 shards open");
        ASSERT_EQ(sender, pid);
        ASSERT_STREQ(notification(0, NULL, &barrier), "BARRIER=1");
        ASSERT_EQ(waitpid(pid, NULL, WNOHANG), 0);
        cleanup_close(&barrier);
        barrier = -1;
        ASSERT_EQ(wait_exit(pid), 0);
}

TEST(ready_by_hand_fails_loudly_where_nobody_listens) {
        ASSERT_EQ(wait_exit(run_by_hand(NULL, LIST(shim, "--ready"))), 1);
        ASSERT(message_holds("NOTIFY_SOCKET is not set"));
        ASSERT_EQ(wait_exit(run_by_hand("/nonexistent/notify", LIST(shim, "--ready"))), 1);
        ASSERT(message_holds("/nonexistent/notify: No such file or directory"));
        ASSERT_EQ(wait_exit(run_by_hand("relative", LIST(shim, "--ready"))), 1);
}

TEST(wrong_usage_is_2_and_says_why) {
        ASSERT_EQ(wait_exit(run_by_hand(NULL, LIST(shim))), 2);
        ASSERT_EQ(wait_exit(run_by_hand(NULL, LIST(shim, "--no-such"))), 2);
        ASSERT_EQ(wait_exit(run_by_hand(NULL, LIST(shim, "--exec", orders_path, "more"))), 2);
        ASSERT_EQ(wait_exit(run_by_hand(NULL, LIST(shim, "--exec", orders_path, "--ready"))), 2);
        ASSERT_EQ(wait_exit(run_by_hand(NULL, LIST(shim, "--status=x"))), 2);
        /* A second line would be a field of its own. */
        ASSERT_EQ(wait_exit(run_by_hand(notify_path, LIST(shim, "--ready", "--status=x\nMAINPID=1"))), 2);
        ASSERT(message_holds("--status is one line"));
        ASSERT(no_notification());
}

TEST(help_names_every_exit_status) {
        ASSERT_EQ(wait_exit(run_by_hand(NULL, LIST(shim, "--help"))), 0);
        ASSERT(message_holds("202") && message_holds("203") && message_holds("245"));
        ASSERT_EQ(wait_exit(run_by_hand(NULL, LIST(shim, "--version"))), 0);
        ASSERT(message_holds("hero_proc_notify "));
}
