/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/operator_acts.h"

#include "base/clock.h"
#include "base/log.h"
#include "server/service_units.h"
#include "server/socket_cleaning.h"
#include "server/supervisor.h"

static void stopped(Service *s, const char *unit) {
        log_notice("%s: %s was stopped by an operator, and stays down until an operator starts it", s->definition->name,
                   unit);
        s->asked_usec = clock_monotonic_usec();
        supervisor_save_wanted(s);
}

static void stopped_all(Service *s, const char *unit) {
        if (!service_wants_up(s))
                return;
        service_set_wanted(s, false);
        stopped(s, unit);
}

/* A oneshot that is done is there for the processes of its service: alone it serves nobody, so it is wanted as they
 * are. Where there are none it stands for itself. */
static void oneshots_follow_processes(Service *s) {
        bool any_process = false, any_wanted = false, changed = false;

        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (s->definition->actions[i].kind != ACTION_KIND_ONESHOT) {
                        any_process = true;
                        any_wanted = any_wanted || s->actions[i].wanted;
                }
        for (size_t i = 0; any_process && i < s->definition->n_actions; i++) {
                Action *a = &s->actions[i];

                if (s->definition->actions[i].kind != ACTION_KIND_ONESHOT || a->wanted == any_wanted ||
                    a->task != TASK_NONE || action_judge(a, clock_monotonic_usec()).phase != ACTION_DONE)
                        continue;
                a->wanted = any_wanted;
                changed = true;
        }
        if (changed)
                supervisor_save_wanted(s);
}

/* A oneshot that stands for itself is down before and after its work: that it was started shows by when it ran. */
static bool ran_since_it_was_taken_down(const Action *a, ActionPhase phase) {
        const Service *s = a->service;

        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (s->definition->actions[i].kind != ACTION_KIND_ONESHOT)
                        return false;
        return (phase == ACTION_DONE || phase == ACTION_FAILED) && s->asked_usec > 0 &&
               a->facts.exec_main_start_usec > s->asked_usec;
}

void operator_acts_follow(Action *a) {
        Service *s = a->service;
        /* Not what is BACKOFF by grace: a oneshot that is stopped ends as "failed", which is no start. */
        ActionPhase phase = action_judge(a, clock_monotonic_usec()).phase;

        if (a->task != TASK_NONE || service_units_are_in_work(s) || a->facts.job_id != 0 || !s->units_made ||
            systemd_client_is_shutting_down(supervisor_systemd(s->supervisor)))
                return;
        if (a->wanted && phase == ACTION_STOPPED) {
                a->wanted = false;
                stopped(s, a->unit);
                socket_cleaning_run(s, (int) (a - s->actions));
        } else if (!a->wanted && (phase == ACTION_UP || a->facts.active == UNIT_ACTIVATING ||
                                  ran_since_it_was_taken_down(a, phase))) {
                a->wanted = true;
                log_notice("%s: %s was started by an operator", s->definition->name, a->unit);
                supervisor_save_wanted(s);
        }
        oneshots_follow_processes(s);
}

/* A stop that somebody asks systemd for while our own start still waits for another service: the stop came later. */
static void yield_to_stop(Action *a) {
        bool awaits_start = a->task == TASK_START || a->task == TASK_RESTART || a->task == TASK_HEAL;

        if (awaits_start && !a->task_issued && a->facts.active == UNIT_DEACTIVATING && a->facts.job_id != 0 &&
            !service_units_are_in_work(a->service))
                a->task = TASK_NONE;
}

/* A start by somebody else counts from its first moment: otherwise it would be shown as "stopping" until it is up. */
static void classify_start(Action *a) {
        ActionJudgement j = action_judge(a, clock_monotonic_usec());

        /* systemd's own next try after a crash is nobody's wish. */
        if (j.phase == ACTION_BACKOFF || j.is_retry)
                return;
        if (a->wanted || a->task != TASK_NONE || service_units_are_in_work(a->service) ||
            a->facts.active != UNIT_ACTIVATING)
                return;
        a->wanted = true;
        log_notice("%s: %s was started by an operator", a->service->definition->name, a->unit);
        supervisor_save_wanted(a->service);
}

void operator_acts_follow_signal(Action *a) {
        yield_to_stop(a);
        classify_start(a);
        operator_acts_follow(a);
}

/* A slice that stays loaded because a failed member pins it: only its going down is a stop, once; it says more later.
 */
void operator_acts_follow_slice(Service *s) {
        bool went_down = s->slice_was_active && s->slice.active == UNIT_INACTIVE && s->slice.job_id == 0;

        if (s->slice.active == UNIT_ACTIVE)
                s->slice_was_active = true;
        if (!went_down)
                return;
        s->slice_was_active = false;
        if (s->operation == OPERATION_NONE && !service_units_are_in_work(s) &&
            !systemd_client_is_shutting_down(supervisor_systemd(s->supervisor)))
                stopped_all(s, "its slice");
}

/* Units that the anchor keeps are unloaded only when the whole slice was stopped. The anchor is put back, so that
 * systemctl knows the units and an operator can start them again. */
void operator_acts_follow_unloaded(Service *s) {
        /* What could not be made, or was rolled back by systemd, was not stopped by anybody. */
        if (service_units_are_in_work(s) || !s->units_made ||
            systemd_client_is_shutting_down(supervisor_systemd(s->supervisor)))
                return;
        stopped_all(s, "its slice");
        service_units_rebuild(s);
}
