/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/process_end.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#define PF_EXITING 0x4U /* linux/sched.h, in the flags of proc_pid_stat(5) */

static bool has_ended(int pidfd) {
        struct pollfd p = { .fd = pidfd, .events = POLLIN };

        return poll(&p, 1, 0) != 0;
}

static bool is_exiting(pid_t pid) {
        _cleanup_fclose_ FILE *f = NULL;
        char path[32], line[512];
        const char *after_name;
        unsigned flags = 0;

        (void) snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
        f = fopen(path, "re");
        if (!f || !fgets(line, sizeof line, f))
                return false;
        after_name = strrchr(line, ')'); /* a name may hold anything */
        return after_name && sscanf(after_name, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 && (flags & PF_EXITING);
}

bool process_has_died(pid_t pid) {
        _cleanup_close_ int pidfd = pidfd_open(pid, 0);

        if (pidfd < 0)
                return errno == ESRCH;
        return has_ended(pidfd) || is_exiting(pid);
}

int process_hold(const SocketHolder *holder) {
        _cleanup_close_ int pidfd = pidfd_open(holder->pid, 0);

        if (pidfd < 0)
                return -errno;
        /* What /proc says is of the process that is held, if that one lives afterwards. */
        if (!socket_holder_is_true(holder) || has_ended(pidfd))
                return -ESRCH;
        return TAKE_FD(pidfd);
}

/* The user that started it, whatever it became since: he may signal it himself. */
static bool read_user(pid_t pid, unsigned *ret) {
        _cleanup_fclose_ FILE *f = NULL;
        char line[256];

        (void) snprintf(line, sizeof(line), "/proc/%d/status", (int) pid);
        f = fopen(line, "re");
        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "Uid: %u", ret) == 1)
                        return true;
        return false;
}

bool process_may_own_socket(const SocketHolder *holder) {
        char path[sizeof("/proc/-2147483648/fd/-2147483648")];
        struct stat st;
        unsigned user;

        (void) snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int) holder->pid, holder->fd);
        if (stat(path, &st) < 0 || !read_user(holder->pid, &user))
                return true;
        return st.st_uid == 0 || st.st_uid == user;
}
