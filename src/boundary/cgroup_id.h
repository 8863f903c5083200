/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The folder where cgroup v2 is mounted. -EOPNOTSUPP: nowhere. */
int cgroup_root_open(void);

/* The unit whose cgroup v2 has this id, as the kernel keeps it for a socket from the moment it was made, and the
 * cgroup's folder (to be closed) to list its processes. The unit is as of process_unit_of(): "" where the cgroup is in
 * none. -ESTALE: that cgroup is gone. -EPERM: only root may ask. */
int cgroup_id_find_unit(uint64_t id, bool is_user, char **ret_unit, int *ret_fd);
