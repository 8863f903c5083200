/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Opens what an absolute path names, as O_PATH, if no link stands on the way or at its end: -ELOOP, where one does. The
 * path has no "." and "..". A descriptor, or a negative errno.
 *
 * Step by step, and not by openat2(): the server's unit has RestrictSUIDSGID=, which takes that away altogether. */
int straight_path_open(const char *path);
