/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which unix sockets listen right now, asked of the kernel by sock_diag(7) in one dump for all services, and what that
 * says of a path. No connection is made where the dump can answer. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/string_table.h"

typedef enum SocketState {
        SOCKET_UNKNOWN,       /* the evidence cannot be had */
        SOCKET_ALIVE,         /* the path is a socket and its listener lives */
        SOCKET_MISSING,       /* nothing at the path, and no listener that was bound to it */
        SOCKET_NO_LISTENER,   /* a socket file (or another kind of file), nobody listens on it */
        SOCKET_UNLINKED,      /* a listener bound to this path lives, but the path is gone or is another file */
        SOCKET_FOREIGN,       /* alive, held by a process outside the service */
        SOCKET_NOT_ACCEPTING, /* alive, accept queue full */
        _SOCKET_STATE_MAX,
        SOCKET_STATE_INVALID = -EINVAL,
} SocketState;

DECLARE_STRING_TABLE(SocketState, socket_state)
/* "unknown", "alive", "missing", "no-listener", "unlinked", "foreign", "not-accepting" */

typedef struct SocketTable SocketTable;

typedef struct SocketSighting {
        SocketState state;             /* never FOREIGN here: whose it is, is judged by the caller */
        uint32_t backlog, backlog_max; /* connections waiting for accept(), and their limit; 0, 0 where unknown */
        uint64_t inode;                /* of the path as st_ino; 0: no file */
        uint32_t socket;               /* the listening socket's own inode, as /proc/PID/fd shows it; 0: not known */
} SocketSighting;

/* 0; where the kernel has no unix_diag the table still works, by connecting. -ENOMEM. */
int socket_table_new(SocketTable **ret);
SocketTable *socket_table_free(SocketTable *t);
DEFINE_CLEANUP(SocketTable *, socket_table_free)

/* Takes a new picture of all listening unix sockets in this network namespace; memory is kept and reused. Does not
 * block (the kernel answers a dump at once). *ret_changed: whether it differs from the last one in which sockets listen
 * or in their queue being full. 0 or negative errno (the table then answers by connecting until the next good refresh).
 */
int socket_table_refresh(SocketTable *t, bool *ret_changed);

/* What the last picture says of `path`: stat() plus a look-up by (device, inode); where those cannot match although a
 * listener was bound to this very name (overlayfs, btrfs), the kernel is asked whether anything is bound to the file.
 * Only what no picture shows (another network namespace, no unix_diag) is connected to, before anything is called dead.
 * Never blocks, never fails: what cannot be known is SOCKET_UNKNOWN. */
SocketSighting socket_table_look(const SocketTable *t, const char *path);

/* The process that listens at `path` as the kernel recorded it at listen() (SO_PEERCRED), by a connection that is
 * closed at once without a byte. 0, -ENOENT, -ECONNREFUSED, -EAGAIN (queue full), or negative errno. */
int socket_listener_pid(const char *path, pid_t *ret_pid);
