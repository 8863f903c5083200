/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/password_agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define AGENT "/usr/bin/pkttyagent"

/* In the child. The agent must not outlive us: it would go on answering for whoever has our PID next. */
static _Noreturn void run_agent(pid_t parent, int ready_fd) {
        char notify[32];

        (void) snprintf(notify, sizeof notify, "--notify-fd=%d", ready_fd);
        if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent || fcntl(ready_fd, F_SETFD, 0) < 0)
                _exit(1);
        (void) execl(AGENT, AGENT, notify, "--fallback", NULL);
        _exit(127);
}

/* It closes the pipe once it is registered; so does its end. */
static void await_ready(int fd) {
        char byte;

        while (read(fd, &byte, 1) > 0 || errno == EINTR)
                errno = 0;
}

void password_agent_start(pid_t *ret_pid) {
        _cleanup_close_ int reading = -1, writing = -1;
        pid_t parent = getpid(), pid;
        int fds[2];

        *ret_pid = 0;
        if (access(AGENT, X_OK) < 0 || pipe2(fds, O_CLOEXEC) < 0)
                return;
        reading = fds[0];
        writing = fds[1];
        (void) fflush(NULL);
        pid = fork();
        if (pid == 0)
                run_agent(parent, writing);
        if (pid < 0)
                return;
        (void) close(TAKE_FD(writing));
        errno = 0;
        await_ready(reading);
        *ret_pid = pid;
}

void password_agent_stop(pid_t pid) {
        if (pid <= 0)
                return;
        /* It restores the terminal when it is asked to end. */
        (void) kill(pid, SIGTERM);
        (void) kill(pid, SIGCONT);
        while (waitpid(pid, NULL, 0) < 0)
                if (errno != EINTR)
                        return;
}
