/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Keeps the sight of all declared sockets fresh: inotify tells of files, a sweep of the kernel's table tells of
 * listeners that were closed while the file stayed, for which there is no event. */

#include "server/service.h"

typedef struct Sockets Sockets;

int sockets_new(Supervisor *s, Sockets **ret);
Sockets *sockets_free(Sockets *k);
DEFINE_CLEANUP(Sockets *, sockets_free)

/* Nothing is looked at before this: whose a socket is, is cheap to tell once systemd has named the processes of all
 * services, and one picture of the kernel's table serves them all. */
void sockets_begin(Sockets *k);

/* The service's folders are watched from now on (until sockets_forget()). */
void sockets_follow(Sockets *k, Service *service);
void sockets_forget(Sockets *k, Service *service);

/* Looks at the service's sockets on the spot, with a fresh picture of the kernel's table. True when anything changed.
 */
bool sockets_look(Sockets *k, Service *service);

/* True for a moment after nothing had been looked at for so long that a queue may have been full all that time. */
bool sockets_were_long_unseen(const Sockets *k);
/* To be called before anything is answered: sweeps when the sweep is overdue. True if it was. */
bool sockets_catch_up(Sockets *k);
/* True for a while after a sweep was overdue: the server was held up, and what it shows may be from before. */
bool sockets_are_late(const Sockets *k);

/* An owner has a new InvocationID (NULL: all): what was seen of its sockets was another one's. They are looked at anew.
 */
void sockets_reset(Sockets *k, Service *service, const Action *owner);

/* An action has another main process: sockets that were not found to be its own may be found by it. */
void sockets_process_changed(Sockets *k, Service *service);

/* Where it is for us: its path, or below /proc/PID/root for a service with a file system of its own. To be freed. */
char *sockets_path(const ServiceSocket *socket);

/* ProbeReach.connect; userdata is the ServiceSocket: connects to the file that was last seen alive, if the service has
 * it, and to nothing else. */
int sockets_connect_probe(int fd, ProbeResult *refusal, void *userdata);

/* Lets go of all that is kept for it, before it is freed. */
void sockets_release(ServiceSocket *socket);
