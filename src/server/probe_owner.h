/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The action that a probe is about, or all of them together: whether there is anything to be asked. */

#include "server/service.h"

/* For one of the service as a whole: all of its long-running actions are up. */
bool probe_owner_serves(const ServiceProbe *p);

/* Until when it may be starting, and how long that may take; USEC_NEVER: without a limit. */
uint64_t probe_owner_deadline_usec(const ServiceProbe *p);
uint64_t probe_owner_start_timeout_usec(const ServiceProbe *p);
bool probe_owner_is_starting(const ServiceProbe *p);

/* In a network of its own loopback is another one, and whoever answers on ours is not the service. */
bool probe_owner_is_out_of_reach(const ServiceProbe *p);

/* What it asks is declared, in sight, and not there yet. */
bool probe_owner_awaits_listener(const ServiceProbe *p);
