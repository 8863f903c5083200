/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

/* Opens, O_PATH, what '/' is for the process, where paths may mean something else to it than to others: it has mounts
 * of its own (PrivateTmp=, RootDirectory=, ProtectSystem=), neither ours nor PID 1's, or another root. -ENOENT: they
 * mean the same, or it is gone; other negative errno. */
int process_root_open(pid_t pid);
