/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/evaluation.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/adoption.h"
#include "server/healing.h"
#include "server/observation.h"
#include "server/probing.h"
#include "server/records.h"
#include "server/service_tasks.h"
#include "server/service_units.h"
#include "server/supervisor.h"

static void arm_recheck(Service *s, uint64_t at_usec) {
        Waiters *rechecks = supervisor_rechecks(s->supervisor);

        if (at_usec == USEC_NEVER)
                waiters_await_no_time(rechecks, &s->recheck);
        else
                waiters_await_time(rechecks, &s->recheck, at_usec);
}

static uint64_t earliest(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}

static bool same_as_shown(const Service *s, const ServiceDecision *d) {
        return s->shown_state == d->state && s->shown_rule == d->rule && s->n_shown == d->n_reasons &&
               (d->n_reasons == 0 || memcmp(s->shown, d->reasons, d->n_reasons * sizeof d->reasons[0]) == 0);
}

/* Differs where any action is another process or another invocation. */
static uint64_t lives_of(const Service *s) {
        uint64_t hash = UINT64_C(14695981039346656037);

        for (size_t i = 0; i < s->definition->n_actions; i++) {
                const UnitFacts *f = &s->actions[i].facts;

                hash = (hash ^ f->main_pid) * UINT64_C(1099511628211);
                for (size_t j = 0; j < sizeof f->invocation; j++)
                        hash = (hash ^ f->invocation[j]) * UINT64_C(1099511628211);
        }
        return hash;
}

/* Of what is simply running nothing is kept: a small piece for each would stand for good between the messages that tell
 * of a thousand services, and keep their memory in pieces. */
static int show(Service *s, const ServiceDecision *d) {
        Reason *reasons = d->n_reasons > 0 ? malloc(d->n_reasons * sizeof *reasons) : NULL;

        if (!reasons && d->n_reasons > 0)
                return -ENOMEM;
        for (size_t i = 0; i < d->n_reasons; i++)
                reasons[i] = d->reasons[i];
        free(s->shown);
        s->shown = reasons;
        s->n_shown = d->n_reasons;
        free(s->shown_text);
        s->shown_text = d->n_reasons > 0 ? evaluation_reason_text(s, &d->reasons[0]) : NULL;
        return 0;
}

static int severity(ServiceState state) {
        return state == SERVICE_FAILED ? LOG_ERR : state == SERVICE_DEGRADED ? LOG_WARNING : LOG_INFO;
}

/* The first judgement after the server came up: what was so before, and still is, is no change. */
static bool goes_on(Service *s, ServiceState state) {
        uint64_t since_usec = s->remembered_since_realtime_usec;

        if (since_usec == 0 || state == SERVICE_UNKNOWN)
                return false;
        s->remembered_since_realtime_usec = 0;
        if (state != s->remembered_state)
                return false;
        s->state_since_realtime_usec = since_usec;
        return true;
}

/* Where the machine goes down, or a user's part of it, the bus may go first. That nothing can be asked any more is no
 * news of the service, and would be the last that is told of it. */
static bool is_end_of_everything(const Service *s) {
        return s->shown_rule == RULE_SYSTEMD_UNREADABLE &&
               systemd_client_is_shutting_down(supervisor_systemd(s->supervisor));
}

static void record_change(Service *s, ServiceState old, ReasonCode code) {
        s->state_since_realtime_usec = clock_realtime_usec();
        if (s->shown_state == SERVICE_FAILED)
                supervisor_metrics(s->supervisor)->n_failures[code]++;
        log_line(severity(s->shown_state), "%s: %s -> %s%s%s", s->definition->name, service_state_to_string(old),
                 service_state_to_string(s->shown_state), s->shown_text ? ": " : "",
                 s->shown_text ? s->shown_text : "");
        records_add_transition(supervisor_records(s->supervisor), s, old, code);
}

static void publish(Service *s, const ServiceDecision *d) {
        const SupervisorObserver *o = supervisor_observer(s->supervisor);
        ServiceState old = s->shown_state;

        if (show(s, d) < 0) {
                service_put_off(s); /* there may be no other event, and a caller waits for what was not shown */
                return;
        }
        s->shown_rule = d->rule;
        s->shown_lives = lives_of(s);
        if (old != d->state) {
                s->shown_state = d->state;
                if (!is_end_of_everything(s) && !goes_on(s, d->state))
                        record_change(s, old, d->n_reasons > 0 ? (ReasonCode) d->reasons[0].code : REASON_NONE);
        }
        if (o->changed)
                o->changed(s, o->userdata);
}

void evaluation_run(Service *s) {
        const SupervisorObserver *o = supervisor_observer(s->supervisor);
        uint64_t now_usec, healing_usec;
        ServiceDecision d;

        if (supervisor_is_synced(s->supervisor) && clock_monotonic_usec() >= s->retry_at_usec &&
            !service_units_advance(s))
                service_tasks_advance(s);
        adoption_follow_time(supervisor_adoption(s->supervisor), s);
        if (adoption_was_done(supervisor_adoption(s->supervisor)))
                probing_follow(s); /* before that no socket has been looked at */
        now_usec = clock_monotonic_usec();
        d = observation_decide(s, now_usec);
        if (!same_as_shown(s, &d) || s->shown_lives != lives_of(s))
                publish(s, &d);
        /* After publishing: what a restart is for stands in the history before the restart itself. */
        healing_usec = healing_follow(s, &d, now_usec);
        arm_recheck(s, earliest(earliest(healing_usec, d.recheck_at_usec),
                                s->retry_at_usec > now_usec ? s->retry_at_usec : USEC_NEVER));
        if (o->evaluated)
                o->evaluated(s, o->userdata);
}
