/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* `kill_others`: before an action is started, the processes outside its service that have its declared sockets and
 * ports are ended, and no others. It is done
 *   - before each start, restart and healing by hero_proc, which wait until it is over;
 *   - when systemd waits to restart an action that has died, for as long as the server is there. The shim does not do
 * it while the server is away: it is the service's user, and knows nothing of other services.
 *
 * Who has a socket is found by its descriptors in /proc. A process is held by a pidfd before it is looked at a second
 * time, gets SIGTERM, after five seconds SIGKILL, and is waited for. What is left alone, and said: systemd and
 * hero_proc themselves, every process of a service of hero_proc, whatever may not be signalled or cannot be seen. Then
 * the start goes on, and what becomes of it is the truth. */

#include "server/service.h"

/* For an action that is about to be started: true once nothing is left to be waited for (at once, without kill_others).
 * While false the service is marked when that changes. */
bool eviction_is_over(Action *a);

/* For an action that nothing is to be done with: sees to it where systemd is about to restart it. */
void eviction_follow(Action *a);

/* No process is signalled any more; what was done is forgotten. */
void eviction_drop(Action *a);
