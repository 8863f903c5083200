/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/network_namespace.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "boundary/sock_diag.h"

typedef char NamespacePath[sizeof("/proc/-2147483648/ns/net")];

static void path_of(pid_t pid, NamespacePath ret) {
        (void) snprintf(ret, sizeof(NamespacePath), "/proc/%d/ns/net", (int) pid);
}

uint64_t network_namespace_id(pid_t pid) {
        NamespacePath path = "/proc/self/ns/net";
        struct stat st;

        if (pid != 0 || sock_diag_is_of_host())
                path_of(pid != 0 ? pid : 1, path);
        if (stat(path, &st) < 0)
                return errno == ENOENT || errno == ESRCH ? 0 : UINT64_MAX;
        return st.st_ino;
}
