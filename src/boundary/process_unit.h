/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* The unit whose cgroup `pid` lives in, by the kernel's /proc/PID/cgroup: the innermost path component that is a unit
 * of the system manager, or of a user's manager where is_user. To be freed; "" when it is in no unit. -ESRCH when it is
 * gone. */
int process_unit_of(pid_t pid, bool is_user, char **ret);
