/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whose a live socket is. It is asked once for each socket file, and again when what it was known by may be over: the
 * process that listens has ended, its service began anew. What is not the service's own is asked again now and then,
 * since a service may come to a socket that somebody else made for it. */

#include "server/service.h"

typedef struct SocketIdentity SocketIdentity;

int socket_identity_new(Supervisor *s, SocketIdentity **ret);
SocketIdentity *socket_identity_free(SocketIdentity *k);
DEFINE_CLEANUP(SocketIdentity *, socket_identity_free)

/* Finds out who has the live socket: by looking at the descriptors of those who should have it, and where that does not
 * tell by the connection `fd`, or, for -1, by one that is closed without a byte. */
void socket_identity_ask(SocketIdentity *k, ServiceSocket *socket, int fd);
/* For one that is not known to be the service's own: finds out whether that has changed. Makes no connection unless it
 * has. */
void socket_identity_ask_again(SocketIdentity *k, ServiceSocket *socket);
/* Goes on with what ask_again() has begun, for a millisecond. */
void socket_identity_work(SocketIdentity *k);
/* Nothing is known. Frees all that belongs to it. */
void socket_identity_forget(ServiceSocket *socket);

/* Connects a probe's socket to a live one, if it is the service's own. As ProbeReach.connect has it. */
int socket_identity_connect(SocketIdentity *k, ServiceSocket *socket, int fd, ProbeResult *refusal);
