/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a unit's processes tell systemd through $NOTIFY_SOCKET: sd_notify(3) without libsystemd, since the shim runs
 * inside every service and must cost it nothing. */

#include <sys/socket.h>
#include <sys/un.h>

typedef struct NotifySocket {
        int fd;
        struct sockaddr_un address;
        socklen_t address_size;
} NotifySocket;

#define NOTIFY_SOCKET_NULL \
        { .fd = -1 }

/* `address` is an absolute path, or a name after '@' (abstract). Nothing is sent yet, but a sandbox without AF_UNIX
 * shows here (-EAFNOSUPPORT), while there is still someone to tell. -EINVAL: not such an address. */
int notify_socket_open(const char *address, NotifySocket *ret);
void notify_socket_done(NotifySocket *n);

/* One message: lines as in sd_notify(3). */
int notify_socket_send(const NotifySocket *n, const char *text);

/* Asks to be told when everything sent so far has been handled: *ret_fd gets POLLHUP then. A sender that leaves earlier
 * may be gone when systemd looks up which unit it belongs to, and its message is dropped. */
int notify_socket_send_barrier(const NotifySocket *n, int *ret_fd);
