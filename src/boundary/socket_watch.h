/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* inotify on the folders that hold sockets: says at once that something in a folder came, went or was renamed. One
 * inotify instance, one watch a folder however many services share it. */

#include <systemd/sd-event.h>

#include "base/cleanup.h"

typedef struct SocketWatch SocketWatch;

/* Something changed in `directory` (the string given to socket_watch_add()); `name` is the file, or NULL when the
 * folder itself went, came back or the kernel's queue overflowed (then all folders are called), or when it can no
 * longer be watched, or can again (socket_watch_error()). */
typedef void (*socket_watch_changed_t)(const char *directory, const char *name, void *userdata);

int socket_watch_new(sd_event *event, socket_watch_changed_t changed, void *userdata, SocketWatch **ret);
SocketWatch *socket_watch_free(SocketWatch *w);
DEFINE_CLEANUP(SocketWatch *, socket_watch_free)

/* Counts references: each add needs a remove. The folder need not exist yet: its nearest existing ancestor is watched
 * until it does. -ENOSPC when the user's inotify watches are used up (the caller goes on by sweeping), -ENOMEM. */
int socket_watch_add(SocketWatch *w, const char *directory);
void socket_watch_remove(SocketWatch *w, const char *directory);
/* Why a folder that was added is not watched any more, a negative errno as above: it was made anew when no watch was to
 * be had. 0: it is watched. */
int socket_watch_error(SocketWatch *w, const char *directory);
