/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/socket_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "boundary/socket_dump.h"
#include "boundary/unix_connect.h"

static const char *const socket_state_table[] = {
        [SOCKET_UNKNOWN] = "unknown",
        [SOCKET_ALIVE] = "alive",
        [SOCKET_MISSING] = "missing",
        [SOCKET_NO_LISTENER] = "no-listener",
        [SOCKET_UNLINKED] = "unlinked",
        [SOCKET_FOREIGN] = "foreign",
        [SOCKET_NOT_ACCEPTING] = "not-accepting",
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

        r = socket_dump_take(&t->diag, now);
        t->is_good = r == 0;
        if (r < 0)
                return r;

        t->current = !t->current;
        *ret_changed = !was_good || !socket_picture_equal(before, now);
        return 0;
}

static int connect_to(const char *path, int *ret_fd) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int r;

        if (fd < 0)
                return -errno;
        r = unix_connect(fd, path);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int socket_listener_pid(const char *path, pid_t *ret_pid) {
        _cleanup_close_ int fd = -1;
        struct ucred peer;
        socklen_t n = sizeof(peer);
        int r;

        r = connect_to(path, &fd);
        if (r < 0)
                return r;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
                return -errno;
        if (peer.pid <= 0)
                return -ESRCH; /* of a pid namespace that is not below ours */
        *ret_pid = peer.pid;
        return 0;
}

static const Listener *find_file(const SocketTable *t, const struct stat *st) {
        /* The kernel's own encoding of a device number; stat() uses another one. */
        uint32_t device = (uint32_t) major(st->st_dev) << 20 | (uint32_t) minor(st->st_dev);

        return t->is_good ? socket_picture_find(&t->pictures[t->current], device, (uint32_t) st->st_ino) : NULL;
}

static const Listener *find_name(const SocketTable *t, const char *path) {
        return t->is_good ? socket_picture_find_name(&t->pictures[t->current], path) : NULL;
}

static void describe(SocketSighting *s, const Listener *l) {
        s->state = listener_is_full(l) ? SOCKET_NOT_ACCEPTING : SOCKET_ALIVE;
        s->backlog = l->backlog;
        s->backlog_max = l->backlog_max;
        s->socket = l->socket;
}

/* Something is bound to the file, and no listener in the picture was bound to its name: it may be a datagram socket,
 * may not listen yet, or may live in another network namespace, which the dump does not see. */
static SocketState ask_by_connecting(const char *path) {
        _cleanup_close_ int fd = -1;

        switch (-connect_to(path, &fd)) {
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

/* The picture does not hold the file, which proves nothing: on overlayfs and btrfs stat() speaks of other numbers than
 * the kernel's inode. The name counts where something is bound to the file; else the listener of that name lost its
 * file. */
static void ask_the_file(SocketSighting *s, const SocketTable *t, const char *path) {
        const Listener *same_name = find_name(t, path);
        int r = unix_is_bound(path);

        if (r == -ENOENT || r == -ENOTDIR)
                s->state = same_name ? SOCKET_UNLINKED : SOCKET_MISSING;
        else if (r < 0)
                s->state = SOCKET_UNKNOWN;
        else if (r == 0)
                s->state = same_name ? SOCKET_UNLINKED : SOCKET_NO_LISTENER;
        else if (same_name)
                describe(s, same_name);
        else
                s->state = ask_by_connecting(path);
}

SocketSighting socket_table_look(const SocketTable *t, const char *path) {
        SocketSighting s = { .state = SOCKET_UNKNOWN };
        const Listener *l;
        struct stat st;

        if (stat(path, &st) < 0) {
                if (errno == ENOENT || errno == ENOTDIR)
                        s.state = find_name(t, path) ? SOCKET_UNLINKED : SOCKET_MISSING;
                return s;
        }
        s.inode = st.st_ino;

        if (!S_ISSOCK(st.st_mode)) {
                s.state = find_name(t, path) ? SOCKET_UNLINKED : SOCKET_NO_LISTENER;
                return s;
        }
        l = find_file(t, &st);
        if (l)
                describe(&s, l);
        else
                ask_the_file(&s, t, path);
        return s;
}
