/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whose each listener on a declared port is: found once for each listening socket, and remembered while it listens. The
 * kernel knows the cgroup that a socket was made in: where that is one of the service's that is asked for, its process
 * is looked for there. Else (a stranger's, a socket that was handed over, a process that left its cgroup) all processes
 * are looked through, a part in each turn of the event loop. */

#include "boundary/port_table.h"
#include "boundary/process_unit.h"
#include "core/unit_names.h"
#include "server/service.h"

typedef struct PortOwner {
        uint32_t pid; /* 0: its process cannot be seen from here */
        uint32_t uid; /* of who made the socket */
        char command[PROCESS_COMMAND_MAX];
        char unit[UNIT_NAME_MAX]; /* "": none, or not known */
} PortOwner;

typedef struct PortOwners PortOwners;

/* `found` is called when more is known than port_owners_ask() could say at once. */
int port_owners_new(Supervisor *s, void (*found)(void *userdata), void *userdata, PortOwners **ret);
PortOwners *port_owners_free(PortOwners *o);
DEFINE_CLEANUP(PortOwners *, port_owners_free)

/* The service is the one that should have it. Borrowed until the next call of anything here. NULL: not known yet, and
 * looked for. */
const PortOwner *port_owners_ask(PortOwners *o, const Service *service, const PortListener *listener);

/* The service has died or begun anew: whose its listeners are, and who else has those of systemd, is to be found out
 * again. */
void port_owners_doubt(PortOwners *o, const Service *service);
/* Forgets those that are gone. */
void port_owners_prune(PortOwners *o, bool (*is_listening)(void *userdata, uint32_t socket), void *userdata);
/* Looks whether one process, another one each time, still has its socket open; true: it has not, and was forgotten. */
bool port_owners_recheck_one(PortOwners *o);
