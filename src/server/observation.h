/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "server/service.h"

/* Gathers what is known of a service and has it decided. Reads no socket and asks nobody: the evidence is what events
 * have brought. */
ServiceDecision observation_decide(const Service *s, uint64_t now_usec);

/* Whether its required and awaited services let it start; *ret_which is an index into requires, then after. */
DependencyState observation_dependencies(const Service *s, uint16_t *ret_which);

/* The state is one that goes on by itself: somebody who waits, waits on. */
bool observation_in_motion(ServiceState state);

/* Nothing more comes of itself: the service is at rest, or it waits for one that is, be it at the end of a row of
 * services that wait for each other. Somebody who waits is answered, whatever the state. */
bool observation_is_over(const Service *s);
/* Whether that may have changed for `s` now that `judged` was judged anew. */
bool observation_concerns(const Service *s, const Service *judged);

/* The service for whose sake a restart of one that is up is held back: it goes on as before meanwhile, and its state
 * says nothing of that. NULL: none. */
const Service *observation_restart_waits_for(const Service *s);
