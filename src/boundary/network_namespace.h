/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Networks that services have for themselves (PrivateNetwork=, ip-netns(8)). */

#include <stdint.h>
#include <sys/types.h>

/* A number for the network that the process is in; for pid 0 that of the machine, which is our own or, where we have
 * none (sock_diag_is_of_host()), that of PID 1. 0: it cannot be told, as the process is
 * gone. UINT64_MAX: as it is not for us to see. */
uint64_t network_namespace_id(pid_t pid);
