/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/errand.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/cleanup.h"

enum {
        PATIENCE_SEC = 1, /* for a question of whoever has connected */
};

typedef union Control {
        char buffer[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
} Control;

static int send_message(int connection, const void *bytes, size_t n, int fd) {
        struct iovec part = { (void *) bytes, n };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        Control control = {};
        ssize_t n_sent;

        if (fd >= 0) {
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
                message.msg_control = &control;
                message.msg_controllen = sizeof(control.buffer);
        }
        do
                n_sent = sendmsg(connection, &message, MSG_NOSIGNAL);
        while (n_sent < 0 && errno == EINTR);
        return n_sent < 0 ? -errno : 0;
}

/* Of exactly n bytes. The kernel closes what does not fit into `control`. */
static int receive_message(int connection, void *bytes, size_t n, int *ret_fd) {
        struct iovec part = { bytes, n };
        Control control = {};
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control.buffer),
        };
        _cleanup_close_ int fd = -1;
        const struct cmsghdr *c;
        ssize_t n_got;

        do /* on a socket with a time-out SIGCONT is enough */
                n_got = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
        while (n_got < 0 && errno == EINTR);
        c = n_got >= 0 ? CMSG_FIRSTHDR(&message) : NULL;
        if (n_got < 0)
                return -errno;
        if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
                memcpy(&fd, CMSG_DATA(c), sizeof(int));
        if (n_got == 0)
                return -ECONNRESET;
        if ((size_t) n_got != n || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
                return -EBADMSG;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int errand_ask(const char *path, const void *question, size_t n, int fd) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int connection = -1;
        int r;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path));
        connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connection < 0 || connect(connection, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        r = send_message(connection, question, n, fd);
        if (r == -EPIPE)
                return -ECONNRESET; /* hung up before the question came, or after: it is all the same */
        return r < 0 ? r : TAKE_FD(connection);
}

int errand_read_answer(int connection, int *ret_error, int *ret_fd) {
        _cleanup_close_ int fd = -1;
        int32_t error;
        int r = receive_message(connection, &error, sizeof(error), &fd);

        if (r < 0)
                return r;
        if (error < 0)
                return -EBADMSG;
        *ret_error = error;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static bool may_ask(int connection) {
        struct ucred peer;
        socklen_t n = sizeof(peer);

        return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
               (peer.uid == 0 || peer.uid == geteuid());
}

int errand_serve(int listener, void (*run)(int connection)) {
        const struct timeval patience = { .tv_sec = PATIENCE_SEC };

        for (;;) {
                _cleanup_close_ int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

                if (connection < 0 && errno != EINTR && errno != ECONNABORTED)
                        return -errno;
                if (connection < 0 || !may_ask(connection) ||
                    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
                    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
                        continue;
                run(connection);
        }
}

int errand_read_question(int connection, void *question, size_t n, int *ret_fd) {
        return receive_message(connection, question, n, ret_fd);
}

void errand_answer(int connection, int error, int fd) {
        const int32_t answer = error;

        (void) send_message(connection, &answer, sizeof(answer), fd);
}
