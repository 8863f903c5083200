/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/socket_dump.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <linux/unix_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum {
        STATE_LISTEN = 10, /* TCP_LISTEN, which unix sockets borrow */
        N_LISTENERS_FIRST = 64,
        N_NAME_BYTES_FIRST = 4096,
        TAKES_MAX = 2, /* a dump that the kernel calls inconsistent is taken again once */
};

/* So long a connection may wait without being worth a word: its server is at another one. */
#define STANDING_USEC (200 * USEC_PER_MSEC)

static int reserve_listener(SocketPicture *p) {
        size_t n = p->n_listeners_allocated > 0 ? p->n_listeners_allocated * 2 : N_LISTENERS_FIRST;
        Listener *grown;

        if (p->n_listeners < p->n_listeners_allocated)
                return 0;
        if (p->n_listeners >= SOCKET_DUMP_LISTENERS_MAX)
                return -E2BIG;
        grown = reallocarray(p->listeners, n, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        p->listeners = grown;
        p->n_listeners_allocated = n;
        return 0;
}

static int reserve_name(SocketPicture *p, size_t n_more) {
        size_t n = p->n_name_bytes_allocated > 0 ? p->n_name_bytes_allocated : N_NAME_BYTES_FIRST;
        char *grown;

        if (p->n_name_bytes + n_more <= p->n_name_bytes_allocated)
                return 0;
        while (n < p->n_name_bytes + n_more)
                n *= 2;
        grown = realloc(p->names, n);
        if (!grown)
                return -ENOMEM;
        p->names = grown;
        p->n_name_bytes_allocated = n;
        return 0;
}

static int picture_add(SocketPicture *p, const Listener *l, const char *name, size_t n_name) {
        int r;

        r = reserve_listener(p);
        if (r < 0)
                return r;
        r = reserve_name(p, n_name + 1);
        if (r < 0)
                return r;

        p->listeners[p->n_listeners] = *l;
        p->listeners[p->n_listeners++].name = p->n_name_bytes;
        memcpy(p->names + p->n_name_bytes, name, n_name);
        p->names[p->n_name_bytes + n_name] = '\0';
        p->n_name_bytes += n_name + 1;
        return 0;
}

static int compare_listeners(const Listener *a, const Listener *b) {
        if (a->device != b->device)
                return a->device < b->device ? -1 : 1;
        if (a->inode != b->inode)
                return a->inode < b->inode ? -1 : 1;
        return a->socket < b->socket ? -1 : a->socket > b->socket;
}

static void sift_down(Listener *heap, size_t top, size_t n) {
        for (;;) {
                size_t child = 2 * top + 1;
                Listener swap;

                if (child >= n)
                        return;
                if (child + 1 < n && compare_listeners(&heap[child], &heap[child + 1]) < 0)
                        child++;
                if (compare_listeners(&heap[top], &heap[child]) >= 0)
                        return;
                swap = heap[top];
                heap[top] = heap[child];
                heap[child] = swap;
                top = child;
        }
}

/* Heap sort, because qsort(3) of glibc allocates. */
void socket_picture_sort(SocketPicture *p) {
        for (size_t i = p->n_listeners / 2; i > 0; i--)
                sift_down(p->listeners, i - 1, p->n_listeners);
        for (size_t n = p->n_listeners; n > 1; n--) {
                Listener last = p->listeners[n - 1];

                p->listeners[n - 1] = p->listeners[0];
                p->listeners[0] = last;
                sift_down(p->listeners, 0, n - 1);
        }
}

/* One without a file (abstract) is of no interest. */
int socket_picture_take(const void *body, size_t n, void *picture) {
        const struct unix_diag_msg *socket = body;
        const struct unix_diag_vfs *file = NULL;
        const struct unix_diag_rqlen *queue = NULL;
        const uint32_t *waiting = NULL;
        const char *name = "";
        size_t n_name = 0;
        int left = (int) n - (int) sizeof(*socket); /* signed: RTA_NEXT() may take more than is there */

        if (left < 0)
                return -EBADMSG;

        for (const struct rtattr *a = (const void *) (socket + 1); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
                if (a->rta_type == UNIX_DIAG_VFS && RTA_PAYLOAD(a) >= sizeof(*file))
                        file = RTA_DATA(a);
                else if (a->rta_type == UNIX_DIAG_RQLEN && RTA_PAYLOAD(a) >= sizeof(*queue))
                        queue = RTA_DATA(a);
                else if (a->rta_type == UNIX_DIAG_ICONS && RTA_PAYLOAD(a) >= sizeof(*waiting))
                        waiting = RTA_DATA(a);
                else if (a->rta_type == UNIX_DIAG_NAME) {
                        name = RTA_DATA(a);
                        n_name = strnlen(name, RTA_PAYLOAD(a));
                }
        }
        if (!file)
                return 0;

        return picture_add(picture,
                           &(Listener){
                                   .device = file->udiag_vfs_dev,
                                   .inode = file->udiag_vfs_ino,
                                   .socket = socket->udiag_ino,
                                   .backlog = queue ? queue->udiag_rqueue : 0,
                                   .backlog_max = queue ? queue->udiag_wqueue : 0,
                                   .first = waiting ? waiting[0] : 0,
                           },
                           name, n_name);
}

int socket_dump_take(SockDiag *d, SocketPicture *p) {
        const struct unix_diag_req request = {
                .sdiag_family = AF_UNIX,
                .udiag_states = 1 << STATE_LISTEN,
                .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN | UDIAG_SHOW_ICONS,
        };
        int r = -EINTR;

        for (unsigned i = 0; r == -EINTR && i < TAKES_MAX; i++) {
                p->n_listeners = p->n_name_bytes = 0;
                r = sock_diag_dump(d, &request, sizeof(request), socket_picture_take, p);
        }
        if (r < 0)
                return r;
        socket_picture_sort(p);
        return 0;
}

void socket_picture_lend_names(SocketPicture *before, SocketPicture *now) {
        if (!before->names)
                return;
        free(now->names);
        now->names = TAKE_PTR(before->names);
        now->n_name_bytes_allocated = before->n_name_bytes_allocated;
        before->n_name_bytes = before->n_name_bytes_allocated = 0;
}

const Listener *socket_picture_find(const SocketPicture *p, uint32_t device, uint32_t inode) {
        const Listener wanted = { .device = device, .inode = inode };
        size_t low = 0, high = p->n_listeners;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (compare_listeners(&p->listeners[middle], &wanted) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low < p->n_listeners && p->listeners[low].device == device && p->listeners[low].inode == inode)
                return &p->listeners[low];
        return NULL;
}

const Listener *socket_picture_find_name(const SocketPicture *p, const char *name) {
        for (size_t i = 0; i < p->n_listeners; i++)
                if (strcmp(p->names + p->listeners[i].name, name) == 0)
                        return &p->listeners[i];
        return NULL;
}

/* Whether nothing has been taken from the queue since: it is first in, first out. Where the client of the first one has
 * closed it, the kernel does not name it any more, and only a shorter queue is a proof. */
static bool stands(const Listener *now, const Listener *before) {
        if (now->first != 0 && before->first != 0)
                return now->first == before->first;
        return now->first == 0 && now->backlog >= before->backlog;
}

void socket_picture_follow_queues(SocketPicture *p, const SocketPicture *before, uint64_t now_usec) {
        size_t i_before = 0;

        for (size_t i = 0; i < p->n_listeners; i++) {
                Listener *l = &p->listeners[i];
                const Listener *same = NULL;

                while (i_before < before->n_listeners && compare_listeners(&before->listeners[i_before], l) < 0)
                        i_before++;
                if (i_before < before->n_listeners && compare_listeners(&before->listeners[i_before], l) == 0)
                        same = &before->listeners[i_before];
                if (l->backlog == 0)
                        continue;
                l->waiting_since_usec =
                        same && same->waiting_since_usec > 0 && stands(l, same) ? same->waiting_since_usec : now_usec;
                l->is_standing = now_usec - l->waiting_since_usec >= STANDING_USEC;
        }
}

bool socket_picture_equal(const SocketPicture *a, const SocketPicture *b) {
        if (a->n_listeners != b->n_listeners)
                return false;
        for (size_t i = 0; i < a->n_listeners; i++)
                if (compare_listeners(&a->listeners[i], &b->listeners[i]) != 0 ||
                    listener_is_full(&a->listeners[i]) != listener_is_full(&b->listeners[i]) ||
                    a->listeners[i].is_standing != b->listeners[i].is_standing)
                        return false;
        return true;
}

void socket_picture_done(SocketPicture *p) {
        free(p->listeners);
        free(p->names);
        *p = (SocketPicture){ 0 };
}
