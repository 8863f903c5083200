/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the kernel's table of listeners says of one port, in the eyes of one service. */

#include "boundary/port_table.h"
#include "boundary/socket_table.h"
#include "server/port_owners.h"

typedef struct PortSighting {
        SocketState state; /* ALIVE, MISSING, FOREIGN, NOT_ACCEPTING or UNKNOWN */
        bool is_pending;   /* whose it is, is still looked for: `state` is no answer yet */
        uint32_t socket;   /* the listener that speaks for it; 0: none */
        uint32_t backlog;
        struct in6_addr loopback; /* of that listener */
        PortOwner owner;
} PortSighting;

/* `table` NULL: the listeners cannot be seen. */
PortSighting port_sighting_take(PortOwners *owners, const PortTable *table, Service *service, uint16_t port);

/* The listening sockets that keep the port from the service: those of others, and those whose owner is not known yet.
 * Writes at most n_max of their inodes, and returns how many. */
size_t port_sighting_strangers(PortOwners *owners, const PortTable *table, Service *service, uint16_t port,
                               uint32_t *ret, size_t n_max);
