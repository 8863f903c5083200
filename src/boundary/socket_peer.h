/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who is at the other end of a connection to a unix socket: the process that called listen(), as the kernel recorded it
 * then. It need not be the one that accepts, and need not live any more; its number may be another process's by now. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct SocketPeer {
        pid_t pid; /* 0: of a pid namespace that is not below ours */
        uid_t uid;
        int pidfd;     /* of that process while it lives, to be closed; -1: it is gone, or cannot be seen */
        bool is_exact; /* the kernel gave the pidfd (6.5 and later): else it may be of a process that has the number now
                        */
} SocketPeer;

/* `fd` is connected. 0 or negative errno. */
int socket_peer_of(int fd, SocketPeer *ret);
void socket_peer_done(SocketPeer *p);

/* The number alone, for comparing; 0 where it cannot be had. */
pid_t socket_peer_pid(int fd);

/* Whether that process has ended, reaped or not. */
bool process_has_ended(int pidfd);
