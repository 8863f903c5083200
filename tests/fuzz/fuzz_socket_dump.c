/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's dump of unix sockets: parts, each a length (two bytes) and its bytes, through a real socket. */
#include "fuzz_target.h"

#include <fcntl.h>
#include <sanitizer/asan_interface.h>
#include <sys/socket.h>

#include "boundary/sock_diag.h"
#include "boundary/socket_dump.h"

enum {
        BUFFER_BYTES = 64 * 1024, /* of a SockDiag */
        PARTS_MAX = 16,           /* more than wait in a socket are not sent */
};

/* Puts all parts in the socket, to be read at once. The longest one's length. */
static size_t send_parts(int fd, FuzzInput in) {
        size_t longest = 0;

        for (unsigned i = 0; i < PARTS_MAX && in.n > 0; i++) {
                size_t n = fuzz_number(&in, 2);

                n = n < in.n ? n : in.n;
                CLAIM(send(fd, in.next, n, MSG_NOSIGNAL) == (ssize_t) n, "sent");
                in.next += n;
                in.n -= n;
                longest = n > longest ? n : longest;
        }
        return longest;
}

static void claim_can_be_searched(const SocketPicture *p) {
        for (size_t i = 0; i < p->n_listeners; i++) {
                const Listener *l = &p->listeners[i], *found = socket_picture_find(p, l->device, l->inode);
                const char *name = p->names + l->name;

                CLAIM(l->name < p->n_name_bytes && l->name + strlen(name) < p->n_name_bytes,
                      "the name ends in its place");
                CLAIM(found && found <= l && found->device == l->device && found->inode == l->inode, "by its file");
                found = socket_picture_find_name(p, name);
                CLAIM(found && strcmp(p->names + found->name, name) == 0, "by its name");
        }
        CLAIM(socket_picture_equal(p, p), "equal to itself");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(socket_picture_done) SocketPicture picture = { 0 };
        int fds[2];
        size_t n;

        CLAIM(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0, "socketpair");
        SockDiag diag = { .fd = fds[0], .buffer = malloc(BUFFER_BYTES) };
        n = send_parts(fds[1], (FuzzInput){ data, size });

        /* Nobody looks behind what was received. */
        ASAN_POISON_MEMORY_REGION(diag.buffer + n, BUFFER_BYTES - n);
        (void) sock_diag_dump(&diag, "?", 1, socket_picture_take, &picture);
        ASAN_UNPOISON_MEMORY_REGION(diag.buffer + n, BUFFER_BYTES - n);
        socket_picture_sort(&picture);
        claim_can_be_searched(&picture);

        sock_diag_done(&diag);
        (void) close(fds[1]);
        return 0;
}
