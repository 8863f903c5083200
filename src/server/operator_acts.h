/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tells what an operator did to units past hero_proc (systemctl, or a call to systemd) from what hero_proc did itself
 * and from what they did by themselves, and keeps to it: what he stopped is wanted down, what he started is wanted up.
 */

#include "server/service.h"

/* Holds what is known of the unit against what is wanted. */
void operator_acts_follow(Action *a);
/* The same when systemd has just told of a change: a start counts from its first moment. */
void operator_acts_follow_signal(Action *a);

/* The state of the slice has changed, or has been read anew. */
void operator_acts_follow_slice(Service *s);
/* Its units are known to systemd no more. */
void operator_acts_follow_unloaded(Service *s);
