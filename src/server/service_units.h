/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Makes, remakes and removes the units of a service: slice anchor and action units, in the sequence that survived 940
 * rounds of experiments (stop the slice, wait for that job, clear what is left, create, check). */

#include "server/service.h"

/* Takes the next step when one is due. True while units are not settled: nothing can be started yet. */
bool service_units_advance(Service *s);

/* hero_proc is at work on the units itself: what they do now is its own doing. */
bool service_units_are_in_work(const Service *s);

/* Its units are to be made anew from its definition (once more, where that is under way already). */
void service_units_rebuild(Service *s);

/* The argument files of the shim, as `plan` (core/unit_plan.h) has them. Negative errno. */
int service_units_write_exec_files(const Service *s, struct json_object *plan);

/* What was in flight is lost with the connection; advance() begins again. */
void service_units_interrupt(Service *s);

/* The longest a stop of the whole service can take. */
uint64_t service_units_stop_timeout_usec(const Service *s);
