/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What hero_proc's two daemons do alike around their event loops. */

#include <systemd/sd-event.h>

/* A loop that SIGTERM and SIGINT end with 0 and that no SIGPIPE harms. Blocks these signals for the process. Negative
 * errno. */
int daemon_loop_new(sd_event **ret);

/* Turns until it is ended, and tells systemd that the daemon goes. Its exit status. Lack of memory does not end it. */
int daemon_loop_run(sd_event *event);

/* To be called before anything is allocated: large answers and definitions come and go, and their memory goes back to
 * the kernel then, not on a list for later. */
void daemon_loop_return_memory(void);
