/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How one declared socket is: what is at its path (or at the path as the service's own processes see it), whether
 * somebody listens there, and who. */

#include "server/service.h"
#include "server/socket_identity.h"

typedef struct SocketSights {
        SocketTable *table;
        SocketIdentity *identity;
        /* Whom no event and no change of the table will tell of: to be looked at whatever the table says. */
        LIST_HEAD(, ServiceSocket) suspects;
        bool is_first_in_a_while; /* this look: much may have happened since the last one */
} SocketSights;

/* Looks at its file by the last picture of the table, finds out whose it is where that is not known, and keeps it among
 * the suspects if it is one. ask_again: also whether one that was not the service's is so by now. True: anything about
 * it is another than before. */
bool socket_sighting_take(SocketSights *k, ServiceSocket *socket, bool ask_again);
/* The same, but without a look at a file that is watched (inotify tells what becomes of it) and was in sight. */
bool socket_sighting_follow(SocketSights *k, ServiceSocket *socket, bool is_watched);

/* The action that it is declared for; NULL: any of the service's. */
Action *socket_sighting_owner(const ServiceSocket *socket);
/* What is to be said of it, whose it is included. */
SocketState socket_sighting_state(const ServiceSocket *socket);
