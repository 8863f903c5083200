/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/port_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "boundary/sock_diag.h"

enum {
        TAKES_MAX = 2,          /* a dump that the kernel calls inconsistent is taken again once */
        LOOPBACK_INTERFACE = 1, /* its index in every network namespace */
};

typedef struct PortPicture {
        PortListener *listeners; /* sorted by port, the highest reach first */
        size_t n;
} PortPicture;

struct PortTable {
        SockDiag diag;
        int network;             /* -1: our own */
        PortPicture pictures[2]; /* the last good one, and room for the next; each of PORT_TABLE_LISTENERS_MAX */
        unsigned current;
        bool is_good;
        uint8_t declared[(UINT16_MAX + 1) / 8]; /* a bit a port */
};

PortTable *port_table_free(PortTable *t) {
        if (!t)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(t->pictures); i++)
                free(t->pictures[i].listeners);
        sock_diag_done(&t->diag);
        cleanup_close(&t->network);
        free(t);
        return NULL;
}

int port_table_new_in(int network, PortTable **ret) {
        _cleanup_close_ int taken = network;
        _cleanup_(port_table_freep) PortTable *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->diag.fd = -1;
        t->network = TAKE_FD(taken);
        t->diag.network = t->network >= 0 ? &t->network : NULL;
        for (size_t i = 0; i < ELEMENTSOF(t->pictures); i++) {
                t->pictures[i].listeners = calloc(PORT_TABLE_LISTENERS_MAX, sizeof(PortListener));
                if (!t->pictures[i].listeners)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(t);
        return 0;
}

int port_table_new(PortTable **ret) {
        return port_table_new_in(-1, ret);
}

void port_table_declare(PortTable *t, uint16_t port) {
        t->declared[port / 8] |= (uint8_t) (1u << port % 8);
}

void port_table_declare_none(PortTable *t) {
        memset(t->declared, 0, sizeof(t->declared));
}

static bool is_declared(const PortTable *t, uint16_t port) {
        return (t->declared[port / 8] & (1u << port % 8)) != 0;
}

static int compare(const PortListener *a, const PortListener *b) {
        if (a->port != b->port)
                return a->port < b->port ? -1 : 1;
        if (a->reach != b->reach)
                return a->reach > b->reach ? -1 : 1;
        return a->socket < b->socket ? -1 : a->socket > b->socket;
}

/* Into its place: they are few, and qsort(3) of glibc allocates. */
static int picture_add(PortPicture *p, const PortListener *l) {
        size_t i = p->n;

        if (p->n >= PORT_TABLE_LISTENERS_MAX)
                return -E2BIG;
        for (; i > 0 && compare(&p->listeners[i - 1], l) > 0; i--)
                p->listeners[i] = p->listeners[i - 1];
        p->listeners[i] = *l;
        p->n++;
        return 0;
}

static bool picture_equal(const PortPicture *a, const PortPicture *b) {
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (compare(&a->listeners[i], &b->listeners[i]) != 0 ||
                    port_listener_is_full(&a->listeners[i]) != port_listener_is_full(&b->listeners[i]))
                        return false;
        return true;
}

static PortReach reach_of(const struct inet_diag_msg *socket, bool v6only) {
        const struct in6_addr *v6 = (const void *) socket->id.idiag_src;

        if (socket->id.idiag_if != 0 && socket->id.idiag_if != LOOPBACK_INTERFACE)
                return PORT_ELSEWHERE;
        if (socket->idiag_family == AF_INET || IN6_IS_ADDR_V4MAPPED(v6)) {
                uint32_t v4 = socket->idiag_family == AF_INET ? socket->id.idiag_src[0] : socket->id.idiag_src[3];

                return v4 == htonl(INADDR_LOOPBACK) ? PORT_LOOPBACK_4
                       : v4 == htonl(INADDR_ANY)    ? PORT_WILDCARD
                                                    : PORT_ELSEWHERE;
        }
        if (IN6_IS_ADDR_UNSPECIFIED(v6))
                return v6only ? PORT_LOOPBACK_6 : PORT_WILDCARD;
        return IN6_IS_ADDR_LOOPBACK(v6) ? PORT_LOOPBACK_6 : PORT_ELSEWHERE;
}

/* Takes one listener, where its port is declared. */
static int take_socket(const void *body, size_t n, void *userdata) {
        PortTable *t = userdata;
        const struct inet_diag_msg *socket = body;
        uint64_t cgroup = 0;
        bool v6only = false;
        uint16_t port;

        if (n < sizeof(*socket))
                return -EBADMSG;
        n -= sizeof(*socket);
        port = ntohs(socket->id.idiag_sport);
        if (!is_declared(t, port))
                return 0;
        for (const struct rtattr *a = (const void *) (socket + 1); RTA_OK(a, n); a = RTA_NEXT(a, n)) {
                if (a->rta_type == INET_DIAG_CGROUP_ID && RTA_PAYLOAD(a) >= sizeof(cgroup))
                        memcpy(&cgroup, RTA_DATA(a), sizeof(cgroup));
                else if (a->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(a) >= 1)
                        v6only = *(const uint8_t *) RTA_DATA(a) != 0;
        }
        return picture_add(&t->pictures[!t->current], &(PortListener){
                                                              .port = port,
                                                              .reach = reach_of(socket, v6only),
                                                              .socket = socket->idiag_inode,
                                                              .backlog = socket->idiag_rqueue,
                                                              .backlog_max = socket->idiag_wqueue,
                                                              .uid = socket->idiag_uid,
                                                              .cgroup = cgroup,
                                                      });
}

static int take_picture(PortTable *t) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };
        int r = 0;

        t->pictures[!t->current].n = 0;
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(families); i++) {
                const struct inet_diag_req_v2 request = {
                        .sdiag_family = families[i],
                        .sdiag_protocol = IPPROTO_TCP,
                        .idiag_states = 1 << TCP_LISTEN,
                };

                r = sock_diag_dump(&t->diag, &request, sizeof(request), take_socket, t);
                /* A kernel without IPv6 has no such listeners. */
                if (r == -ENOENT && families[i] == AF_INET6)
                        r = 0;
        }
        return r;
}

int port_table_refresh(PortTable *t, bool *ret_changed) {
        bool was_good = t->is_good;
        int r = -EINTR;

        for (unsigned i = 0; r == -EINTR && i < TAKES_MAX; i++)
                r = take_picture(t);
        t->is_good = r == 0;
        if (r < 0)
                return r;
        *ret_changed = !was_good || !picture_equal(&t->pictures[0], &t->pictures[1]);
        t->current = !t->current;
        return 0;
}

bool port_table_is_good(const PortTable *t) {
        return t->is_good;
}

const PortListener *port_table_find(const PortTable *t, uint16_t port, size_t *ret_n) {
        const PortPicture *p = &t->pictures[t->current];
        size_t first = 0, n = 0;

        while (first < p->n && p->listeners[first].port < port)
                first++;
        while (first + n < p->n && p->listeners[first + n].port == port)
                n++;
        *ret_n = n;
        return n > 0 ? &p->listeners[first] : NULL;
}

bool port_table_has_socket(const PortTable *t, uint32_t socket) {
        const PortPicture *p = &t->pictures[t->current];

        for (size_t i = 0; i < p->n; i++)
                if (p->listeners[i].socket == socket)
                        return true;
        return false;
}
