/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/healing.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "boundary/pressure.h"
#include "core/json_tree.h"
#include "core/restart_limiter.h"
#include "server/adoption.h"
#include "server/alerts.h"
#include "server/blame.h"
#include "server/notices.h"
#include "server/observation.h"
#include "server/records.h"
#include "server/service_tasks.h"
#include "server/supervisor.h"

/* How often the server looks at its own clock, and how much later than asked it has to come to be "held up". */
#define HEARTBEAT_USEC (500 * USEC_PER_MSEC)
#define HELD_UP_USEC (1 * USEC_PER_SEC)

struct Healing {
        Supervisor *supervisor;
        RestartLimiter limiter;
        sd_event_source *heartbeat;
        uint64_t due_usec;
};

/* A timer that comes late by more than a second: the process was stopped, starved, or the machine slept. */
static int on_heartbeat(sd_event_source *source, uint64_t usec, void *userdata) {
        Healing *h = userdata;
        uint64_t now_usec = clock_monotonic_usec();

        (void) usec;
        if (now_usec > h->due_usec + HELD_UP_USEC) {
                notice_line(
                        LOG_WARNING, NOTICE_SERVER_HELD_UP,
                        "the server was held up for %.1f s: it looks at everything again before it restarts anything",
                        (double) (now_usec - h->due_usec) / (double) USEC_PER_SEC);
                h->limiter.starved_usec = now_usec;
                adoption_look_again(supervisor_adoption(h->supervisor));
        }
        h->due_usec = now_usec + HEARTBEAT_USEC;
        (void) sd_event_source_set_time(source, h->due_usec);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

int healing_new(Supervisor *s, Healing **ret) {
        _cleanup_(healing_freep) Healing *h = calloc(1, sizeof *h);
        int r;

        if (!h)
                return -ENOMEM;
        h->supervisor = s;
        h->limiter.per_window = supervisor_options(s)->restart_limit;
        h->due_usec = clock_monotonic_usec() + HEARTBEAT_USEC;
        r = sd_event_add_time(supervisor_event(s), &h->heartbeat, CLOCK_MONOTONIC, h->due_usec, USEC_PER_MSEC,
                              on_heartbeat, h);
        /* First of all that waits after such a pause, so that nothing is judged by what was true before. */
        if (r >= 0)
                r = sd_event_source_set_priority(h->heartbeat, SD_EVENT_PRIORITY_IMPORTANT - 10);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(h);
        return 0;
}

Healing *healing_free(Healing *h) {
        if (!h)
                return NULL;
        sd_event_source_disable_unref(h->heartbeat);
        free(h);
        return NULL;
}

/* -- what it looks like -- */

/* What could be done for a service as it was judged. */
typedef struct Prospect {
        HealingSign sign;
        uint32_t actions; /* concerned */
        bool has_strangers;
} Prospect;

static Prospect look(const Service *s, const ServiceDecision *d) {
        Prospect p = { .sign = HEALING_UNCLEAR };
        bool has_strangers;

        if (d->state == SERVICE_RUNNING)
                p.sign = HEALING_WELL;
        if (d->state != SERVICE_FAILED || s->operation != OPERATION_NONE || !service_wants_up(s))
                return p;
        p.actions = blame_given_up(s, d);
        if (p.actions != 0) {
                p.sign = HEALING_GIVEN_UP;
                return p;
        }
        p.actions = blame_mendable(s, d, &has_strangers);
        p.has_strangers = has_strangers;
        if (p.actions != 0 || has_strangers)
                p.sign = HEALING_ILL;
        return p;
}

static const Action *first_of(const Service *s, uint32_t actions) {
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (actions & UINT32_C(1) << i)
                        return &s->actions[i];
        return &s->actions[0];
}

/* Services that fell together part again, and the same one does the same each time. */
static unsigned jitter_permille(const Service *s) {
        uint32_t hash = 2166136261u ^ s->healing.n_attempts;

        for (const char *c = s->definition->name; *c; c++)
                hash = (hash ^ (uint8_t) *c) * 16777619u;
        return hash % 101;
}

static HealingCase describe(const Service *s, const Prospect *p, uint64_t now_usec) {
        HealingCase c = {
                .is_strangers = p->actions == 0 && p->has_strangers,
                .rule = &first_of(s, p->actions)->definition->restart,
                .jitter_permille = jitter_permille(s),
                .may_restart = p->sign == HEALING_GIVEN_UP || s->definition->on_unhealthy == UNHEALTHY_RESTART,
        };
        uint16_t which;

        if (p->sign != HEALING_ILL && p->sign != HEALING_GIVEN_UP)
                return c;
        c.dependencies_met = observation_dependencies(s, &which) == DEPENDENCIES_MET;
        for (size_t i = 0; i < s->definition->n_actions; i++) {
                const Action *a = &s->actions[i];
                uint64_t settled_usec, free_usec;

                if (!(p->actions & UINT32_C(1) << i))
                        continue;
                settled_usec = action_start_deadline_usec(a);
                free_usec = start_limit_free_usec(&a->start_limit, &a->definition->restart, now_usec);
                c.may_restart = c.may_restart && a->definition->restart.policy != RESTART_NEVER;
                c.settled_usec = settled_usec > c.settled_usec ? settled_usec : c.settled_usec;
                c.start_limit_free_usec = free_usec > c.start_limit_free_usec ? free_usec : c.start_limit_free_usec;
                c.died_usec = a->facts.inactive_enter_usec > c.died_usec ? a->facts.inactive_enter_usec : c.died_usec;
        }
        return c;
}

/* -- the limit over all -- */

static size_t count_ill(const Healing *h) {
        size_t n, n_ill = 0;
        Service *const *services = supervisor_services(h->supervisor, &n);

        for (size_t i = 0; i < n; i++)
                n_ill += services[i]->healing.sign == HEALING_ILL || services[i]->healing.sign == HEALING_GIVEN_UP;
        return n_ill;
}

static LimiterVerdict ask_limiter(const Healing *h, uint64_t now_usec) {
        size_t n;

        (void) supervisor_services(h->supervisor, &n);
        return restart_limiter_ask(&h->limiter, n, count_ill(h), pressure_is_high(), now_usec);
}

/* -- doing it -- */

static void restart(Healing *h, Service *s, const Prospect *p, const RestartRule *rule, uint64_t now_usec) {
        const char *why = s->shown_text && *s->shown_text ? s->shown_text : service_state_to_string(s->shown_state);

        healing_attempted(&s->healing, rule, now_usec);
        restart_limiter_restarted(&h->limiter, now_usec);
        records_save_healing(supervisor_records(s->supervisor), s);
        if (p->sign == HEALING_GIVEN_UP)
                log_notice("%s: tried again after systemd gave up: %s", s->definition->name, why);
        else
                log_notice("%s: restarted by hero_proc, time %u of %u: %s", s->definition->name, s->healing.n_attempts,
                           rule->max_attempts, why);
        supervisor_metrics(s->supervisor)->n_restarts[RESTART_BY_HEALING]++;
        service_tasks_heal(s, p->actions);
}

/* One line when it begins to be held by something that concerns all services, and not one a look. */
static void note_hold(Service *s, HealingHold hold) {
        if (hold != s->healing_hold && hold >= HEALING_HOLD_STARVED)
                log_notice("%s: no restart yet: %s", s->definition->name, healing_hold_to_string(hold));
        s->healing_hold = hold;
}

uint64_t healing_follow(Service *s, const ServiceDecision *d, uint64_t now_usec) {
        Healing *h = supervisor_healing(s->supervisor);
        Prospect p = look(s, d);
        HealingCase c = describe(s, &p, now_usec);
        HealingDecision decision;

        if (healing_note(&s->healing, p.sign, c.rule, now_usec))
                records_save_healing(supervisor_records(s->supervisor), s);
        decision = healing_decide(&s->healing, &c, now_usec);
        if (decision.act) {
                LimiterVerdict v = ask_limiter(h, now_usec);

                decision.act = v.hold == HEALING_HOLD_NONE;
                decision.hold = v.hold;
                decision.at_usec = v.until_usec;
        }
        note_hold(s, decision.hold);
        s->healing_at_usec = decision.at_usec;
        alerts_follow(s, d, &decision);
        if (!decision.act)
                return decision.at_usec;
        restart(h, s, &p, c.rule, now_usec);
        return USEC_NEVER;
}

void healing_forgive_service(Service *s) {
        bool was_counted = s->healing.n_attempts > 0;

        healing_forgive(&s->healing);
        for (size_t i = 0; i < s->definition->n_actions; i++)
                s->actions[i].start_limit = (StartLimit){ 0 };
        if (was_counted)
                records_save_healing(supervisor_records(s->supervisor), s);
}

/* Times are kept in real time, which may have jumped: what lies ahead is taken for now. */
void healing_load(Service *s) {
        StoredHealing stored;
        uint64_t now_usec = clock_monotonic_usec(), real_usec = clock_realtime_usec(), ago_usec;

        if (store_get_healing(supervisor_store(s->supervisor), s->definition->name, &stored) != 0)
                return;
        ago_usec = stored.last_realtime_usec < real_usec ? real_usec - stored.last_realtime_usec : 0;
        s->healing.n_attempts = stored.n_attempts;
        s->healing.is_spent = stored.is_spent;
        s->healing.last_attempt_usec = ago_usec < now_usec ? now_usec - ago_usec : 1;
}

bool healing_is_told(const Service *s) {
        return s->healing.sign == HEALING_ILL || s->healing.sign == HEALING_GIVEN_UP || s->healing.n_attempts > 0;
}

struct json_object *healing_json(const Service *s) {
        const RestartRule *rule = &first_of(s, 0)->definition->restart;
        uint64_t now_usec = clock_monotonic_usec(), next_usec = 0;
        bool is_ill = s->healing.sign == HEALING_ILL || s->healing.sign == HEALING_GIVEN_UP;
        struct json_object *o = json_object_new_object();

        if (is_ill && s->healing_at_usec != USEC_NEVER && s->healing_hold != HEALING_HOLD_DEPENDENCY)
                next_usec = clock_realtime_usec() + (s->healing_at_usec > now_usec ? s->healing_at_usec - now_usec : 0);
        json_tree_add_unsigned(o, "attempts", s->healing.n_attempts);
        json_tree_add_unsigned(o, "attempts_left", healing_attempts_left(&s->healing, rule));
        json_tree_add_unsigned(o, "next_usec", next_usec);
        json_tree_add_string(o, "held", is_ill ? healing_hold_to_string(s->healing_hold) : "");
        return o;
}
