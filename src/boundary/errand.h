/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the server has another process do, which has a right that the server itself is not to have: one connection to
 * that process's socket for each errand, one message there, and one back. A descriptor may go with either. */

#include <stddef.h>

/* Asks whoever listens on the unix socket at `path`. Returns the connection, to be closed, readable once there is an
 * answer. Never blocks. -ENOENT, -ECONNREFUSED: nobody is there; -EAGAIN: too many have asked; -ECONNRESET: who was
 * there has hung up; other negative errno. */
int errand_ask(const char *path, const void *question, size_t n, int fd);
/* 0: *ret_error is how it went (0, or a positive errno), *ret_fd what came along (-1: nothing). -EAGAIN: there is no
 * answer yet. -ECONNRESET: there will be none; -EBADMSG: it cannot be understood. */
int errand_read_answer(int connection, int *ret_error, int *ret_fd);

/* -- for whoever runs errands -- */

/* Takes one question after the other from the listening socket `listener`, only from root and from the own user, and
 * waits for a second at most for one that does not come. `run` answers it. Returns negative errno when it cannot go on.
 */
int errand_serve(int listener, void (*run)(int connection));
/* Of exactly n bytes; *ret_fd what came along, -1: nothing. */
int errand_read_question(int connection, void *question, size_t n, int *ret_fd);
/* `error`: 0 or a positive errno. It is of no use to tell whoever does not listen any more. */
void errand_answer(int connection, int error, int fd);
