/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which processes have a socket open. The kernel does not tell, so the descriptors of processes are read in /proc: of
 * those of one cgroup where that is known, else of all that there are, a part at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

enum {
        SOCKET_HOLDERS_MAX = 512, /* that one search reports */
};

typedef struct SocketHolder {
        pid_t pid;
        int fd;          /* its number in that process */
        uint32_t socket; /* the inode, as PortListener and SocketSighting have it */
} SocketHolder;

typedef struct HolderSearch HolderSearch;

/* A search for any of these sockets through all processes that there are; or, where `cgroup` is the descriptor of a
 * cgroup's folder (-1: none; it is not kept), through those in it. */
int holder_search_new(const uint32_t *sockets, size_t n, int cgroup, HolderSearch **ret);
HolderSearch *holder_search_free(HolderSearch *h);
DEFINE_CLEANUP(HolderSearch *, holder_search_free)

/* Reads on, at most so many descriptors (a microsecond each). 1: that was all; 0: there is more; negative errno. */
int holder_search_step(HolderSearch *h, unsigned n_descriptors_max);
/* What was found up to now, each process once for each of the sockets. */
const SocketHolder *holder_search_found(const HolderSearch *h, size_t *ret_n);
/* Some processes could not be looked into, as they are another user's, or too many were found: what is not found may be
 * there all the same. */
bool holder_search_is_partial(const HolderSearch *h);

/* Whether this one process has it open, looking at n_descriptors_max of its descriptors: 1, 0, or -E2BIG (it has more),
 * -ESRCH (it is gone), -EACCES and other negative errno. */
int process_holds_socket(pid_t pid, uint32_t socket, unsigned n_descriptors_max);

/* Whether that is still so: the process may have gone since, and its number may be another one's. */
bool socket_holder_is_true(const SocketHolder *h);
