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

#include "boundary/port_files.h"
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
        SockDiag diag;   /* of our own network, … */
        PortFiles files; /* … or of another one */
        bool is_of_another;
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
        port_files_done(&t->files);
        free(t);
        return NULL;
}

int port_table_new(PortTable **ret) {
        _cleanup_(port_table_freep) PortTable *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->diag.fd = -1;
        t->files = (PortFiles){ -1, -1 };
        for (size_t i = 0; i < ELEMENTSOF(t->pictures); i++) {
                t->pictures[i].listeners = calloc(PORT_TABLE_LISTENERS_MAX, sizeof(PortListener));
                if (!t->pictures[i].listeners)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(t);
        return 0;
}

int port_table_new_of(pid_t pid, PortTable **ret) {
        _cleanup_(port_table_freep) PortTable *t = NULL;
        int r = port_table_new(&t);

        if (r >= 0)
                r = port_files_open(pid, &t->files);
        if (r < 0)
                return r;
        t->is_of_another = true;
        *ret = TAKE_PTR(t);
        return 0;
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

static struct in6_addr mapped(uint32_t address) {
        return (struct in6_addr){ .s6_addr32 = { 0, 0, htonl(0xffff), address } };
}

static void place_v4(PortListener *l, uint32_t address) {
        l->reach = address == htonl(INADDR_LOOPBACK) ? PORT_LOOPBACK_4
                   : address == htonl(INADDR_ANY)    ? PORT_WILDCARD
                                                     : PORT_ELSEWHERE;
        if (address == htonl(INADDR_ANY))
                l->loopback = mapped(htonl(INADDR_LOOPBACK));
        else if (ntohl(address) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET)
                l->loopback = mapped(address);
}

static void place_v6(PortListener *l, const struct in6_addr *address, bool v6only) {
        if (IN6_IS_ADDR_V4MAPPED(address)) {
                place_v4(l, address->s6_addr32[3]);
        } else if (IN6_IS_ADDR_UNSPECIFIED(address) && !v6only) {
                l->reach = PORT_WILDCARD;
                l->loopback = mapped(htonl(INADDR_LOOPBACK));
        } else if (IN6_IS_ADDR_UNSPECIFIED(address) || IN6_IS_ADDR_LOOPBACK(address)) {
                l->reach = PORT_LOOPBACK_6;
                l->loopback = in6addr_loopback;
        }
}

/* On a device of its own it is not within reach, whatever its address. */
static void place(PortListener *l, const struct inet_diag_msg *socket, bool v6only) {
        if (socket->id.idiag_if != 0 && socket->id.idiag_if != LOOPBACK_INTERFACE)
                return;
        if (socket->idiag_family == AF_INET)
                place_v4(l, socket->id.idiag_src[0]);
        else
                place_v6(l, (const void *) socket->id.idiag_src, v6only);
}

/* Takes one listener, where its port is declared. */
static int take_socket(const void *body, size_t n, void *userdata) {
        PortTable *t = userdata;
        const struct inet_diag_msg *socket = body;
        PortListener listener = { .reach = PORT_ELSEWHERE };
        int left = (int) n - (int) sizeof(*socket); /* signed: RTA_NEXT() may take more than is there */
        bool v6only = false;

        if (left < 0)
                return -EBADMSG;
        listener.port = ntohs(socket->id.idiag_sport);
        if (!is_declared(t, listener.port))
                return 0;
        for (const struct rtattr *a = (const void *) (socket + 1); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
                if (a->rta_type == INET_DIAG_CGROUP_ID && RTA_PAYLOAD(a) >= sizeof(listener.cgroup))
                        memcpy(&listener.cgroup, RTA_DATA(a), sizeof(listener.cgroup));
                else if (a->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(a) >= 1)
                        v6only = *(const uint8_t *) RTA_DATA(a) != 0;
        }
        listener.socket = socket->idiag_inode;
        listener.backlog = socket->idiag_rqueue;
        listener.backlog_max = socket->idiag_wqueue;
        listener.uid = socket->idiag_uid;
        place(&listener, socket, v6only);
        return picture_add(&t->pictures[!t->current], &listener);
}

static int take_line(const PortFileLine *line, void *userdata) {
        PortTable *t = userdata;
        PortListener listener = {
                .port = line->port,
                .reach = PORT_ELSEWHERE,
                .socket = line->socket,
                .backlog = line->backlog,
                .backlog_max = UINT32_MAX,
                .uid = line->uid,
        };

        if (!is_declared(t, line->port))
                return 0;
        place_v6(&listener, &line->address, false);
        return picture_add(&t->pictures[!t->current], &listener);
}

static int take_picture(PortTable *t) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };
        int r = 0;

        t->pictures[!t->current].n = 0;
        if (t->is_of_another)
                return port_files_read(&t->files, take_line, t);
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
