/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The TCP listeners of another network than ours, from /proc/PID/net: what it takes no right for. (sock_diag(7) tells
 * more, and only of the network that its socket was made in: to make one elsewhere takes CAP_SYS_ADMIN.) */

#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct PortFiles {
        int tcp, tcp6; /* -1: there is none */
} PortFiles;

typedef struct PortFileLine {
        struct in6_addr address; /* of an IPv4 listener: as ::ffff:a.b.c.d */
        uint16_t port;
        uint32_t backlog, uid, socket;
} PortFileLine;

/* Of the network that the process is in now; it lasts as long as they are open. Negative errno. */
int port_files_open(pid_t pid, PortFiles *ret);
void port_files_done(PortFiles *files);

/* Reads them anew. A negative errno of `take` ends it, and is returned. */
typedef int (*port_files_take_t)(const PortFileLine *line, void *userdata);
int port_files_read(const PortFiles *files, port_files_take_t take, void *userdata);
