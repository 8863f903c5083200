/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/network_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define OWN "/proc/self/ns/net"

typedef char NamespacePath[sizeof("/proc/-2147483648/ns/net")];

static void path_of(pid_t pid, NamespacePath ret) {
        (void) snprintf(ret, sizeof(NamespacePath), "/proc/%d/ns/net", (int) pid);
}

uint64_t network_namespace_id(pid_t pid) {
        NamespacePath path = OWN;
        struct stat st;

        if (pid != 0)
                path_of(pid, path);
        if (stat(path, &st) < 0)
                return errno == ENOENT || errno == ESRCH ? 0 : UINT64_MAX;
        return st.st_ino;
}

int network_namespace_open(pid_t pid) {
        NamespacePath path;
        int fd;

        path_of(pid, path);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int network_namespace_socket(int network, int domain, int type, int protocol) {
        _cleanup_close_ int own = open(OWN, O_RDONLY | O_CLOEXEC);
        int fd, error;

        if (own < 0 || setns(network, CLONE_NEWNET) < 0)
                return -errno;
        fd = socket(domain, type | SOCK_CLOEXEC, protocol);
        error = errno;
        /* Everything that follows would be done in the service's network. */
        if (setns(own, CLONE_NEWNET) < 0)
                abort();
        return fd < 0 ? -error : fd;
}
