/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/adoption.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "boundary/systemd_facts.h"
#include "server/healing.h"
#include "server/operator_acts.h"
#include "server/ports.h"
#include "server/probing.h"
#include "server/recovery.h"
#include "server/service_tasks.h"
#include "server/service_units.h"
#include "server/sockets.h"

struct Adoption {
        Supervisor *supervisor;
        Recovery recovery;
        bool done;       /* a pass was completed on this connection */
        bool first_done; /* … or ever */
        bool listing, list_again;
        bool read_all;    /* until a pass is complete: a list does not show all that was lost */
        bool is_cut;      /* memory ran out for a part of this pass, or the server was held up in it */
        bool in_doubt;    /* the server was held up: what is kept may be long past until a pass is complete */
        unsigned n_reads; /* of this pass, outstanding */
        UnitFacts slice;  /* of the slice that find() was asked for last, until changed() */
        void (*ready)(void *userdata);
        void *ready_userdata;
};

int adoption_new(Supervisor *s, Adoption **ret) {
        _cleanup_(adoption_freep) Adoption *a = calloc(1, sizeof *a);
        int r;

        if (!a)
                return -ENOMEM;
        a->supervisor = s;
        r = recovery_init(&a->recovery, supervisor_store(s));
        if (r < 0)
                return r;
        *ret = TAKE_PTR(a);
        return 0;
}

Adoption *adoption_free(Adoption *a) {
        if (!a)
                return NULL;
        unit_facts_forget(&a->slice, UNIT_NOT_LOADED);
        recovery_done(&a->recovery);
        free(a);
        return NULL;
}

bool adoption_is_done(const Adoption *a) {
        return a->done;
}

bool adoption_was_done(const Adoption *a) {
        return a->first_done;
}

bool adoption_is_in_doubt(const Adoption *a) {
        return a->in_doubt;
}

void adoption_set_ready(Adoption *a, void (*ready)(void *userdata), void *userdata) {
        a->ready = ready;
        a->ready_userdata = userdata;
}

/* Of a slice little is kept: there are as many as services. */
static UnitFacts *lend_slice(Adoption *a, const SliceFacts *slice) {
        unit_facts_forget(&a->slice, slice->load);
        a->slice.active = slice->active;
        a->slice.job_id = slice->job_id;
        a->slice.active_exit_usec = slice->has_left_active;
        return &a->slice;
}

static void keep_slice(const Adoption *a, SliceFacts *slice) {
        *slice = (SliceFacts){ .load = a->slice.load,
                               .active = a->slice.active,
                               .job_id = a->slice.job_id,
                               .has_left_active = a->slice.active_exit_usec > 0 };
}

static bool is_slice(const char *unit) {
        return strstr(unit, ".slice") != NULL;
}

static UnitFacts *find(const char *unit, void *userdata) {
        Adoption *a = userdata;
        Service *s = supervisor_find_by_unit(a->supervisor, unit);
        Action *action;

        if (!s)
                return NULL;
        if (is_slice(unit))
                return lend_slice(a, &s->slice);
        action = service_find_action_by_unit(s, unit);
        return action ? &action->facts : NULL;
}

/* Where the server was held up, what waits in its queue is long past, and looks like what nothing came after: a crash
 * that systemd has long tried again after, like one that it left alone for an operator's stop. The pass that ends the
 * doubt judges all. */
static bool knows_of_now(const Adoption *a) {
        return a->done && !a->in_doubt;
}

void adoption_follow_time(const Adoption *adoption, Service *s) {
        if (!knows_of_now(adoption))
                return;
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (s->actions[i].facts.is_whole && s->actions[i].facts.active == UNIT_FAILED)
                        operator_acts_follow(&s->actions[i]);
}

/* A person who starts or restarts it by systemctl gets systemd's full number of tries again, as by hero_proc: else the
 * sixth restart by hand within restart.window_ms would leave the service down. */
static void grant_new_start_limit(const Adoption *adoption, const Action *a) {
        if (a->facts.n_restarts == 0 && a->task == TASK_NONE && !service_units_are_in_work(a->service)) {
                (void) systemd_client_reset_failed(supervisor_systemd(adoption->supervisor), a->unit, NULL, NULL);
                healing_forgive_service(a->service);
        }
}

/* None was counted later than that, nor was any of systemd's window begun. */
static uint64_t last_start_usec(const UnitFacts *f) {
        return f->exec_main_start_usec > f->inactive_exit_usec ? f->exec_main_start_usec : f->inactive_exit_usec;
}

static void follow_invocation(const Adoption *adoption, Action *a) {
        bool adopted = !adoption->first_done;

        if (memcmp(a->known_invocation, a->facts.invocation, sizeof a->known_invocation) == 0)
                return;
        memcpy(a->known_invocation, a->facts.invocation, sizeof a->known_invocation);
        sockets_reset(supervisor_sockets(adoption->supervisor), a->service, a);
        ports_reset(supervisor_ports(adoption->supervisor), a->service, a);
        probing_reset(a->service, a, adopted);
        start_limit_count(&a->start_limit, &a->definition->restart,
                          adopted ? last_start_usec(&a->facts) : clock_monotonic_usec());
        if (adopted) /* what systemd counted before is not to be had: rather too many than one too few */
                a->start_limit.n_starts += a->facts.n_restarts + a->service->healing.n_attempts;
        if (!adopted && a->facts.n_restarts > 0)
                supervisor_metrics(adoption->supervisor)->n_restarts[RESTART_BY_SYSTEMD]++;
        if (!adopted)
                grant_new_start_limit(adoption, a);
}

/* What its sockets and ports have to hear of: who could be behind them is another one, or nobody. */
static void follow_process(const Adoption *adoption, Action *a) {
        Service *s = a->service;

        /* A process that died took its listeners along: seen now, not at the next sweep. */
        if (a->known_active == UNIT_ACTIVE && a->facts.active != UNIT_ACTIVE) {
                (void) sockets_look(supervisor_sockets(adoption->supervisor), s);
                supervisor_mark_urgent(s);
        }
        if (a->known_active != a->facts.active)
                ports_owner_changed(supervisor_ports(adoption->supervisor), s);
        if (a->facts.main_pid > 0 && (a->known_main_pid != a->facts.main_pid || a->known_active != a->facts.active))
                sockets_process_changed(supervisor_sockets(adoption->supervisor), s);
        a->known_active = a->facts.active;
        a->known_main_pid = a->facts.main_pid;
}

static void changed(const char *unit, void *userdata) {
        Adoption *adoption = userdata;
        Service *s = supervisor_find_by_unit(adoption->supervisor, unit);
        Action *a = s ? service_find_action_by_unit(s, unit) : NULL;

        if (!s)
                return;
        if (a) {
                follow_invocation(adoption, a);
        } else {
                keep_slice(adoption, &s->slice);
        }
        if (knows_of_now(adoption) && a) {
                operator_acts_follow_signal(a);
        } else if (knows_of_now(adoption)) {
                operator_acts_follow_slice(s);
        }
        if (a)
                follow_process(adoption, a);
        supervisor_mark(s);
}

static void unloaded(const char *unit, void *userdata) {
        Adoption *adoption = userdata;
        Service *s = supervisor_find_by_unit(adoption->supervisor, unit);

        unit_facts_forget(find(unit, userdata), UNIT_NOT_LOADED);
        if (is_slice(unit))
                keep_slice(adoption, &s->slice);
        if (knows_of_now(adoption))
                operator_acts_follow_unloaded(s);
        supervisor_mark(s);
}

/* -- the pass: list, compare, read what differs -- */

static void start_pass(Adoption *a);

static void judge_service(Adoption *a, Service *s, bool new_life) {
        bool any_up = false, all_loaded = s->slice.load == UNIT_LOADED;

        for (size_t i = 0; i < s->definition->n_actions; i++) {
                const UnitFacts *f = &s->actions[i].facts;

                any_up = any_up || (f->active != UNIT_INACTIVE && f->active != UNIT_FAILED);
                all_loaded = all_loaded && f->load != UNIT_NOT_LOADED;
        }
        s->units_made = s->units_made || all_loaded;
        if (!a->first_done) {
                s->slice_was_active = s->slice.load == UNIT_LOADED && s->slice.has_left_active;
                recovery_judge(s, all_loaded || any_up, new_life);
        } else if (!all_loaded && !any_up) {
                operator_acts_follow_unloaded(s);
                return;
        }
        for (size_t i = 0; i < s->definition->n_actions; i++)
                operator_acts_follow(&s->actions[i]);
        operator_acts_follow_slice(s);
}

static void finish_pass(Adoption *a) {
        bool first = !a->first_done, new_life = false;
        int begun = first ? recovery_begin(&a->recovery, a->supervisor, &new_life) : 0;
        size_t n;
        Service *const *services = supervisor_services(a->supervisor, &n);

        if (first) {
                sockets_begin(supervisor_sockets(a->supervisor));
                ports_begin(supervisor_ports(a->supervisor));
        }
        for (size_t i = 0; i < n; i++) {
                judge_service(a, services[i], new_life);
                supervisor_mark(services[i]);
        }
        if (first)
                recovery_end(&a->recovery, a->supervisor, begun, new_life);
        supervisor_metrics(a->supervisor)->n_systemd_connections += !a->done;
        a->done = a->first_done = true;
        a->in_doubt = a->list_again;
        a->read_all = a->read_all && a->list_again;
        if (first && a->ready)
                a->ready(a->ready_userdata);
        if (a->list_again)
                start_pass(a);
}

/* Nothing is concluded from a part: what the pass was for is asked for anew. */
static void pass_again_soon(Adoption *a) {
        a->is_cut = false;
        a->read_all = true;
        a->in_doubt = a->done;
        systemd_client_resync_soon(supervisor_systemd(a->supervisor));
}

static void end_pass(Adoption *a) {
        if (a->is_cut)
                pass_again_soon(a);
        else
                finish_pass(a);
}

static void on_read(void *userdata, int r, const char *job_result, const char *text) {
        Adoption *a = userdata;

        (void) job_result;
        (void) text;
        if (r == -ECONNRESET)
                return; /* unreachable() has begun again */
        if (r == -ETIMEDOUT)
                a->list_again = true;
        if (r == -ENOMEM)
                a->is_cut = true;
        if (a->n_reads > 0 && --a->n_reads == 0)
                end_pass(a);
}

static void set_unlisted(Service *s) {
        s->slice.load = UNIT_NOT_LOADED;
        for (size_t i = 0; i < s->definition->n_actions; i++)
                s->actions[i].facts.load = UNIT_NOT_LOADED;
}

static bool differs(const UnitFacts *f, const UnitListed *u) {
        return strcmp(f->sub_state, u->sub_state) != 0 || f->job_id != u->job_id ||
               strcmp(unit_active_to_string(f->active), u->active_state) != 0;
}

/* Of a slice that is up the list says all that is asked of one: half of all units need not be read. */
static bool take_listed_slice(const Adoption *a, SliceFacts *f, const UnitListed *u) {
        UnitActive active = unit_active_from_string(u->active_state);

        f->load = systemd_facts_load_state(u->load_state);
        if (f->load == UNIT_NOT_LOADED)
                return true;
        if (active == UNIT_ACTIVE && u->job_id == 0) {
                f->active = UNIT_ACTIVE;
                f->job_id = 0;
                return true;
        }
        return !a->read_all && f->active == active && f->job_id == u->job_id;
}

static bool take_listed_action(const Adoption *a, Action *action, const UnitListed *u) {
        action->facts.load = systemd_facts_load_state(u->load_state);
        return action->facts.load == UNIT_NOT_LOADED ||
               (!a->read_all && action->facts.is_whole && !differs(&action->facts, u));
}

static void compare(Adoption *a, const UnitListed *u) {
        Service *s = supervisor_find_by_unit(a->supervisor, u->name);
        Action *action = s ? service_find_action_by_unit(s, u->name) : NULL;
        int r;

        if (!s || (!action && !is_slice(u->name)))
                return;
        if (action ? take_listed_action(a, action, u) : take_listed_slice(a, &s->slice, u))
                return;
        r = systemd_client_read(supervisor_systemd(a->supervisor), u->name, on_read, a);
        if (r >= 0)
                a->n_reads++;
        else if (r == -ENOMEM)
                a->is_cut = true;
}

/* Where no list is under way there will be no pass to end it: what is known has to do, and callers wait for that. */
static void end_doubt_without_pass(Adoption *a) {
        size_t n;
        Service *const *services = supervisor_services(a->supervisor, &n);

        if (!a->in_doubt || a->listing)
                return;
        a->in_doubt = false;
        for (size_t i = 0; i < n; i++)
                supervisor_mark(services[i]);
}

static void on_listed(void *userdata, int r, const UnitListed *units, size_t n_units) {
        Adoption *a = userdata;
        size_t n;
        Service *const *services = supervisor_services(a->supervisor, &n);

        a->listing = false;
        if (r == -ETIMEDOUT)
                start_pass(a); /* it was silent for as long as a call waits: ask again */
        if (r == -ENOMEM)
                pass_again_soon(a);
        else if (r < 0)
                end_doubt_without_pass(a);
        if (r < 0)
                return;
        for (size_t i = 0; i < n; i++)
                if (services[i]->step == UNITS_SETTLED)
                        set_unlisted(services[i]);
        a->n_reads = 1; /* held until all are asked, lest an early answer ends the pass */
        for (size_t i = 0; i < n_units; i++)
                compare(a, &units[i]);
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < services[i]->definition->n_actions; j++) {
                        Action *action = &services[i]->actions[j];

                        if (action->facts.load == UNIT_NOT_LOADED && services[i]->step == UNITS_SETTLED)
                                unit_facts_forget(&action->facts, UNIT_NOT_LOADED);
                }
        on_read(a, 0, NULL, NULL);
}

static void start_pass(Adoption *a) {
        static const char *const patterns[] = { "hero-*", NULL };
        int r;

        a->list_again = a->listing || a->n_reads > 0;
        if (a->list_again)
                return;
        r = systemd_client_list(supervisor_systemd(a->supervisor), patterns, on_listed, a);
        a->listing = r >= 0;
        end_doubt_without_pass(a);
        if (r == -ENOMEM)
                pass_again_soon(a);
}

static void resync(bool lost, void *userdata) {
        Adoption *a = userdata;

        a->read_all = a->read_all || lost;
        start_pass(a);
}

void adoption_look_again(Adoption *a) {
        /* Before it is begun: memory may run out for it, and then it is begun again. Where nothing is claimed yet there
         * is nothing to doubt. */
        a->in_doubt = a->done;
        if (a->listing || a->n_reads > 0)
                a->is_cut =
                        true; /* some answers are from before the pause, and of some services no other was asked for */
        else if (a->done)
                start_pass(a);
}

static void unreachable(void *userdata) {
        Adoption *a = userdata;
        size_t n;
        Service *const *services = supervisor_services(a->supervisor, &n);

        log_warning("systemd cannot be reached: nothing is claimed until it can");
        a->done = a->listing = a->list_again = a->in_doubt = a->read_all = a->is_cut = false;
        a->n_reads = 0;
        for (size_t i = 0; i < n; i++) {
                service_units_interrupt(services[i]);
                service_tasks_interrupt(services[i]);
                for (size_t j = 0; j < services[i]->definition->n_actions; j++)
                        services[i]->actions[j].facts.is_whole = false;
                supervisor_mark(services[i]);
        }
}

const SystemdCallbacks *adoption_callbacks(void) {
        static const SystemdCallbacks callbacks = {
                .find = find,
                .changed = changed,
                .unloaded = unloaded,
                .resync = resync,
                .unreachable = unreachable,
        };
        return &callbacks;
}
