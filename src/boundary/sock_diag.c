/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/sock_diag.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/cleanup.h"

enum {
        BUFFER_BYTES = 64 * 1024, /* the kernel's parts of a dump are at most 32 KiB */
        PARTS_MAX = 16 * 1024,    /* of a dump that is not read to its end */
};

static int handed = -1; /* -1: each SockDiag has a socket of its own */

/* What is left of a dump would make the next request EBUSY, and be taken for its answer. */
static void drain(int fd) {
        char byte;

        for (unsigned i = 0; i < PARTS_MAX && recv(fd, &byte, sizeof(byte), MSG_TRUNC | MSG_DONTWAIT) > 0; i++)
                ;
}

int sock_diag_hand_over(int fd) {
        int protocol = 0, flags = fcntl(fd, F_GETFL);
        socklen_t n = sizeof(protocol);

        if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &n) < 0)
                return -errno;
        n = sizeof(int);
        if (protocol != NETLINK_SOCK_DIAG || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &protocol, &n) < 0 ||
            protocol != AF_NETLINK)
                return -EPROTOTYPE;
        if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return -errno;
        drain(fd); /* of a server that was killed while it read */
        handed = fd;
        return 0;
}

bool sock_diag_is_of_host(void) {
        return handed >= 0;
}

static int socket_of(const SockDiag *d) {
        return handed >= 0 ? handed : d->fd;
}

static int diag_open(SockDiag *d) {
        if (!d->buffer)
                d->buffer = malloc(BUFFER_BYTES);
        if (!d->buffer)
                return -ENOMEM;
        if (socket_of(d) < 0)
                d->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
        return socket_of(d) < 0 ? -errno : 0;
}

/* One number for all of them: what comes late on a socket that they share must not be taken for another's. */
static uint32_t sequence;

static int diag_request(const SockDiag *d, const void *body, size_t n) {
        const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        struct nlmsghdr header = {
                .nlmsg_len = (uint32_t) NLMSG_LENGTH(n),
                .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                .nlmsg_seq = ++sequence,
        };
        struct iovec parts[] = { { &header, sizeof(header) }, { (void *) body, n } };
        struct msghdr m = {
                .msg_name = (void *) &kernel,
                .msg_namelen = sizeof(kernel),
                .msg_iov = parts,
                .msg_iovlen = ELEMENTSOF(parts),
        };

        return sendmsg(socket_of(d), &m, 0) < 0 ? -errno : 0;
}

static int diag_error(const struct nlmsghdr *message) {
        const struct nlmsgerr *e = NLMSG_DATA(message);

        if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*e)) || e->error >= 0)
                return -EBADMSG;
        return e->error;
}

/* 0: more come; 1: that was the last; -EINTR: the kernel says that its table changed meanwhile. */
static int take_message(const struct nlmsghdr *m, sock_diag_take_t take, void *userdata) {
        if (m->nlmsg_seq != sequence)
                return 0;
        if (m->nlmsg_flags & NLM_F_DUMP_INTR)
                return -EINTR;
        if (m->nlmsg_type == NLMSG_ERROR)
                return diag_error(m);
        if (m->nlmsg_type == NLMSG_DONE)
                return 1;
        return m->nlmsg_type == SOCK_DIAG_BY_FAMILY ? take(NLMSG_DATA(m), m->nlmsg_len - NLMSG_LENGTH(0), userdata) : 0;
}

/* Takes one part of a dump; outcomes as above. */
static int take_part(const SockDiag *d, size_t n, sock_diag_take_t take, void *userdata) {
        const struct nlmsghdr *m = (const void *) d->buffer;

        while (NLMSG_OK(m, n)) {
                size_t n_message = NLMSG_ALIGN(m->nlmsg_len);
                int r = take_message(m, take, userdata);

                /* NLMSG_NEXT() would go on below 0 where the last message lacks its padding. */
                if (r != 0 || n_message >= n)
                        return r;
                m = (const void *) ((const char *) m + n_message);
                n -= n_message;
        }
        return 0;
}

static int dump(SockDiag *d, const void *body, size_t n, sock_diag_take_t take, void *userdata) {
        int r = diag_open(d);

        if (r < 0)
                return r;
        r = diag_request(d, body, n);
        while (r == 0) {
                ssize_t n_part = recv(socket_of(d), d->buffer, BUFFER_BYTES, MSG_TRUNC);

                if (n_part < 0)
                        return -errno;
                if (n_part > BUFFER_BYTES)
                        return -EMSGSIZE;
                r = n_part == 0 ? -EBADMSG : take_part(d, (size_t) n_part, take, userdata);
        }
        return r < 0 ? r : 0;
}

int sock_diag_dump(SockDiag *d, const void *body, size_t n, sock_diag_take_t take, void *userdata) {
        int r = dump(d, body, n, take, userdata);

        if (r < 0 && handed >= 0) {
                drain(handed);
        } else if (r < 0 && d->fd >= 0) { /* begin anew with a new socket */
                (void) close(d->fd);
                d->fd = -1;
        }
        return r;
}

void sock_diag_done(SockDiag *d) {
        if (d->fd >= 0)
                (void) close(d->fd);
        free(d->buffer);
        *d = (SockDiag){ .fd = -1 };
}
