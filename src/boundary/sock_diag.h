/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One question to the kernel about all its sockets of a kind (sock_diag(7)), and the answer message by message. What is
 * asked and what is said is the business of socket_dump.c and port_table.c. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct SockDiag {
        int fd; /* -1: opened at the next dump; unused where one was handed over */
        char *buffer;
} SockDiag;

/* One socket: the body of a message, `n` bytes. Negative errno ends the dump. */
typedef int (*sock_diag_take_t)(const void *body, size_t n, void *userdata);

/* Sends `body`, a struct unix_diag_req or inet_diag_req_v2, and has each socket of the answer taken. Does not block:
 * the kernel fills in each part of a dump as the one before is read. -EINTR: the kernel says that its table changed
 * meanwhile, so what was taken may lack something. Other negative errno. */
int sock_diag_dump(SockDiag *d, const void *body, size_t n, sock_diag_take_t take, void *userdata);
void sock_diag_done(SockDiag *d);

/* Has all dumps from now on taken by this netlink socket, which systemd has opened on the host's network
 * (units/hero_proc-diag.socket) for a server that has no network. It is borrowed for good. -ENOTSOCK and other negative
 * errno: it is no such socket. */
int sock_diag_hand_over(int fd);
bool sock_diag_is_of_host(void);
