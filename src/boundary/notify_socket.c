/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/notify_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

static int address_parse(const char *text, struct sockaddr_un *ret, socklen_t *ret_size) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        size_t length = strlen(text);

        if ((text[0] != '/' && text[0] != '@') || length < 2 || length >= sizeof address.sun_path)
                return -EINVAL;
        memcpy(address.sun_path, text, length);
        if (text[0] == '@')
                address.sun_path[0] = '\0';

        *ret = address;
        /* An abstract name ends where the size says, not at a NUL. */
        *ret_size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + length + (text[0] == '/'));
        return 0;
}

int notify_socket_open(const char *address, NotifySocket *ret) {
        NotifySocket n = NOTIFY_SOCKET_NULL;
        int r;

        r = address_parse(address, &n.address, &n.address_size);
        if (r < 0)
                return r;
        n.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (n.fd < 0)
                return -errno;
        *ret = n;
        return 0;
}

void notify_socket_done(NotifySocket *n) {
        cleanup_close(&n->fd);
        n->fd = -1;
}

/* Sends `text`, and with it the descriptor `fd` unless that is -1. */
static int send_message(const NotifySocket *n, const char *text, int fd) {
        union {
                char buffer[CMSG_SPACE(sizeof(int))];
                struct cmsghdr header;
        } control = {};
        struct iovec text_part = { (char *) text, strlen(text) };
        struct msghdr message = {
                .msg_name = (struct sockaddr_un *) &n->address,
                .msg_namelen = n->address_size,
                .msg_iov = &text_part,
                .msg_iovlen = 1,
        };

        if (fd >= 0) {
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
                message.msg_control = &control;
                message.msg_controllen = sizeof control.buffer;
        }
        while (sendmsg(n->fd, &message, MSG_NOSIGNAL) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

int notify_socket_send(const NotifySocket *n, const char *text) {
        return send_message(n, text, -1);
}

int notify_socket_send_barrier(const NotifySocket *n, int *ret_fd) {
        _cleanup_close_ int ours = -1, theirs = -1;
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        ours = fds[0];
        theirs = fds[1];
        r = send_message(n, "BARRIER=1", theirs);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(ours);
        return 0;
}
