/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/healing.h"

#include "base/clock.h"

/* systemd's window ends a moment after ours: it counted the start before we heard of it, and rounds. */
#define START_LIMIT_GRACE_USEC (1 * USEC_PER_SEC)

static const char *const healing_hold_table[] = {
        [HEALING_HOLD_NONE] = "",
        [HEALING_HOLD_POLICY] = "its definition wants no restart",
        [HEALING_HOLD_STRANGER] = "a restart does not help while another process holds its socket",
        [HEALING_HOLD_DEPENDENCY] = "what it requires is not running",
        [HEALING_HOLD_STARTING] = "its last start is given start_timeout_ms",
        [HEALING_HOLD_BACK_OFF] = "the pause before the next restart",
        [HEALING_HOLD_BUDGET] = "its restarts are used up, so it is restarted slowly",
        [HEALING_HOLD_START_LIMIT] = "systemd's start limit would refuse it",
        [HEALING_HOLD_GIVEN_UP] = "systemd gave up, so it is tried slowly",
        [HEALING_HOLD_STARVED] = "the server itself was held up, and looks again first",
        [HEALING_HOLD_PRESSURE] = "the machine is out of processor time or memory",
        [HEALING_HOLD_MANY] = "many services turned bad at once, so they are restarted one by one",
        [HEALING_HOLD_RATE] = "enough services were restarted within a minute",
};
DEFINE_STRING_TABLE(HealingHold, healing_hold, _HEALING_HOLD_MAX)

static uint64_t slow_interval_usec(const RestartRule *rule) {
        return rule->window_usec > rule->max_delay_usec ? rule->window_usec : rule->max_delay_usec;
}

static uint64_t back_off_usec(const RestartRule *rule, unsigned n_attempts, unsigned jitter_permille) {
        uint64_t delay_usec = rule->delay_usec;

        for (unsigned i = 0; i < n_attempts && delay_usec > 0 && delay_usec < rule->max_delay_usec; i++)
                delay_usec *= 2;
        if (delay_usec > rule->max_delay_usec)
                delay_usec = rule->max_delay_usec;
        return delay_usec + delay_usec / 1000 * (jitter_permille < 100 ? jitter_permille : 100);
}

bool healing_note(HealingRecord *r, HealingSign sign, const RestartRule *rule, uint64_t now_usec) {
        if (r->sign != sign) {
                r->sign = sign;
                r->sign_since_usec = now_usec;
        }
        if (sign != HEALING_WELL || r->n_attempts == 0 ||
            now_usec < usec_add(r->sign_since_usec, rule->stability_period_usec))
                return false;
        healing_forgive(r);
        return true;
}

void healing_forgive(HealingRecord *r) {
        r->n_attempts = 0;
        r->is_spent = false;
        r->last_attempt_usec = 0;
}

void healing_attempted(HealingRecord *r, const RestartRule *rule, uint64_t now_usec) {
        /* Counted from the last one, so that no stretch of window_ms, wherever it begins, holds more than max_attempts.
         * Once they were too many, only health makes up for it. */
        if (!r->is_spent && now_usec > usec_add(r->last_attempt_usec, rule->window_usec))
                r->n_attempts = 0;
        if (r->n_attempts < UINT32_MAX)
                r->n_attempts++;
        r->is_spent = r->is_spent || r->n_attempts >= rule->max_attempts;
        r->last_attempt_usec = now_usec;
}

unsigned healing_attempts_left(const HealingRecord *r, const RestartRule *rule) {
        return r->is_spent || r->n_attempts >= rule->max_attempts ? 0 : rule->max_attempts - r->n_attempts;
}

static void hold(HealingDecision *d, HealingHold why, uint64_t until_usec) {
        if (until_usec <= d->at_usec)
                return;
        d->hold = why;
        d->at_usec = until_usec;
}

static uint64_t slowly_usec(const HealingRecord *r, const HealingCase *c) {
        uint64_t from_usec = r->last_attempt_usec;

        if (r->sign == HEALING_GIVEN_UP && c->died_usec > from_usec)
                from_usec = c->died_usec;
        return usec_add(usec_add(from_usec, slow_interval_usec(c->rule)), START_LIMIT_GRACE_USEC);
}

HealingDecision healing_decide(const HealingRecord *r, const HealingCase *c, uint64_t now_usec) {
        HealingDecision d = { .at_usec = now_usec };

        if (r->sign == HEALING_WELL && r->n_attempts > 0)
                return (HealingDecision){ .at_usec = usec_add(r->sign_since_usec, c->rule->stability_period_usec) };
        if (r->sign != HEALING_ILL && r->sign != HEALING_GIVEN_UP)
                return (HealingDecision){ .at_usec = USEC_NEVER };

        if (r->sign == HEALING_GIVEN_UP) {
                hold(&d, HEALING_HOLD_GIVEN_UP, slowly_usec(r, c));
        } else {
                hold(&d, HEALING_HOLD_BACK_OFF,
                     usec_add(r->sign_since_usec, back_off_usec(c->rule, r->n_attempts, c->jitter_permille)));
                hold(&d, HEALING_HOLD_STARTING, c->settled_usec);
                if (r->is_spent)
                        hold(&d, HEALING_HOLD_BUDGET, slowly_usec(r, c));
                hold(&d, HEALING_HOLD_START_LIMIT, c->start_limit_free_usec);
        }
        if (!c->dependencies_met) /* looked at again when time is up, since another service's recovery is not awaited */
                hold(&d, HEALING_HOLD_DEPENDENCY, usec_add(now_usec, USEC_PER_SEC));
        if (c->is_strangers)
                hold(&d, HEALING_HOLD_STRANGER, USEC_NEVER);
        if (!c->may_restart)
                hold(&d, HEALING_HOLD_POLICY, USEC_NEVER);
        d.act = d.hold == HEALING_HOLD_NONE;
        return d;
}

void start_limit_count(StartLimit *l, const RestartRule *rule, uint64_t now_usec) {
        if (l->begin_usec == 0 || usec_add(l->begin_usec, rule->window_usec) < now_usec)
                *l = (StartLimit){ .begin_usec = now_usec };
        l->n_starts++;
}

uint64_t start_limit_free_usec(const StartLimit *l, const RestartRule *rule, uint64_t now_usec) {
        uint64_t end_usec = usec_add(usec_add(l->begin_usec, rule->window_usec), START_LIMIT_GRACE_USEC);

        return l->n_starts >= start_limit_burst(rule) && end_usec > now_usec ? end_usec : 0;
}
