/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/socket_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/clock.h"
#include "boundary/socket_dump.h"
#include "boundary/socket_path.h"
#include "boundary/unix_connect.h"

static const char *const socket_state_table[] = {
        [SOCKET_UNKNOWN] = "unknown",
        [SOCKET_ALIVE] = "alive",
        [SOCKET_MISSING] = "missing",
        [SOCKET_NO_LISTENER] = "no-listener",
        [SOCKET_UNLINKED] = "unlinked",
        [SOCKET_FOREIGN] = "foreign",
        [SOCKET_NOT_ACCEPTING] = "not-accepting",
        [SOCKET_LINK] = "link",
};

DEFINE_STRING_TABLE(SocketState, socket_state, _SOCKET_STATE_MAX)

struct SocketTable {
        SockDiag diag;
        SocketPicture pictures[2]; /* the last good one, and room for the next */
        unsigned current;
        bool is_good; /* the last refresh worked: pictures[current] may be asked */
};

int socket_table_new(SocketTable **ret) {
        SocketTable *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->diag.fd = -1;
        *ret = t;
        return 0;
}

SocketTable *socket_table_free(SocketTable *t) {
        if (!t)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(t->pictures); i++)
                socket_picture_done(&t->pictures[i]);
        sock_diag_done(&t->diag);
        free(t);
        return NULL;
}

int socket_table_refresh(SocketTable *t, bool *ret_changed) {
        SocketPicture *before = &t->pictures[t->current], *now = &t->pictures[!t->current];
        bool was_good = t->is_good;
        int r;

        socket_picture_lend_names(before, now);
        r = socket_dump_take(&t->diag, now);
        t->is_good = r == 0;
        if (r < 0)
                return r;

        socket_picture_follow_queues(now, before, clock_monotonic_usec());
        t->current = !t->current;
        *ret_changed = !was_good || !socket_picture_equal(before, now);
        return 0;
}

static const Listener *find(const SocketTable *t, uint32_t device, uint32_t inode) {
        return t->is_good ? socket_picture_find(&t->pictures[t->current], device, inode) : NULL;
}

/* The kernel's own encoding of a device number; stat() uses another one. */
static uint32_t device_of(const struct stat *st) {
        return (uint32_t) major(st->st_dev) << 20 | (uint32_t) minor(st->st_dev);
}

static const Listener *find_file(const SocketTable *t, const struct stat *st) {
        return find(t, device_of(st), (uint32_t) st->st_ino);
}

static void describe(SocketSighting *s, const Listener *l) {
        s->state = listener_is_full(l) ? SOCKET_NOT_ACCEPTING : SOCKET_ALIVE;
        s->backlog = l->backlog;
        s->backlog_max = l->backlog_max;
        s->socket = l->socket;
        s->file_device = l->device;
        s->file_inode = l->inode;
        s->waiting_since_usec = l->is_standing || listener_is_full(l) ? l->waiting_since_usec : 0;
}

/* Something is bound to the file, and no listener in the picture was bound to its name: it may be a datagram socket,
 * may not listen yet, or may live in another network namespace, which the dump does not see. */
static SocketState ask_by_connecting(int file) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return SOCKET_UNKNOWN;
        switch (-unix_connect(fd, file)) {
        case 0:
        case EPROTOTYPE:
                return SOCKET_ALIVE;
        case EAGAIN:
                return SOCKET_NOT_ACCEPTING;
        case ECONNREFUSED:
                return SOCKET_NO_LISTENER;
        default:
                return SOCKET_UNKNOWN;
        }
}

typedef struct Look {
        const SocketTable *table;
        int root;
        const char *path;
        const SocketSighting *before;
} Look;

/* A listener that was bound to this very path, wherever its file is now. */
static const Listener *find_name(const Look *l) {
        if (!l->table->is_good || l->root >= 0)
                return NULL;
        return socket_picture_find_name(&l->table->pictures[l->table->current], l->path);
}

/* No picture tells for how long already. */
static void take_full_queue(SocketSighting *s, const SocketSighting *before) {
        bool was_full = before && before->state == SOCKET_NOT_ACCEPTING && before->inode == s->inode &&
                        before->waiting_since_usec > 0;

        s->waiting_since_usec = was_full ? before->waiting_since_usec : clock_monotonic_usec();
}

/* The picture does not hold the file, which proves nothing: on overlayfs and btrfs stat() speaks of another device and
 * inode than the kernel. There the name counts where something is bound to the file; where both speak of the same
 * device the listener of that name has lost its file to another one, which came after the picture. */
static void ask_the_file(SocketSighting *s, const Look *look, int file, const struct stat *st) {
        const Listener *same_name = find_name(look);
        const SocketSighting *before = look->before;
        bool is_named = same_name && same_name->device != device_of(st);
        int r = unix_is_bound(file);

        if (r < 0)
                s->state = SOCKET_UNKNOWN;
        else if (r == 0)
                s->state = same_name ? SOCKET_UNLINKED : SOCKET_NO_LISTENER;
        else if (is_named)
                describe(s, same_name);
        else if (before && before->state == SOCKET_ALIVE && before->inode == s->inode && before->socket == 0)
                s->state = SOCKET_ALIVE;
        else
                s->state = ask_by_connecting(file);
        s->is_out_of_sight = r > 0 && !is_named;
        if (s->state == SOCKET_NOT_ACCEPTING && !is_named)
                take_full_queue(s, before);
}

/* Want of descriptors is our own fault, and no sign of a change: what was seen before is believed as long as the name
 * and the picture do not say otherwise. */
static void look_without_file(SocketSighting *s, const Look *look) {
        const SocketSighting *before = look->before;
        const Listener *l;
        struct stat st;

        if (!before || look->root >= 0 || lstat(look->path, &st) < 0 || st.st_ino != before->inode)
                return;
        l = find_file(look->table, &st);
        if (!l || l->socket != before->socket)
                return;
        s->inode = st.st_ino;
        describe(s, l);
}

/* `file`: the socket's, or why it could not be opened. */
static void look_at(SocketSighting *s, const Look *look, int file) {
        const Listener *l;
        struct stat st;

        if (file == -ENOENT || file == -ENOTDIR)
                s->state = find_name(look) ? SOCKET_UNLINKED : SOCKET_MISSING;
        else if (file == -ELOOP)
                s->state = SOCKET_LINK;
        else if (file == -EMFILE || file == -ENFILE)
                look_without_file(s, look);
        if (file < 0 || fstat(file, &st) < 0)
                return;
        s->inode = st.st_ino;

        if (!S_ISSOCK(st.st_mode)) {
                s->state = find_name(look) ? SOCKET_UNLINKED : SOCKET_NO_LISTENER;
                return;
        }
        l = find_file(look->table, &st);
        if (l)
                describe(s, l);
        else
                ask_the_file(s, look, file, &st);
}

bool socket_table_follow(const SocketTable *t, SocketSighting *seen) {
        const Listener *l = seen->socket != 0 ? find(t, seen->file_device, seen->file_inode) : NULL;

        if (!l || l->socket != seen->socket)
                return false;
        describe(seen, l);
        return true;
}

SocketSighting socket_table_look(const SocketTable *t, int root, const char *path, const SocketSighting *before,
                                 int *ret_file) {
        const Look look = { t, root, path, before };
        _cleanup_close_ int file = socket_path_open(root, path);
        SocketSighting s = { .state = SOCKET_UNKNOWN };

        look_at(&s, &look, file);
        *ret_file = file >= 0 && socket_state_is_good(s.state) ? TAKE_FD(file) : -1;
        return s;
}
