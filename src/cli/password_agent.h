/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The agent that asks for a password on this terminal when polkit wants one: pkttyagent(1), as systemctl has it. */

#include <sys/types.h>

/* Starts it and waits until it is known to polkit, or has seen that another agent (a desktop's) is there already. Where
 * there is no pkttyagent, nobody asks on the terminal, and that is no error. To be called once, before anything that
 * may want a password, by a process of one thread. *ret_pid is 0 where none was started. */
void password_agent_start(pid_t *ret_pid);
/* Takes 0. */
void password_agent_stop(pid_t pid);
