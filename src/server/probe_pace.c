/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/probe_pace.h"

#include "base/clock.h"

/* How often a service that is still coming up is looked for. */
#define STARTING_INTERVAL_USEC (100 * USEC_PER_MSEC)
/* How soon what we failed to ask by our own fault is asked again, at the earliest: a loop that is late would be so for
 * good if it tried harder. */
#define NOT_ASKED_INTERVAL_USEC (1 * USEC_PER_SEC)

/* The same for the same names, so that nothing is random. */
static uint32_t hash_names(const ServiceProbe *p) {
        uint32_t hash = 2166136261u;

        for (const char *c = p->service->definition->name; *c; c++)
                hash = (hash ^ (uint8_t) *c) * 16777619u;
        for (const char *c = p->definition->name; *c; c++)
                hash = (hash ^ (uint8_t) *c) * 16777619u;
        return hash ^ hash >> 15;
}

/* Spreads probes that would otherwise run in step for ever: a little earlier, and by another little each round. */
static unsigned early_permille(const ServiceProbe *p) {
        return (hash_names(p) + (uint32_t) p->health.checked_usec) % 51;
}

/* Those that came up together, by a boot or with the server, are put apart once, anywhere in their interval. */
static uint64_t spread_usec(const ServiceProbe *p) {
        return p->definition->interval_usec / 1024 * (1 + hash_names(p) % 1024);
}

uint64_t probe_pace_delay_usec(const ServiceProbe *p, const ProbeResult *result, ProbePhase phase) {
        uint64_t delay_usec = probe_health_delay_usec(&p->health, p->definition, early_permille(p)),
                 other_usec = USEC_NEVER;

        if (result->outcome == PROBE_UNKNOWN)
                other_usec = NOT_ASKED_INTERVAL_USEC;
        else if (p->health.verdict == PROBE_VERDICT_NOT_READY && phase != PROBE_PHASE_UP)
                other_usec = phase == PROBE_PHASE_ABSENT ? STARTING_INTERVAL_USEC : p->definition->fast_interval_usec;
        else if (p->health.verdict == PROBE_VERDICT_PASSING && !p->is_spread)
                other_usec = spread_usec(p);
        return other_usec < delay_usec ? other_usec : delay_usec;
}
