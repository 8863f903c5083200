/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which actions the reasons of a decision point at, a bit for each. Never one that an operator took down: that stop is
 * not ours to undo. */

#include "server/service.h"

/* What is broken, in the sense of reset-failed: all actions where a reason points at none. */
uint32_t blame_broken(const Service *s, const ServiceDecision *d);

/* What a restart of hero_proc's own accord may mend: those whose liveness probe is at its limit or whose socket is
 * dead. A socket that a stranger holds only where the action says kill_others; *ret_strangers: such a one was left out.
 */
uint32_t blame_mendable(const Service *s, const ServiceDecision *d, bool *ret_strangers);

/* Those that systemd gave up in a crash loop. */
uint32_t blame_given_up(const Service *s, const ServiceDecision *d);
