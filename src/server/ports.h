/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Keeps the sight of all declared TCP ports fresh. There is no event for a listener that comes or goes, so a sweep asks
 * the kernel for all of them at once, and once more for each service with a network of its own; it does not run while
 * no service declares a port. */

#include "server/service.h"

typedef struct Ports Ports;

int ports_new(Supervisor *s, Ports **ret);
Ports *ports_free(Ports *k);
DEFINE_CLEANUP(Ports *, ports_free)

/* A service of the supervisor's came, has other ports than before, or is gone. */
void ports_follow(Ports *k);

/* Looks at the service's ports on the spot. True when anything changed. */
bool ports_look(Ports *k, Service *service);

/* Looks at all of them now. */
void ports_catch_up(Ports *k);
/* The same for the first time, once it is known which processes are whose: no port is looked at before. */
void ports_begin(Ports *k);

/* The sockets that keep the port from the service: those of others, and those whose owner is not known yet. Writes at
 * most n_max of their inodes, and returns how many. */
size_t ports_find_strangers(Ports *k, Service *service, const ServicePort *port, uint32_t *ret, size_t n_max);

/* Where a client on this machine gets to who listens on it; 127.0.0.1 while nobody does. IPv4 as ::ffff:. */
struct in6_addr ports_address(const ServicePort *port);
/* ProbeReach.find; userdata is the ServicePort: there, but not where a stranger was last seen. */
bool ports_find(struct in6_addr *ret, ProbeResult *refusal, void *userdata);

/* One of the service's processes came up or died: looks at the ports, and whose they are now. */
void ports_owner_changed(Ports *k, Service *service);
/* The same for a new InvocationID: of this action, nothing was seen alive before. */
void ports_reset(Ports *k, Service *service, const Action *owner);
