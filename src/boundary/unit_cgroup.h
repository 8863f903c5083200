/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* The folder where cgroup v2 is mounted. -EOPNOTSUPP: nowhere. */
int cgroup_root_open(void);

/* The cgroup's folder of `unit`, which `member` lives in, to be closed; its inode's number is what the kernel keeps for
 * a socket from the moment it was made. -ESRCH: `member` is gone, or not in that unit. */
int unit_cgroup_open(pid_t member, const char *unit);

/* Whether a process in the cgroup of `unit`, which `member` (its main process) lives in, or in one below it, has the
 * socket with this inode open. 1 and *ret_pid: which, `member` before all others; 0: none has; negative errno where it
 * cannot be told: -ESRCH
 * (`member` is gone, or not in that unit), -EACCES (some may not be looked into), -E2BIG (more to look through than may
 * be read at once). Reads /proc: a microsecond a descriptor. */
int unit_cgroup_find_holder(pid_t member, const char *unit, uint32_t socket, pid_t *ret_pid);
