/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Whether the process shares our network, so that its listeners are in our sight. A process that is gone counts as one
 * that does; one that cannot be looked at, as one that does not. */
bool network_namespace_is_ours(pid_t pid);
