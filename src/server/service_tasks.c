/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/service_tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/eviction.h"
#include "server/folder_gift.h"
#include "server/healing.h"
#include "server/observation.h"
#include "server/service_units.h"
#include "server/socket_cleaning.h"
#include "server/supervisor.h"

/* A job may wait for others in PID 1's own queue before its timeout begins. */
#define JOB_MARGIN_USEC (30 * USEC_PER_SEC)
/* Where a oneshot may work for ever: what is lost on the way must be looked for at some time all the same. More than
 * can be given in a definition. */
#define JOB_TIMEOUT_MAX_USEC (48 * 3600 * USEC_PER_SEC)

static bool is_down(const Action *a) {
        return a->facts.active == UNIT_INACTIVE || a->facts.active == UNIT_FAILED;
}

/* The tail of a death: nobody has asked for it. */
static bool is_dying(const Action *a) {
        return a->facts.active == UNIT_DEACTIVATING && a->facts.job_id == 0;
}

static void set_task(Action *a, ActionTask task, bool by_operator) {
        systemd_client_forget(supervisor_systemd(a->service->supervisor), a);
        eviction_drop(a);
        a->task = task;
        a->task_issued = a->task_may_be_done = a->is_to_be_read = false;
        a->by_operator = by_operator;
}

/* Units that could not be made, or were lost, are made before anything is started. What still runs is left alone. */
static bool units_are_missing(const Service *s) {
        /* In a slice that is down, to reset the last failed member would unload them all. */
        bool missing = s->slice.load != UNIT_LOADED || s->slice.active != UNIT_ACTIVE;

        for (size_t i = 0; i < s->definition->n_actions; i++) {
                if (!is_down(&s->actions[i]))
                        return false;
                missing = missing || s->actions[i].facts.load != UNIT_LOADED;
        }
        return missing;
}

/* asked_usec goes to the store: the next server tells by it what began since from what is still owed. */
static void begin(Service *s, ServiceOperation operation, IntentionKind intention, uint64_t asked_usec) {
        s->operation = operation;
        s->asked_usec = asked_usec;
        if (operation != OPERATION_STOP && !s->rebuild && s->step == UNITS_SETTLED && units_are_missing(s))
                service_units_rebuild(s);
        free(s->fault);
        s->fault = NULL;
        supervisor_save_wanted(s);
        supervisor_save_intention(s, intention);
        supervisor_mark(s);
}

/* Also what is on its way down, by our own stop or anybody's: a start takes the place of the stop's job. */
static bool needs_start(const Action *a) {
        if (a->task == TASK_STOP || a->facts.active == UNIT_DEACTIVATING)
                return true;
        return is_down(a) && (a->facts.job_id == 0 || a->facts.job_id == a->facts.stopping_job_id);
}

void service_tasks_start(Service *s, bool by_operator) {
        if (by_operator)
                healing_forgive_service(s);
        service_set_wanted(s, true);
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (s->rebuild || needs_start(&s->actions[i]))
                        set_task(&s->actions[i], TASK_START, by_operator);
        begin(s, OPERATION_START, INTENTION_START, by_operator ? clock_monotonic_usec() : 0);
}

/* One that has just died looks down, and systemd is about to start it again: that too has to be stopped. */
static bool needs_stop(const Action *a) {
        return !is_down(a) || a->facts.job_id != 0 || a->task_issued ||
               action_judge(a, clock_monotonic_usec()).phase == ACTION_BACKOFF;
}

void service_tasks_stop(Service *s) {
        service_set_wanted(s, false);
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (needs_stop(&s->actions[i]))
                        set_task(&s->actions[i], TASK_STOP, true);
                else
                        set_task(&s->actions[i], TASK_NONE, true);
        begin(s, OPERATION_STOP, INTENTION_STOP, clock_monotonic_usec());
}

void service_tasks_restart(Service *s) {
        healing_forgive_service(s);
        for (size_t i = 0; i < s->definition->n_actions; i++) {
                s->actions[i].wanted = true;
                set_task(&s->actions[i], TASK_RESTART, true);
        }
        begin(s, OPERATION_RESTART, INTENTION_RESTART, clock_monotonic_usec());
}

/* Which of them were meant the store does not know: they are not owed. */
static void heal(Service *s, uint32_t actions, bool by_operator) {
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (actions & (UINT32_C(1) << i) && s->actions[i].wanted)
                        set_task(&s->actions[i], TASK_HEAL, by_operator);
        begin(s, OPERATION_RESTART, INTENTION_RESTART, 0);
}

void service_tasks_heal(Service *s, uint32_t actions) {
        heal(s, actions, false);
}

void service_tasks_reset(Service *s, uint32_t actions) {
        healing_forgive_service(s);
        heal(s, actions, true);
}

/* Before it is known whether it has happened. */
static void take_back(Action *a) {
        /* Whether it still is needed will be seen. */
        if (a->task == TASK_HEAL)
                a->task = TASK_NONE;
        if (a->task == TASK_RESTART && a->task_issued)
                a->task_may_be_done = true;
        a->task_issued = false;
}

static void on_task_done(void *userdata, int r, const char *job_result, const char *text) {
        Action *a = userdata;
        Service *s = a->service;
        ActionTask task = a->task;

        if (r == -ECONNRESET)
                return; /* service_tasks_interrupt() */
        if (service_call_may_pass(r)) {
                take_back(a);
                a->is_to_be_read = a->task_may_be_done && r == -ETIMEDOUT;
                service_retry_later(s, a->unit, r);
                return;
        }
        a->task = TASK_NONE;
        a->task_issued = false;
        if (r == -EBUSY && task == TASK_HEAL) {
                log_notice("%s: not restarted: somebody else has asked systemd for something", a->unit);
        } else if (r < 0 && r != -ENOENT) {
                log_warning("%s: %s: %s", a->unit, task == TASK_STOP ? "stop" : "start", text ? text : strerror(-r));
                free(s->fault);
                s->fault = text ? strdup(text) : NULL;
        }
        (void) job_result; /* of Type=exec it says nothing; the unit's own state does */
        if (task == TASK_STOP)
                socket_cleaning_run(s, (int) (a - s->actions));
        /* A signal may have been lost; what counts is what systemd says when asked. */
        if (r == -ETIME)
                (void) systemd_client_read(supervisor_systemd(s->supervisor), a->unit, NULL, NULL);
        supervisor_mark(s);
}

static void not_issued(Action *a, int r) {
        if (service_step_may_pass(r))
                service_retry_later(a->service, a->unit, r);
        else if (r != -ENOTCONN)
                on_task_done(a, r, NULL, NULL);
}

static void on_read(void *userdata, int r, const char *job_result, const char *text) {
        Action *a = userdata;

        (void) job_result;
        (void) text;
        if (r == -ECONNRESET)
                return; /* service_tasks_interrupt() */
        a->task_issued = false;
        a->is_to_be_read = service_call_may_pass(r);
        if (a->is_to_be_read)
                service_retry_later(a->service, a->unit, r);
        supervisor_mark(a->service);
}

/* Systemd answers in the order in which it was asked: what it says now is of after that. */
static void read_first(Action *a) {
        int r = systemd_client_read(supervisor_systemd(a->service->supervisor), a->unit, on_read, a);

        a->task_issued = r >= 0;
        if (!a->task_issued)
                not_issued(a, r);
}

/* It may have happened, or be at work: to start what is up is nothing, to restart it twice is harm. Or systemd has
 * never heard of it: it drops what it has not read when it executes itself anew. By now its facts are read again. */
static void settle_doubt(Action *a) {
        if (a->task == TASK_RESTART && a->task_may_be_done && (a->facts.job_id != 0 || !action_is_older_than_asked(a)))
                a->task = TASK_START;
        a->task_may_be_done = false;
}

static void issue_start(Action *a) {
        SystemdClient *systemd = supervisor_systemd(a->service->supervisor);
        uint64_t timeout_usec = usec_add(a->definition->start_timeout_usec, a->definition->stop_timeout_usec);
        int r = 0;

        if (a->is_to_be_read) {
                read_first(a);
                return;
        }
        settle_doubt(a);
        timeout_usec = usec_add(timeout_usec, JOB_MARGIN_USEC);
        if (timeout_usec > JOB_TIMEOUT_MAX_USEC)
                timeout_usec = JOB_TIMEOUT_MAX_USEC;
        if (a->by_operator && unit_facts_ever_started(&a->facts))
                r = systemd_client_reset_failed(systemd, a->unit, NULL, NULL);
        if (r >= 0 && a->task == TASK_HEAL) {
                r = systemd_client_heal(systemd, a->unit, !is_down(a) && !is_dying(a), timeout_usec, on_task_done, a);
        } else if (r >= 0 && a->task == TASK_START) {
                socket_cleaning_run(a->service, (int) (a - a->service->actions));
                r = systemd_client_start(systemd, a->unit, timeout_usec, on_task_done, a);
        } else if (r >= 0) {
                r = systemd_client_restart(systemd, a->unit, timeout_usec, on_task_done, a);
        }
        a->task_issued = r >= 0;
        if (a->task_issued)
                eviction_drop(a);
        else
                not_issued(a, r);
}

static void issue_stop(Action *a) {
        int r = systemd_client_stop(supervisor_systemd(a->service->supervisor), a->unit,
                                    usec_add(a->definition->stop_timeout_usec, JOB_MARGIN_USEC), on_task_done, a);

        a->task_issued = r >= 0;
        if (!a->task_issued)
                not_issued(a, r);
}

static void end_operation(Service *s) {
        s->operation = OPERATION_NONE;
        /* Units that could not be made are tried again by the next server: nobody has stopped anything. */
        if (s->intention != INTENTION_NONE && (s->units_made || !s->fault))
                supervisor_save_intention(s, INTENTION_NONE);
}

void service_tasks_advance(Service *s) {
        bool pending = false;
        uint16_t which;
        bool may_start = observation_dependencies(s, &which) == DEPENDENCIES_MET;

        for (size_t i = 0; i < s->definition->n_actions; i++) {
                Action *a = &s->actions[i];

                if (a->task == TASK_STOP && !a->task_issued)
                        issue_stop(a);
                else if (a->task != TASK_NONE && !a->task_issued && may_start && eviction_is_over(a) &&
                         folder_gift_is_over(s))
                        issue_start(a);
                else if (a->task == TASK_NONE)
                        eviction_follow(a);
                pending = pending || a->task != TASK_NONE;
        }
        if (!pending && s->operation != OPERATION_NONE)
                end_operation(s);
}

void service_tasks_interrupt(Service *s) {
        for (size_t i = 0; i < s->definition->n_actions; i++)
                take_back(&s->actions[i]);
}
