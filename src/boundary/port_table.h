/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which of the declared TCP ports are listened on right now, and by which sockets: asked of the kernel by sock_diag(7),
 * IPv4 and IPv6, in one go for all services. Listeners on other ports are not kept. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

enum {
        PORT_TABLE_LISTENERS_MAX =
                1024, /* on declared ports; more than one a port are several addresses, or SO_REUSEPORT */
};

/* How near a listener is to a client on this machine; of several on one port the higher one gets its connections. */
typedef enum PortReach {
        PORT_ELSEWHERE,  /* an address of an interface, or a device: not by way of 127.0.0.1 or ::1 */
        PORT_LOOPBACK_6, /* ::1, or :: for IPv6 alone */
        PORT_WILDCARD,   /* 0.0.0.0, or :: for both */
        PORT_LOOPBACK_4, /* 127.0.0.1: where a probe of the port goes first */
} PortReach;

typedef struct PortListener {
        uint16_t port;
        PortReach reach;
        struct in6_addr loopback;      /* by which one gets to it over loopback, IPv4 as ::ffff:; "::": by none */
        uint32_t socket;               /* its inode, as /proc/PID/fd shows it: a new one for each listener */
        uint32_t backlog, backlog_max; /* connections waiting, and their limit; the kernel admits one beyond it */
        uint32_t uid;                  /* of who made it */
        uint64_t cgroup;               /* the cgroup v2 that it was made in, by its id; 0: not known */
} PortListener;

typedef struct PortTable PortTable;

int port_table_new(PortTable **ret);
/* The same for the network that the process is in now, by port_files.h: without cgroups, and without a limit of the
 * queues, so that none is full. */
int port_table_new_of(pid_t pid, PortTable **ret);
PortTable *port_table_free(PortTable *t);
DEFINE_CLEANUP(PortTable *, port_table_free)

/* The ports that are looked for: none at first. What is declared is seen by the next refresh. */
void port_table_declare(PortTable *t, uint16_t port);
void port_table_declare_none(PortTable *t);

/* Takes a new picture; memory is kept and reused. Does not block. *ret_changed: whether other sockets listen on the
 * declared ports than before, or their queues became full or not. 0 or negative errno: -E2BIG where there are too many.
 * After a failure nothing is known until the next good one. */
int port_table_refresh(PortTable *t, bool *ret_changed);

/* The listeners on `port` in the last picture, the one of the highest reach first; borrowed until the next refresh.
 * NULL and *ret_n 0: none, which proves nothing unless port_table_is_good(). */
const PortListener *port_table_find(const PortTable *t, uint16_t port, size_t *ret_n);
bool port_table_is_good(const PortTable *t); /* the last refresh worked */
/* Whether any of the picture is this socket. */
bool port_table_has_socket(const PortTable *t, uint32_t socket);

static inline bool port_listener_is_full(const PortListener *l) {
        return l->backlog > l->backlog_max;
}
