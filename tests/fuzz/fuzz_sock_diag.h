/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel's side of a dump of sockets: parts, each a length (two bytes) and its bytes, through a real socket. */

#include "fuzz_target.h"

#include <sanitizer/asan_interface.h>
#include <sys/socket.h>

/* As source, for its number of the last request, which goes up for ever: of all the inputs that a process is given only
 * the first would be an answer. So it begins anew in each: the messages of the first dump bear 1, of the second 2. */
#include "boundary/sock_diag.c"

enum { FUZZ_PARTS_MAX = 16 }; /* more than wait in a socket are not sent */

/* Puts all parts in the socket, to be read at once. The longest one's length. */
static size_t send_parts(int fd, FuzzInput in) {
        size_t longest = 0;

        for (unsigned i = 0; i < FUZZ_PARTS_MAX && in.n > 0; i++) {
                size_t n = fuzz_number(&in, 2);

                n = n < in.n ? n : in.n;
                CLAIM(send(fd, in.next, n, MSG_NOSIGNAL) == (ssize_t) n, "sent");
                in.next += n;
                in.n -= n;
                longest = n > longest ? n : longest;
        }
        return longest;
}

/* Has the dumps of `d` answered by the input, until fuzz_hear_no_more(). The socket is handed over, so that none is
 * made that would ask the real kernel. Nobody looks behind what was received. */
static void fuzz_hear(SockDiag *d, FuzzInput in, int ret_fds[2]) {
        size_t n;

        CLAIM(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fds) == 0, "socketpair");
        handed = ret_fds[0];
        sequence = 0;
        if (!d->buffer)
                d->buffer = malloc(BUFFER_BYTES);
        CLAIM(d->buffer, "memory");
        n = send_parts(ret_fds[1], in);
        ASAN_POISON_MEMORY_REGION(d->buffer + n, BUFFER_BYTES - n);
}

static void fuzz_hear_no_more(SockDiag *d, int fds[2]) {
        ASAN_UNPOISON_MEMORY_REGION(d->buffer, BUFFER_BYTES);
        (void) close(fds[0]);
        (void) close(fds[1]);
        handed = -1;
}
