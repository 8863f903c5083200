/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

enum {
        PROCESS_COMMAND_MAX = 16, /* the kernel's own limit, its NUL included */
};

/* The unit whose cgroup `pid` lives in, by the kernel's /proc/PID/cgroup: the innermost path component that is a unit
 * of the system manager, or of a user's manager where is_user: there a unit of the system's, whose name may be that of
 * one of the user's, is told as "NAME (system)". To be freed; "" when it is in no unit. -ESRCH when it is gone. */
int process_unit_of(pid_t pid, bool is_user, char **ret);

/* The same for a cgroup, given its path; what stands before the path in the file system does no harm. -ENOMEM. */
int process_unit_of_cgroup(const char *path, bool is_user, char **ret);

/* The command's name as the kernel keeps it, without its arguments, which may hold secrets; what could confuse a
 * terminal is shown as '?'. "" where it is gone. */
void process_command_of(pid_t pid, char ret[PROCESS_COMMAND_MAX]);
