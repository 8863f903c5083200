/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Networks that services have for themselves (PrivateNetwork=, ip-netns(8)). */

#include <stdint.h>
#include <sys/types.h>

/* A number for the network that the process is in; that of our own for pid 0. 0: it cannot be told, as the process is
 * gone. UINT64_MAX: as it is not for us to see. */
uint64_t network_namespace_id(pid_t pid);
