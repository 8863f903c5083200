/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One question to the kernel about all its sockets of a kind (sock_diag(7)), and the answer message by message. What is
 * asked and what is said is the business of socket_dump.c and port_table.c. */

#include <stddef.h>
#include <stdint.h>

typedef struct SockDiag {
        int fd; /* -1: opened at the next dump */
        uint32_t sequence;
        char *buffer;
} SockDiag;

/* One socket: the body of a message, `n` bytes. Negative errno ends the dump. */
typedef int (*sock_diag_take_t)(const void *body, size_t n, void *userdata);

/* Sends `body`, a struct unix_diag_req or inet_diag_req_v2, and has each socket of the answer taken. Does not block:
 * the kernel fills in each part of a dump as the one before is read. -EINTR: the kernel says that its table changed
 * meanwhile, so what was taken may lack something. Other negative errno. */
int sock_diag_dump(SockDiag *d, const void *body, size_t n, sock_diag_take_t take, void *userdata);
void sock_diag_done(SockDiag *d);
