/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/network_namespace.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

bool network_namespace_is_ours(pid_t pid) {
        char path[sizeof("/proc/-2147483648/ns/net")];
        struct stat own, its;

        (void) snprintf(path, sizeof(path), "/proc/%d/ns/net", (int) pid);
        if (stat("/proc/self/ns/net", &own) < 0)
                return false;
        if (stat(path, &its) < 0)
                return errno == ENOENT || errno == ESRCH;
        return own.st_ino == its.st_ino && own.st_dev == its.st_dev;
}
