/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/unix_connect.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"

int unix_connect(int fd, int file) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        (void) snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%i", file);
        return connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ? -errno : 0;
}

int unix_is_bound(int file) {
        _cleanup_close_ int fd = -1;
        int r;

        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        r = unix_connect(fd, file);
        switch (-r) {
        case 0:
        case EPROTOTYPE:
        case EPERM: /* a datagram socket that takes messages of its one peer only */
                return 1;
        case ECONNREFUSED:
                return 0;
        default:
                return r;
        }
}
