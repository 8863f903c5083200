/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How soon a probe asks again. */

#include "server/service.h"

/* After this answer, which p->health has taken already. */
uint64_t probe_pace_delay_usec(const ServiceProbe *p, const ProbeResult *result, ProbePhase phase);
