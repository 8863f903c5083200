/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/process_root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"

static bool is_same(int process, const char *name, const char *own) {
        struct stat its, ours;

        return fstatat(process, name, &its, 0) == 0 && stat(own, &ours) == 0 && its.st_ino == ours.st_ino &&
               its.st_dev == ours.st_dev;
}

int process_root_open(pid_t pid) {
        /* Stays that process's when another one gets its number. */
        _cleanup_close_ int process = -1;
        char path[sizeof("/proc/-2147483648")];
        int root;

        (void) snprintf(path, sizeof(path), "/proc/%d", (int) pid);
        process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (process < 0)
                return -errno;
        if (is_same(process, "root", "/") &&
            (is_same(process, "ns/mnt", "/proc/self/ns/mnt") || is_same(process, "ns/mnt", "/proc/1/ns/mnt")))
                return -ENOENT;
        root = openat(process, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return errno == ESRCH ? -ENOENT : -errno;
        return root;
}
