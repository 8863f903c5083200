/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* When hero_proc restarts what systemd holds for healthy, and when it tries again what systemd gave up. Pure: what was
 * done and what is seen go in, what to do and when comes out.
 *
 * Crashes are systemd's to restart and to count (NRestarts, StartLimit). What is counted here are hero_proc's own
 * restarts; no start is asked of systemd that its start limit would refuse, so the two limits never multiply. */

#include <stdbool.h>
#include <stdint.h>

#include "base/string_table.h"
#include "core/service_definition.h"

typedef enum HealingSign {
        HEALING_UNCLEAR,  /* in motion, degraded, unknown, stopped: proves nothing and asks for nothing */
        HEALING_WELL,     /* running */
        HEALING_ILL,      /* failed by a liveness probe or a dead socket of an action that is up */
        HEALING_GIVEN_UP, /* a crash loop that systemd has ended */
        _HEALING_SIGN_MAX,
} HealingSign;

/* Why nothing is done yet. */
typedef enum HealingHold {
        HEALING_HOLD_NONE,
        HEALING_HOLD_POLICY,      /* on_unhealthy is report, or restart.policy never */
        HEALING_HOLD_STRANGER,    /* another process holds the socket, and is not to be stopped */
        HEALING_HOLD_DEPENDENCY,  /* what it requires is not running: that comes first */
        HEALING_HOLD_STARTING,    /* its invocation is younger than start_timeout_ms */
        HEALING_HOLD_BACK_OFF,    /* the pause before the next restart */
        HEALING_HOLD_BUDGET,      /* max_attempts are used up: slowly now */
        HEALING_HOLD_START_LIMIT, /* systemd would refuse the start */
        HEALING_HOLD_GIVEN_UP,    /* systemd gave up: tried again slowly */
        HEALING_HOLD_STARVED,     /* of all services: the server itself got no processor time, so its evidence is old */
        HEALING_HOLD_PRESSURE,    /* of all services: the machine is out of processor time or memory */
        HEALING_HOLD_MANY,        /* of all services: many turned bad at once */
        HEALING_HOLD_RATE,        /* of all services: enough were restarted within a minute */
        _HEALING_HOLD_MAX,
        HEALING_HOLD_INVALID = -EINVAL,
} HealingHold;

DECLARE_STRING_TABLE(HealingHold, healing_hold) /* words for people; "" for NONE */

/* What is remembered of a service, over a restart of the server too. */
typedef struct HealingRecord {
        unsigned n_attempts;        /* restarts since the count last began anew: by health, by a person, or by window_ms
                                     * without one */
        bool is_spent;              /* there were max_attempts, each within window_ms of the one before */
        uint64_t last_attempt_usec; /* monotonic; 0: none */
        /* Of now only: */
        HealingSign sign;
        uint64_t sign_since_usec; /* monotonic */
} HealingRecord;

typedef struct HealingCase {
        bool may_restart;
        bool is_strangers; /* nothing but a stranger's socket is wrong */
        bool dependencies_met;
        uint64_t settled_usec;          /* until then the youngest invocation concerned is given time to come up */
        uint64_t start_limit_free_usec; /* systemd would refuse a start before; 0: it would not */
        uint64_t died_usec;             /* GIVEN_UP: when the last process of it died */
        const RestartRule *rule;
        unsigned jitter_permille; /* 0..100, added to the back-off, so that services that fell together part */
} HealingCase;

typedef struct HealingDecision {
        bool act;         /* now; the global limiter is still to be asked */
        HealingHold hold; /* what stands against it longest */
        uint64_t at_usec; /* when to decide again; USEC_NEVER: not by time alone */
} HealingDecision;

/* Takes note of what the service looks like. True when the count began anew: it was well for stability_period_ms. */
bool healing_note(HealingRecord *r, HealingSign sign, const RestartRule *rule, uint64_t now_usec);

/* Back-off: delay_ms, doubling with each attempt up to max_delay_ms, plus jitter, from when it turned ill. Slowly:
 * window_ms (or max_delay_ms where that is longer) after the last attempt or death. */
HealingDecision healing_decide(const HealingRecord *r, const HealingCase *c, uint64_t now_usec);

/* A restart was begun. */
void healing_attempted(HealingRecord *r, const RestartRule *rule, uint64_t now_usec);

/* An operator asked for a start or restart, so counting begins anew. */
void healing_forgive(HealingRecord *r);

unsigned healing_attempts_left(const HealingRecord *r, const RestartRule *rule);

/* systemd's start limit of one unit (StartLimitIntervalUSec, StartLimitBurst), followed from the starts that are seen:
 * it has no property that tells how many are left. */
typedef struct StartLimit {
        uint64_t begin_usec; /* of the window; 0: none is open */
        unsigned n_starts;
} StartLimit;

/* A plan's StartLimitBurst for a rule: the first start and max_attempts restarts. */
static inline unsigned start_limit_burst(const RestartRule *rule) {
        return rule->max_attempts + 1;
}
void start_limit_count(StartLimit *l, const RestartRule *rule, uint64_t now_usec);
/* From when on a start will not be refused; 0: it would not be now. */
uint64_t start_limit_free_usec(const StartLimit *l, const RestartRule *rule, uint64_t now_usec);
