/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who may do what over HTTP: the one place that decides, by what the kernel says of the other end of the socket. No
 * header ever has a say. Looking is for whoever could open the socket. */

#include <stdbool.h>
#include <sys/types.h>

/* The other end of a connection. A program in between (a router) is who it is, for all whom it speaks for. */
typedef struct Peer {
        int fd;        /* of the connection: lent */
        bool is_known; /* a unix socket: uid is the kernel's word. TCP: nobody knows who it is */
        uid_t uid;
        gid_t gid;
} Peer;

int peer_of_socket(int fd, Peer *ret);

/* Start, stop, restart and reset-failed, and reading what services log (which the journal does not show to everybody
 * either): root, and members of group `hero`. In user mode: the user alone, besides root. */
bool authority_may_operate(const Peer *peer, bool is_user);

/* Applying and removing definitions, which is running anything as anybody: nobody over HTTP, but in user mode the user.
 */
bool authority_may_define(const Peer *peer, bool is_user);
