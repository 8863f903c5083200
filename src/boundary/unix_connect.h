/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* connect() to a unix socket by an O_PATH descriptor of its file (socket_path.c): to that very file, wherever its path
 * leads by now, and of whatever length. Needs /proc.
 *
 * 0 or negative errno. On a non-blocking socket -EAGAIN means that the accept queue is full; unlike TCP's EINPROGRESS
 * it cannot be awaited by poll(), which reports the unconnected socket as hung up: try again later. */
int unix_connect(int fd, int file);

/* Whether any socket is bound to the socket file `file`, O_PATH: 1, 0 or negative errno. Asked with a datagram socket:
 * the kernel finds the bound socket before it looks at the type, so it says ECONNREFUSED if and only if there is none,
 * EPROTOTYPE for a stream, and what it does to a datagram receiver leaves no trace there. A stream connect() would take
 * a place in a live listener's queue, and would be refused by one between its bind() and its listen() as if nobody were
 * there. */
int unix_is_bound(int file);
