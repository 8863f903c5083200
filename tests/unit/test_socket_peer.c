/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "boundary/socket_peer.h"
#include "forked_process.h"
#include "unit_sockets.h"

#define SO_PEERPIDFD_NUMBER 77

/* ---- a process that listens, and a child of it that has the socket too ---- */

typedef struct Family {
        pid_t listener;
        int life; /* both end when it is closed, the listener also by a signal */
} Family;

static _Noreturn void live(int life) {
        char byte;

        (void) !read(life, &byte, 1);
        _exit(0);
}

static Family family_new(const char *path) {
        Family f = { -1, -1 };
        int life[2], ready[2];
        char byte;

        if (pipe(life) < 0 || pipe(ready) < 0)
                return f;
        (void) fflush(stdout);
        f = (Family){ .listener = fork(), .life = life[1] };
        if (f.listener == 0) {
                (void) close(life[1]);
                if (listen_at(path, 8) >= 0 && fork() >= 0 && write(ready[1], "", 1) == 1)
                        live(life[0]);
                _exit(1);
        }
        (void) close(life[0]);
        (void) close(ready[1]);
        if (read(ready[0], &byte, 1) != 1)
                f.listener = -1;
        (void) close(ready[0]);
        return f;
}

static void end_listener(Family *f) {
        if (f->listener <= 0)
                return;
        (void) kill(f->listener, SIGKILL);
        (void) waitpid(TAKE_FD(f->listener), NULL, 0);
}

static void family_done(Family *f) {
        end_listener(f);
        (void) close(f->life);
}

#define _cleanup_family_ _cleanup_(family_done)

/* Another process with that number; -1 where that is not allowed. */
static pid_t take_number(pid_t number) {
        struct clone_args how = {
                .exit_signal = SIGCHLD,
                .set_tid = (uint64_t) (uintptr_t) &number,
                .set_tid_size = 1,
        };
        pid_t pid = (pid_t) syscall(SYS_clone3, &how, sizeof(how));

        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        (void) pause();
        }
        return pid;
}

/* ---- a kernel before 6.5 ---- */

static bool refuse_peer_pidfd(void) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsockopt, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SO_PEERPIDFD_NUMBER, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { ELEMENTSOF(code), code };

        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Runs it in a child that such a kernel has. */
static bool on_an_older_kernel(bool (*run)(const char *path, const Family *f), const char *path, const Family *f) {
        int status = -1;
        pid_t pid;

        (void) fflush(stdout);
        pid = fork();
        if (pid == 0)
                _exit(refuse_peer_pidfd() && run(path, f) ? 0 : 1);
        return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- */

static int ask(const char *path, SocketPeer *ret) {
        _cleanup_close_ int fd = connect_at(path);

        *ret = (SocketPeer){ .pidfd = -1 };
        return fd < 0 ? fd : socket_peer_of(fd, ret);
}

static bool kernel_tells_exactly(const char *path) {
        _cleanup_(socket_peer_done) SocketPeer p = { .pidfd = -1 };

        if (ask(path, &p) == 0 && p.is_exact)
                return true;
        printf("     this kernel has no SO_PEERPIDFD: not shown here\n");
        return false;
}

TEST(the_process_that_listens_is_told_while_it_lives) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_family_ Family f = family_new(path);
        _cleanup_(socket_peer_done) SocketPeer p = { .pidfd = -1 };
        _cleanup_close_ int fd = connect_at(path);

        ASSERT(f.listener > 0 && fd >= 0);
        ASSERT_EQ(ask(path, &p), 0);
        ASSERT_EQ(p.pid, f.listener);
        ASSERT_EQ(p.uid, geteuid());
        ASSERT(p.pidfd >= 0 && !process_has_ended(p.pidfd));
        ASSERT_EQ(socket_peer_pid(fd), f.listener);
        end_listener(&f);
        ASSERT(process_has_ended(p.pidfd));
}

TEST(a_listener_that_has_ended_is_told_from_one_that_lives_though_its_socket_does) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_family_ Family f = family_new(path);
        _cleanup_(socket_peer_done) SocketPeer p = { .pidfd = -1 };
        pid_t number = f.listener;

        ASSERT(number > 0);
        ASSERT_EQ(kill(number, SIGKILL), 0);
        ASSERT_EQ(waitid(P_PID, (id_t) number, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0); /* a zombie */
        ASSERT_EQ(ask(path, &p), 0);
        ASSERT(p.pid == number && p.pidfd == -1);
        end_listener(&f);
        ASSERT_EQ(ask(path, &p), 0);
        ASSERT(p.pid == number && p.pidfd == -1);
}

TEST(another_process_that_has_the_listeners_number_now_is_not_taken_for_it) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_family_ Family f = family_new(path);
        _cleanup_(socket_peer_done) SocketPeer p = { .pidfd = -1 };
        _cleanup_process_ pid_t other = -1;
        pid_t number = f.listener;

        ASSERT(number > 0);
        if (!kernel_tells_exactly(path))
                return;
        end_listener(&f);
        other = take_number(number);
        if (other < 0) {
                printf("     numbers of processes cannot be chosen: not shown here\n");
                return;
        }
        ASSERT_EQ(other, number);
        ASSERT_EQ(ask(path, &p), 0);
        ASSERT_EQ(p.pid, number);
        ASSERT_EQ(p.pidfd, -1);
}

static bool a_number_is_all_there_is(const char *path, const Family *f) {
        _cleanup_(socket_peer_done) SocketPeer p = { .pidfd = -1 };

        return ask(path, &p) == 0 && p.pid == f->listener && p.pidfd >= 0 && !p.is_exact;
}

static bool nobody_has_the_number(const char *path, const Family *f) {
        _cleanup_(socket_peer_done) SocketPeer p = { .pidfd = -1 };

        (void) f;
        return ask(path, &p) == 0 && p.pid > 0 && p.pidfd == -1;
}

TEST(before_linux_6_5_a_living_process_of_that_number_is_told_to_be_no_proof) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_family_ Family f = family_new(path);

        ASSERT(f.listener > 0);
        ASSERT(on_an_older_kernel(a_number_is_all_there_is, path, &f));
        end_listener(&f);
        ASSERT(on_an_older_kernel(nobody_has_the_number, path, &f));
}

TEST(descriptors_do_not_leak) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_close_ int listener = listen_at(path, 100);
        unsigned n_before = count_fds();

        ASSERT(listener >= 0);
        for (unsigned i = 0; i < 50; i++) {
                _cleanup_(socket_peer_done) SocketPeer p = { .pidfd = -1 };

                ASSERT_EQ(ask(path, &p), 0);
        }
        ASSERT_EQ(count_fds(), n_before);
}
