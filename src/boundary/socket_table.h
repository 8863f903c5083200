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
        SOCKET_LINK,          /* a symbolic link stands in the path, which is not followed */
        _SOCKET_STATE_MAX,
        SOCKET_STATE_INVALID = -EINVAL,
} SocketState;

DECLARE_STRING_TABLE(SocketState, socket_state)
/* "unknown", "alive", "missing", "no-listener", "unlinked", "foreign", "not-accepting", "link" */

/* Somebody listens on it, and can be reached by its path. */
static inline bool socket_state_is_good(SocketState state) {
        return state == SOCKET_ALIVE || state == SOCKET_NOT_ACCEPTING;
}

typedef struct SocketTable SocketTable;

typedef struct SocketSighting {
        SocketState state;                /* never FOREIGN here: whose it is, is judged by the caller */
        uint32_t backlog, backlog_max;    /* connections waiting for accept(), and their limit; 0, 0 where unknown */
        uint64_t inode;                   /* of the path as st_ino; 0: no file */
        uint32_t socket;                  /* the listening socket's own inode, as /proc/PID/fd shows it; 0: not known */
        uint32_t file_device, file_inode; /* where the picture has that listener; 0, 0: nowhere */
        uint64_t waiting_since_usec; /* monotonic: connections wait, and since then none was taken by accept(), for long
                                      * enough to be worth a word; 0: not so, or not known */
        bool is_out_of_sight;        /* somebody is bound to the file whom no picture will show */
} SocketSighting;

/* 0; where the kernel has no unix_diag the table still works, by connecting. -ENOMEM. */
int socket_table_new(SocketTable **ret);
SocketTable *socket_table_free(SocketTable *t);
DEFINE_CLEANUP(SocketTable *, socket_table_free)

/* Takes a new picture of all listening unix sockets in this network namespace; memory is kept and reused. Does not
 * block (the kernel answers a dump at once). *ret_changed: whether it differs from the last one in which sockets listen
 * or in their queue being full or standing still. 0 or negative errno (the table then answers by connecting until the
 * next good refresh).
 */
int socket_table_refresh(SocketTable *t, bool *ret_changed);

/* Takes what the last picture says of the listener of a sighting, without a look at its file. False: it does not listen
 * any more, or was not in the picture's sight. For a path whose changes are told by others (socket_watch.h). */
bool socket_table_follow(const SocketTable *t, SocketSighting *seen);

/* What the last picture says of `path`: the file there (socket_path.h: links are not followed) looked up by (device,
 * inode); where those cannot match although a listener was bound to this very name (overlayfs, btrfs), the kernel is
 * asked whether anything is bound to the file. Only what no picture shows (another network namespace, no unix_diag) is
 * connected to, before anything is called dead; not again while it stays the same file that `before`, the sighting
 * before this one, said is alive. Never blocks, never fails: what cannot be known is SOCKET_UNKNOWN.
 *
 * `root`: the folder that '/' stands for, -1 for our own. With another one no listener is known by its name, which may
 * be one of ours. ret_file: O_PATH, the caller's to close, where the socket is ALIVE or NOT_ACCEPTING; else, and where
 * there is no descriptor left and it is the same as before, -1. */
SocketSighting socket_table_look(const SocketTable *t, int root, const char *path, const SocketSighting *before,
                                 int *ret_file);
