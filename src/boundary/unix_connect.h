/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* connect() to a unix socket by its path, of whatever length: one that does not fit sockaddr_un is reached through an
 * O_PATH descriptor of the socket file. Symbolic links are followed, as connect() does.
 *
 * 0 or negative errno. On a non-blocking socket -EAGAIN means that the accept queue is full; unlike TCP's EINPROGRESS
 * it cannot be awaited by poll(), which reports the unconnected socket as hung up: try again later. */
int unix_connect(int fd, const char *path);

/* Whether any socket is bound to the socket file `path`: 1, 0 or negative errno. Asked with a datagram socket: the
 * kernel finds the bound socket before it looks at the type, so it says ECONNREFUSED if and only if there is none,
 * EPROTOTYPE for a stream, and what it does to a datagram receiver leaves no trace there. A stream connect() would take
 * a place in a live listener's queue, and would be refused by one between its bind() and its listen() as if nobody were
 * there. */
int unix_is_bound(const char *path);
