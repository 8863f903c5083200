/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/socket_peer.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/cleanup.h"

#ifndef SO_PEERPIDFD /* Linux 6.5 */
#define SO_PEERPIDFD 77
#endif

bool process_has_ended(int pidfd) {
        struct pollfd p = { .fd = pidfd, .events = POLLIN };

        return poll(&p, 1, 0) > 0; /* that it cannot be asked is no end */
}

/* -ESRCH: it is gone. */
static int open_peer(int fd, pid_t pid, bool *ret_exact) {
        socklen_t n = sizeof(int);
        int pidfd = -1;

        *ret_exact = true;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &n) == 0)
                return pidfd;
        if (errno != ENOPROTOOPT)
                return errno == EINVAL || errno == ENODATA ? -ESRCH : -errno;
        *ret_exact = false;
        pidfd = (int) syscall(SYS_pidfd_open, pid, 0);
        return pidfd < 0 ? -errno : pidfd;
}

int socket_peer_of(int fd, SocketPeer *ret) {
        _cleanup_close_ int pidfd = -1;
        SocketPeer p = { .pidfd = -1 };
        struct ucred credentials;
        socklen_t n = sizeof(credentials);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &n) < 0)
                return -errno;
        p.pid = credentials.pid;
        p.uid = credentials.uid;
        if (p.pid > 0) {
                pidfd = open_peer(fd, p.pid, &p.is_exact);
                if (pidfd < 0 && pidfd != -ESRCH)
                        return pidfd;
                if (pidfd >= 0 && !process_has_ended(pidfd))
                        p.pidfd = TAKE_FD(pidfd);
        }
        *ret = p;
        return 0;
}

void socket_peer_done(SocketPeer *p) {
        cleanup_close(&p->pidfd);
        p->pidfd = -1;
}

pid_t socket_peer_pid(int fd) {
        struct ucred credentials;
        socklen_t n = sizeof(credentials);

        return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &n) < 0 ? 0 : credentials.pid;
}
