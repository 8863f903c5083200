/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/detached_process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

/* In the process between: leaves at once, so that its child is handed to PID 1. Returns 1 in that child. */
static int fork_and_leave(void) {
        pid_t pid = fork();

        if (pid != 0)
                _exit(pid < 0 ? errno : 0);
        (void) setsid();
        (void) !chdir("/"); /* no file system is kept busy */
        return 1;
}

static int wait_for_success(pid_t pid) {
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        if (!WIFEXITED(status))
                return -ECHILD;
        return -WEXITSTATUS(status);
}

int process_detach(void) {
        sigset_t all, old;
        pid_t between;
        int r;

        (void) signal(SIGCHLD, SIG_DFL);
        (void) sigfillset(&all);
        (void) sigprocmask(SIG_SETMASK, &all, &old);
        between = fork();
        if (between == 0)
                return fork_and_leave();
        r = between < 0 ? -errno : wait_for_success(between);
        (void) sigprocmask(SIG_SETMASK, &old, NULL);
        return r;
}

static int compare_int(const void *a, const void *b) {
        return *(const int *) a - *(const int *) b;
}

void process_close_all_but(int *keep, size_t n_keep) {
        int from = STDERR_FILENO + 1, null_fd;

        qsort(keep, n_keep, sizeof *keep, compare_int);
        for (size_t i = 0; i < n_keep; i++) {
                if (keep[i] > from)
                        (void) close_range((unsigned) from, (unsigned) keep[i] - 1, 0);
                from = keep[i] + 1;
        }
        (void) close_range((unsigned) from, UINT_MAX, 0);

        null_fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
        if (null_fd < 0)
                return;
        (void) dup2(null_fd, STDIN_FILENO);
        (void) dup2(null_fd, STDOUT_FILENO);
        (void) close(null_fd);
}
