/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Actions that have a network of their own, in which their ports are to be looked for. */

#include <sys/queue.h>

#include "boundary/port_table.h"
#include "server/service.h"

typedef struct PortNetwork {
        LIST_ENTRY(PortNetwork) entry;
        uint64_t id;
        PortTable *table; /* NULL: we may not look in there … */
        bool is_owed;     /* … or could not, and may be able to the next time */
} PortNetwork;

typedef LIST_HEAD(PortNetworkList, PortNetwork) PortNetworkList;

/* Finds out which network the action's main process is in now, and has it on the list where it is not ours. True: it is
 * another one than before. */
bool port_network_follow(PortNetworkList *list, Action *a);
void port_network_drop(Action *a);

/* Whether the action has, or by its definition will have, a network of its own. */
bool port_network_is_private(const Action *a);
