/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel's list of listening unix sockets (sock_diag(7)), and pictures of it that can be searched and compared.
 * Only socket_table.c speaks to this. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boundary/sock_diag.h"

enum {
        SOCKET_DUMP_LISTENERS_MAX = 128 * 1024,
};

typedef struct Listener {
        uint32_t device, inode; /* of the socket's file, in the kernel's encoding, the inode's lower 32 bits */
        uint32_t socket; /* the socket's own inode: a new one where a listener came back on a reused file inode */
        uint32_t backlog, backlog_max; /* connections waiting, and their limit; the kernel admits one beyond it */
        uint32_t first; /* the one that has waited longest, by the inode of its client's socket; 0: there is
                         * none, or its client has closed it */
        uint64_t waiting_since_usec; /* monotonic: since then none was taken by accept(); 0: none waits */
        bool is_standing;            /* for longer than one that is merely on its way */
        size_t name;                 /* offset of the path given to bind() */
} Listener;

/* Memory only grows and is reused: taking a picture of what was there before allocates nothing. */
typedef struct SocketPicture {
        Listener *listeners; /* sorted by device, inode, socket */
        size_t n_listeners, n_listeners_allocated;
        char *names; /* each NUL-terminated */
        size_t n_name_bytes, n_name_bytes_allocated;
} SocketPicture;

/* Takes a new picture. Does not block: the kernel fills in each part of a dump as the one before is read. Negative
 * errno; the picture is then half a one. */
int socket_dump_take(SockDiag *d, SocketPicture *p);
/* Its two steps: a sock_diag_take_t, which adds one socket to the picture, and what has to follow the last one. */
int socket_picture_take(const void *body, size_t n, void *picture);
void socket_picture_sort(SocketPicture *p);

/* NULL: no socket listens on that file. */
const Listener *socket_picture_find(const SocketPicture *p, uint32_t device, uint32_t inode);
/* A listener that was bound by exactly this path, or NULL. Looks at all of them: meant for the few that are not found
 * by their file. */
const Listener *socket_picture_find_name(const SocketPicture *p, const char *name);
/* Gives the memory of `before`'s names, which are not looked for any more, to the picture that is to be taken. */
void socket_picture_lend_names(SocketPicture *before, SocketPicture *now);
/* Works out of the picture before it since when queues have not moved; the newer one was taken at now_usec. */
void socket_picture_follow_queues(SocketPicture *p, const SocketPicture *before, uint64_t now_usec);
/* Whether the same sockets listen, the same ones have a full queue, and the same ones a standing one. */
bool socket_picture_equal(const SocketPicture *a, const SocketPicture *b);
void socket_picture_done(SocketPicture *p);

static inline bool listener_is_full(const Listener *l) {
        return l->backlog > l->backlog_max;
}
