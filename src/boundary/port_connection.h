/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* TCP connections to the ports of this machine: made by ourselves, or by hero_proc_dialer, where the unit leaves us no
 * network. */

#include <netinet/in.h>
#include <stdint.h>

/* A non-blocking connection to the port at a loopback address (IPv4 as ::ffff:127.a.b.c, or ::1), to be closed, of
 * which poll() tells when it is there or has failed. It leaves nothing in TIME_WAIT. -EINVAL: to no other address;
 * -ECONNREFUSED and other negative errno. */
int port_connection_open(const struct in6_addr *address, uint16_t port);

/* Has the dialer that listens at `dialer` make one: what errand_ask() returns. */
int port_connection_ask(const char *dialer, const struct in6_addr *address, uint16_t port);
/* What errand_read_answer() says; *ret_error is port_connection_open()'s. */
int port_connection_take(int asked, int *ret_error, int *ret_fd);

/* The dialer's side. */
void port_connection_serve(int asker);
