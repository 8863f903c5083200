/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Starts, stops and restarts actions: sets what is to be done, and does it when it can be done. */

#include "server/service.h"

/* What a person, a boot or `apply` asks for. Each sets wanted, writes it and the intention to the store before systemd
 * is told anything, so that after a crash at any point the stop is known to be our own. by_operator resets systemd's
 * start limit first: a person asked. */
void service_tasks_start(Service *s, bool by_operator);
void service_tasks_stop(Service *s);
void service_tasks_restart(Service *s);
/* Restarts these, a bit for each action, of hero_proc's own accord: never one that an operator took down, not even one
 * whose stop systemd has heard of and we have not, and never past systemd's start limit. */
void service_tasks_heal(Service *s, uint32_t actions);
/* The same at a person's word, so that the start limit begins anew: what is broken, and not what is stopped. */
void service_tasks_reset(Service *s, uint32_t actions);

/* Tells systemd what is due now: starts whose dependencies are met, stops at once. Ends the operation when all is done.
 */
void service_tasks_advance(Service *s);

/* What was in flight is lost with the connection: it is issued again after the resync. */
void service_tasks_interrupt(Service *s);
