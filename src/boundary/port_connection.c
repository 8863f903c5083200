/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/port_connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "boundary/errand.h"

typedef struct PortQuestion {
        struct in6_addr address;
        uint32_t port;
} PortQuestion;

static bool is_loopback(const struct in6_addr *address) {
        return IN6_IS_ADDR_LOOPBACK(address) ||
               (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == IN_LOOPBACKNET);
}

static int connect_to(int fd, const struct in6_addr *address, uint16_t port) {
        const struct sockaddr_in v4 = {
                .sin_family = AF_INET,
                .sin_port = htons(port),
                .sin_addr.s_addr = address->s6_addr32[3],
        };
        const struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = *address };
        int r = IN6_IS_ADDR_V4MAPPED(address) ? connect(fd, (const struct sockaddr *) &v4, sizeof(v4))
                                              : connect(fd, (const struct sockaddr *) &v6, sizeof(v6));

        return r < 0 ? -errno : 0;
}

int port_connection_open(const struct in6_addr *address, uint16_t port) {
        /* Else each probe that is closed would stay a minute in TIME_WAIT, until no ports are left. */
        const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
        int family = IN6_IS_ADDR_V4MAPPED(address) ? AF_INET : AF_INET6, r;
        _cleanup_close_ int fd = -1;

        if (!is_loopback(address))
                return -EINVAL;
        fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) < 0)
                return -errno;
        r = connect_to(fd, address, port);
        return r < 0 && r != -EINPROGRESS ? r : TAKE_FD(fd);
}

int port_connection_ask(const char *dialer, const struct in6_addr *address, uint16_t port) {
        const PortQuestion q = { *address, port };

        return errand_ask(dialer, &q, sizeof(q), -1);
}

int port_connection_take(int asked, int *ret_error, int *ret_fd) {
        int r = errand_read_answer(asked, ret_error, ret_fd);

        return r == 0 && *ret_error == 0 && *ret_fd < 0 ? -EBADMSG : r;
}

void port_connection_serve(int asker) {
        _cleanup_close_ int fd = -1, unasked = -1;
        PortQuestion q;

        if (errand_read_question(asker, &q, sizeof(q), &unasked) < 0)
                return;
        fd = q.port > 0 && q.port <= UINT16_MAX ? port_connection_open(&q.address, (uint16_t) q.port) : -EINVAL;
        errand_answer(asker, fd < 0 ? -fd : 0, fd);
}
