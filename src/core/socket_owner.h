/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* Whose a listening socket is, worked out of what the kernel says of it. Pure. */

typedef enum SocketOwner {
        OWNER_NOT_ASKED,
        OWNER_SERVICE,
        OWNER_STRANGER,
        OWNER_UNTOLD, /* there is no proof for either */
        _SOCKET_OWNER_MAX,
} SocketOwner;

/* The process that called listen(), as SO_PEERCRED has it. */
typedef enum ListenerPlace {
        LISTENER_UNSEEN,  /* its number cannot be had: the queue is full, or it is of another pid namespace */
        LISTENER_GONE,    /* it has ended; whoever inherited the socket or was given it may serve on */
        LISTENER_IN_UNIT, /* it lives in the unit that the socket is declared for */
        LISTENER_MANAGER, /* systemd, which listens for a .socket unit and passes the socket on */
        LISTENER_ELSEWHERE,
        _LISTENER_PLACE_MAX,
} ListenerPlace;

/* Whether any process of the unit that the socket is declared for has it open. */
typedef enum SocketHeld {
        HELD_UNTOLD, /* their descriptors cannot be read, or there is nothing to know the socket by */
        HELD_BY_UNIT,
        HELD_NOT_BY_UNIT,
        _SOCKET_HELD_MAX,
} SocketHeld;

/* A socket is the service's own where the process that listens is, or where one of its processes has it open: a worker
 * of a master that is gone, a service that systemd or somebody else made the socket for. It is a stranger's where
 * neither holds. A listener that has ended proves nothing: who has its socket now is to be looked for. */
SocketOwner socket_owner_decide(ListenerPlace listener, SocketHeld held);
