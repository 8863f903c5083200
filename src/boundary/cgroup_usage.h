/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a service uses, as the kernel accounts it to the cgroup of its slice. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct CgroupUsage {
        uint64_t memory_bytes; /* UINT64_MAX: not to be had; the controller may not be there */
        uint64_t cpu_usec;     /* since the slice was made; UINT64_MAX: not to be had */
} CgroupUsage;

/* The folder that a systemd keeps its top-level slices in: PID 1's, or the calling user's manager's. False: it does not
 * fit, or there is no cgroup v2. */
bool cgroup_usage_find_root(bool is_user, char *ret, size_t size);

/* Of the service of that name below that root. */
void cgroup_usage_read(const char *root, const char *service, CgroupUsage *ret);

/* Whether the service's slice has a cgroup, because something is in it, or was a moment ago. True as well where it
 * cannot be told. */
bool cgroup_usage_may_have_slice(bool is_user, const char *service);
