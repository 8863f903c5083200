/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The end of processes. One that is not ours is ended, and no other: it is held by a descriptor from before it was
 * looked at until it is gone, so that its number cannot come to mean somebody else meanwhile. */

#include <stdbool.h>
#include <sys/types.h>

#include "boundary/socket_holders.h"

/* Whether it has ended, be it that nobody has asked for its end yet; or is about to: its connections and listeners
 * close one by one before that. */
bool process_has_died(pid_t pid);

/* A pidfd of the process that has this socket open, made sure of by looking again when it was held: to be closed;
 * readable once the process has ended. -ESRCH: it has not, any more. */
int process_hold(const SocketHolder *holder);

/* Whether it may have come by the socket on its own: who made the socket was root, or the user that the process runs
 * as. Else it may have been handed it, by somebody who wants it ended. True as well where that cannot be told any more.
 */
bool process_may_own_socket(const SocketHolder *holder);
