/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "boundary/hands_work.h"
#include "boundary/process_end.h"
#include "unit_sockets.h"

/* A child that has `listener` open until it is told to close it by SIGUSR1; *ret_told is readable from then on. */
static pid_t fork_holder(int listener, int *ret_told) {
        int told[2];
        sigset_t wait_for;
        pid_t pid;

        (void) sigemptyset(&wait_for);
        (void) sigaddset(&wait_for, SIGUSR1);
        (void) sigprocmask(SIG_BLOCK, &wait_for, NULL);
        if (pipe2(told, O_CLOEXEC) < 0)
                return -1;
        pid = fork();
        if (pid == 0) {
                int signal;

                (void) sigwait(&wait_for, &signal);
                (void) close(listener);
                (void) !write(told[1], "", 1);
                for (;;)
                        pause();
        }
        (void) close(told[1]);
        *ret_told = told[0];
        return pid;
}

static SocketHolder holder_of(pid_t pid, int fd) {
        struct stat st = { 0 };

        (void) fstat(fd, &st);
        return (SocketHolder){ .pid = pid, .fd = fd, .socket = (uint32_t) st.st_ino };
}

static bool ends_within_a_second(int pidfd) {
        struct pollfd p = { .fd = pidfd, .events = POLLIN };

        return poll(&p, 1, 1000) == 1;
}

TEST(a_process_that_has_the_socket_is_held_and_ended) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_close_ int listener = listen_at(in_folder(folder, "a.sock"), 4), told = -1, pidfd = -1;
        pid_t child = fork_holder(listener, &told);
        SocketHolder holder = holder_of(child, listener);
        int status;

        ASSERT(listener >= 0 && child > 0);
        pidfd = process_hold(&holder);
        ASSERT(pidfd >= 0);
        ASSERT_EQ(hands_do(&(HandsQuestion){ HANDS_SIGNAL, SIGTERM, 0 }, pidfd), 0);
        ASSERT(ends_within_a_second(pidfd));
        ASSERT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
        ASSERT_EQ(hands_do(&(HandsQuestion){ HANDS_SIGNAL, SIGTERM, 0 }, pidfd), -ESRCH);
        ASSERT_EQ(process_hold(&holder), -ESRCH);
}

TEST(a_socket_that_another_user_made_may_have_been_handed_over) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_close_ int listener = listen_at(in_folder(folder, "a.sock"), 4);
        SocketHolder holder = holder_of(getpid(), listener);

        ASSERT(listener >= 0);
        ASSERT(process_may_own_socket(&holder));
        if (getuid() != 0)
                return; /* only root can give it to somebody else */
        ASSERT_EQ(fchown(listener, 65534, 65534), 0);
        ASSERT(!process_may_own_socket(&holder));
}

TEST(one_that_has_ended_and_waits_to_be_reaped_is_not_held) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_close_ int listener = listen_at(in_folder(folder, "a.sock"), 4), told = -1;
        pid_t child = fork_holder(listener, &told);
        SocketHolder holder = holder_of(child, listener);
        siginfo_t info;

        ASSERT(listener >= 0 && child > 0);
        ASSERT_EQ(kill(child, SIGKILL), 0);
        ASSERT_EQ(waitid(P_PID, (id_t) child, &info, WEXITED | WNOWAIT), 0);
        ASSERT_EQ(process_hold(&holder), -ESRCH);
        (void) waitpid(child, NULL, 0);
}

TEST(one_that_has_closed_the_socket_meanwhile_is_not_held) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_close_ int listener = listen_at(in_folder(folder, "a.sock"), 4), told = -1;
        pid_t child = fork_holder(listener, &told);
        SocketHolder holder = holder_of(child, listener);
        char byte;

        ASSERT(listener >= 0 && child > 0);
        ASSERT_EQ(kill(child, SIGUSR1), 0);
        ASSERT_EQ(read(told, &byte, 1), 1);
        ASSERT_EQ(process_hold(&holder), -ESRCH);
        (void) kill(child, SIGKILL);
        (void) waitpid(child, NULL, 0);
}
