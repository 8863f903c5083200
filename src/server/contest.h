/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For kill_others: which declared sockets of an action somebody else has, and which of those who have them may be
 * ended.
 */

#include "boundary/socket_holders.h"
#include "server/service.h"

enum {
        CONTESTED_MAX = 256, /* sockets of one action; of one port several may share it */
};

typedef struct Contested {
        uint32_t socket;  /* inode of the listener */
        const char *name; /* "rpc.sock", "port 8080"; the definition's */
        const char *left; /* why it is left to whoever has it; NULL: it is to be freed */
} Contested;

/* Looks at the action's sockets and ports on the spot, and writes at most CONTESTED_MAX; returns how many. */
size_t contest_find(const Action *a, Contested ret[static CONTESTED_MAX]);

/* Why this process of that unit is not to be ended for the action's sake, as the end of a sentence about it; NULL: it
 * is to be; "": it is the service's own, and nothing is to be said. */
const char *contest_spares(const Action *a, const SocketHolder *holder, const char *unit);
