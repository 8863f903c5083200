/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A process beside ours that is nobody's child: PID 1 (or the user manager) is its parent, and waits for it. */

#include <stddef.h>

/* Forks one. Returns 1 in it and 0 here, or negative errno here when there is none; no child and no zombie stays
 * behind. It has its own session, stands in the root folder and has every signal blocked from its first instruction on:
 * it lives in a unit whose stop signal, whichever it is, is meant for others. SIGCHLD is put back to its default here,
 * since an inherited "ignore" hides how the fork went. */
int process_detach(void);

/* Closes all file descriptors above standard error but `keep`, which it sorts; standard input and output become
 * /dev/null. */
void process_close_all_but(int *keep, size_t n_keep);
