/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/service_status.h"

#include <string.h>

#include "base/clock.h"

/* The decision as it grows: levels are walked from the strongest to the weakest, so the first to speak leads. */
typedef struct Judgement {
        const ServiceObservation *seen;
        uint64_t now_usec;
        bool decided;
        DecisionRule rule; /* the one that is being asked */
        ServiceDecision *decision;
} Judgement;

static void judgement_lead(Judgement *j, ServiceState state) {
        if (j->decided)
                return;
        j->decided = true;
        j->decision->state = state;
        j->decision->rule = j->rule;
}

static void judgement_say(Judgement *j, ServiceState state, ReasonCode code, ReasonSubject subject, size_t index) {
        ServiceDecision *d = j->decision;

        judgement_lead(j, state);
        if (d->n_reasons < DECISION_REASONS_MAX)
                d->reasons[d->n_reasons++] =
                        (Reason){ .code = (uint8_t) code, .subject = (uint8_t) subject, .index = (uint16_t) index };
}

static void judgement_recheck(Judgement *j, uint64_t at_usec) {
        if (at_usec > j->now_usec && at_usec < j->decision->recheck_at_usec)
                j->decision->recheck_at_usec = at_usec;
}

static bool phase_is_down(ActionPhase phase) {
        return phase == ACTION_NOT_STARTED || phase == ACTION_STOPPED || phase == ACTION_DONE || phase == ACTION_FAILED;
}

static bool any_wanted(const ServiceObservation *seen) {
        for (size_t i = 0; i < seen->n_actions; i++)
                if (seen->actions[i].wanted)
                        return true;
        return false;
}

/* A long-running process that left with success while it is wanted: fine when all are done, a hole while others serve.
 */
static bool is_hole(const ServiceObservation *seen, const ActionObservation *a) {
        if (a->phase != ACTION_DONE || a->is_oneshot)
                return false;
        for (size_t i = 0; i < seen->n_actions; i++)
                if (seen->actions[i].wanted && seen->actions[i].phase != ACTION_DONE)
                        return true;
        return false;
}

/* 1 */
static void judge_systemd(Judgement *j) {
        bool readable = j->seen->systemd_readable;

        for (size_t i = 0; i < j->seen->n_actions; i++)
                readable = readable && j->seen->actions[i].phase != ACTION_UNREADABLE;
        if (!readable)
                judgement_say(j, SERVICE_UNKNOWN, REASON_SYSTEMD_UNREACHABLE, SUBJECT_SERVICE, 0);
}

/* 2, hero_proc's own part. */
static void judge_operation(Judgement *j) {
        static const ServiceState operation_state[_OPERATION_MAX] = {
                [OPERATION_START] = SERVICE_STARTING,
                [OPERATION_STOP] = SERVICE_STOPPING,
                [OPERATION_RESTART] = SERVICE_RESTARTING,
        };

        if (j->seen->operation != OPERATION_NONE && j->seen->dependencies == DEPENDENCIES_MET)
                judgement_lead(j, operation_state[j->seen->operation]);
}

/* 2, systemd's. */
static void judge_jobs(Judgement *j) {
        bool wanted = any_wanted(j->seen);

        for (size_t i = 0; i < j->seen->n_actions; i++) {
                const ActionObservation *a = &j->seen->actions[i];

                if (a->phase == ACTION_STARTING)
                        judgement_say(j, a->is_retry ? SERVICE_RESTARTING : SERVICE_STARTING, REASON_NOT_READY,
                                      SUBJECT_ACTION, i);
                else if (a->phase == ACTION_STOPPING)
                        judgement_lead(j, SERVICE_STOPPING);
                else if (!wanted && !phase_is_down(a->phase))
                        judgement_lead(j, SERVICE_STOPPING); /* up or about to be, against the wish: on its way down */
        }
}

/* Every process was taken down, and what is still wanted are oneshots that are done: they serve nobody. */
static bool all_processes_are_stopped(const ServiceObservation *seen) {
        bool any_stopped = false;

        for (size_t i = 0; i < seen->n_actions; i++) {
                const ActionObservation *a = &seen->actions[i];

                if (a->wanted && (!a->is_oneshot || a->phase != ACTION_DONE || a->start_pending))
                        return false;
                any_stopped = any_stopped || (!a->wanted && !a->is_oneshot);
        }
        return any_stopped;
}

/* 3 */
static void judge_down(Judgement *j) {
        bool all_down = true, all_done = true;

        for (size_t i = 0; i < j->seen->n_actions; i++) {
                const ActionObservation *a = &j->seen->actions[i];

                all_down = all_down && phase_is_down(a->phase);
                all_done = all_done && a->wanted && a->phase == ACTION_DONE && !a->start_pending;
        }
        if (all_down && (!any_wanted(j->seen) || all_processes_are_stopped(j->seen)))
                judgement_say(j, SERVICE_STOPPED, REASON_STOPPED_BY_OPERATOR, SUBJECT_SERVICE, 0);
        else if (all_done)
                judgement_say(j, SERVICE_STOPPED, REASON_EXITED, SUBJECT_SERVICE, 0);
}

/* 4 */
static void judge_dead_actions(Judgement *j) {
        for (size_t i = 0; i < j->seen->n_actions; i++) {
                const ActionObservation *a = &j->seen->actions[i];

                if (!a->wanted || a->start_pending)
                        continue;
                if (a->phase == ACTION_FAILED)
                        judgement_say(j, SERVICE_FAILED, a->failure, SUBJECT_ACTION, i);
                else if (a->phase == ACTION_NOT_STARTED || a->phase == ACTION_STOPPED)
                        judgement_say(j, SERVICE_FAILED, REASON_ACTION_FAILED, SUBJECT_ACTION, i);
                else if (is_hole(j->seen, a))
                        judgement_say(j, SERVICE_FAILED, REASON_EXITED, SUBJECT_ACTION, i);
        }
}

/* 5 */
static void judge_back_off(Judgement *j) {
        for (size_t i = 0; i < j->seen->n_actions; i++)
                if (j->seen->actions[i].phase == ACTION_BACKOFF)
                        judgement_say(j, SERVICE_RESTARTING, j->seen->actions[i].failure, SUBJECT_ACTION, i);
}

/* One that is up and only waits to be restarted serves meanwhile, and is judged by how it serves. */
static bool awaits_start(const ActionObservation *a) {
        return a->wanted && a->start_pending && a->phase != ACTION_UP;
}

/* 6 */
static void judge_not_started(Judgement *j) {
        bool pending = false;

        for (size_t i = 0; i < j->seen->n_actions; i++)
                pending = pending || awaits_start(&j->seen->actions[i]);
        if (!pending)
                return;

        switch (j->seen->dependencies) {
        case DEPENDENCIES_AWAITED:
                judgement_say(j, SERVICE_STARTING, REASON_WAITING_FOR, SUBJECT_DEPENDENCY, j->seen->dependency);
                break;
        case DEPENDENCIES_FAILED:
                judgement_say(j, SERVICE_FAILED, REASON_DEPENDENCY_FAILED, SUBJECT_DEPENDENCY, j->seen->dependency);
                break;
        case DEPENDENCIES_MET:
        case _DEPENDENCY_STATE_MAX:
                judgement_lead(j, SERVICE_STARTING);
                break;
        }
}

/* Sockets and probes mean something only while their process should be serving. One that belongs to the service as a
 * whole is judged by all actions together, and not while one of them is an operator's doing. */
typedef enum Expectation {
        EXPECT_NOTHING,
        EXPECT_SOON, /* its process is up and within its start timeout */
        EXPECT_NOW,
} Expectation;

static Expectation expect_of_action(const Judgement *j, const ActionObservation *a) {
        if (!a->wanted || a->is_oneshot)
                return EXPECT_NOTHING;
        if (a->phase == ACTION_BACKOFF || a->phase == ACTION_FAILED || (is_hole(j->seen, a) && !a->start_pending))
                return EXPECT_NOW;
        if (a->phase != ACTION_UP)
                return EXPECT_NOTHING;
        return j->now_usec < a->start_deadline_usec ? EXPECT_SOON : EXPECT_NOW;
}

static Expectation expect_of(const Judgement *j, int action, uint64_t *ret_deadline_usec) {
        Expectation all = EXPECT_NOTHING;

        *ret_deadline_usec = 0;
        for (size_t i = 0; i < j->seen->n_actions; i++) {
                const ActionObservation *a = &j->seen->actions[i];
                Expectation e = expect_of_action(j, a);

                if (action >= 0 && (size_t) action != i)
                        continue;
                if (!a->wanted)
                        return EXPECT_NOTHING;
                if (e == EXPECT_SOON && a->start_deadline_usec > *ret_deadline_usec)
                        *ret_deadline_usec = a->start_deadline_usec;
                if (e > all)
                        all = e;
        }
        /* With several possible owners the youngest decides how long to be patient. */
        return *ret_deadline_usec > 0 ? EXPECT_SOON : all;
}

/* 7 */
static ReasonCode socket_reason(SocketEvidence evidence) {
        static const ReasonCode codes[_SOCKET_EVIDENCE_MAX] = {
                [SOCKET_EVIDENCE_UNKNOWN] = REASON_STALE,
                [SOCKET_EVIDENCE_MISSING] = REASON_SOCKET_MISSING,
                [SOCKET_EVIDENCE_NO_LISTENER] = REASON_SOCKET_NO_LISTENER,
                [SOCKET_EVIDENCE_UNLINKED] = REASON_SOCKET_UNLINKED,
                [SOCKET_EVIDENCE_FOREIGN] = REASON_SOCKET_FOREIGN,
                [SOCKET_EVIDENCE_NOT_ACCEPTING] = REASON_SOCKET_NOT_ACCEPTING,
                [SOCKET_EVIDENCE_SLOW] = REASON_SOCKET_NOT_ACCEPTING,
        };
        return codes[evidence];
}

/* Whether somebody else holds a socket of an action that has died of it once already, or gave up: systemd may try again
 * and again, and each try would hide from sight what has to be done. */
static bool is_held_by_stranger(const Judgement *j, const SocketObservation *s) {
        for (size_t i = 0; s->evidence == SOCKET_EVIDENCE_FOREIGN && i < j->seen->n_actions; i++) {
                const ActionObservation *a = &j->seen->actions[i];

                if (s->action >= 0 ? (size_t) s->action != i : j->seen->n_actions > 1)
                        continue;
                return a->wanted && !a->is_oneshot && !a->start_pending &&
                       (a->phase == ACTION_BACKOFF || a->phase == ACTION_FAILED ||
                        (a->is_retry && (a->phase == ACTION_STARTING || a->phase == ACTION_UP)));
        }
        return false;
}

static void say_socket(Judgement *j, ServiceState state, ReasonCode code, const SocketObservation *s) {
        judgement_say(j, state, code, s->is_port ? SUBJECT_PORT : SUBJECT_SOCKET, s->index);
}

/* 7a */
static void judge_strangers(Judgement *j) {
        for (size_t i = 0; i < j->seen->n_sockets; i++)
                if (is_held_by_stranger(j, &j->seen->sockets[i]))
                        say_socket(j, SERVICE_FAILED, REASON_SOCKET_FOREIGN, &j->seen->sockets[i]);
}

static void judge_sockets(Judgement *j, bool first_appearance) {
        for (size_t i = 0; i < j->seen->n_sockets; i++) {
                const SocketObservation *s = &j->seen->sockets[i];
                uint64_t deadline_usec;
                Expectation e = expect_of(j, s->action, &deadline_usec);
                bool patient = e == EXPECT_SOON && !s->seen_alive;

                if (e == EXPECT_NOTHING || s->evidence == SOCKET_EVIDENCE_ALIVE ||
                    s->evidence == SOCKET_EVIDENCE_UNKNOWN || s->evidence == SOCKET_EVIDENCE_SLOW ||
                    patient != first_appearance || is_held_by_stranger(j, s))
                        continue;
                say_socket(j, patient ? SERVICE_STARTING : SERVICE_FAILED, socket_reason(s->evidence), s);
                if (patient)
                        judgement_recheck(j, deadline_usec);
        }
}

static void judge_slow_sockets(Judgement *j) {
        for (size_t i = 0; i < j->seen->n_sockets; i++) {
                const SocketObservation *s = &j->seen->sockets[i];
                uint64_t deadline_usec;

                if (s->evidence == SOCKET_EVIDENCE_SLOW && expect_of(j, s->action, &deadline_usec) != EXPECT_NOTHING)
                        judgement_say(j, SERVICE_DEGRADED, socket_reason(s->evidence), SUBJECT_SOCKET, i);
        }
}

/* 8 and 10: the state that a verdict asks for; RUNNING where it asks for none. */
static ServiceState probe_state(const Judgement *j, const ProbeObservation *p, Expectation e) {
        if (p->role != PROBE_REPORT && j->now_usec >= p->stale_at_usec)
                return SERVICE_UNKNOWN;
        switch (p->verdict) {
        case PROBE_VERDICT_FAILED:
                return p->role == PROBE_REPORT ? SERVICE_DEGRADED : SERVICE_FAILED;
        case PROBE_VERDICT_NOT_READY:
                if (p->role == PROBE_REPORT)
                        return e == EXPECT_SOON ? SERVICE_RUNNING : SERVICE_DEGRADED;
                return e == EXPECT_SOON ? SERVICE_STARTING : SERVICE_FAILED;
        case PROBE_VERDICT_FAILING:
                return SERVICE_DEGRADED;
        case PROBE_VERDICT_NONE:
                if (p->role == PROBE_REPORT)
                        return SERVICE_RUNNING;
                return e == EXPECT_SOON ? SERVICE_STARTING : SERVICE_UNKNOWN;
        case PROBE_VERDICT_STALE:
                return p->role == PROBE_REPORT ? SERVICE_RUNNING : SERVICE_UNKNOWN;
        case PROBE_VERDICT_PASSING:
                return SERVICE_RUNNING;
        case _PROBE_VERDICT_MAX:
        case PROBE_VERDICT_INVALID:
                break;
        }
        return SERVICE_UNKNOWN;
}

static ReasonCode probe_reason(const ProbeObservation *p, ServiceState state) {
        if (state == SERVICE_STARTING)
                return REASON_NOT_READY;
        if (state == SERVICE_UNKNOWN)
                return REASON_STALE;
        return p->verdict == PROBE_VERDICT_NOT_READY && p->role == PROBE_READINESS ? REASON_START_TIMEOUT
                                                                                   : REASON_PROBE_FAILED;
}

static void judge_probes(Judgement *j, bool report, ServiceState level, bool aged) {
        for (size_t i = 0; i < j->seen->n_probes; i++) {
                const ProbeObservation *p = &j->seen->probes[i];
                uint64_t deadline_usec;
                Expectation e = expect_of(j, p->action, &deadline_usec);
                /* Whichever way it was, it is no more known to be so. What only reports stands until it passes. */
                bool is_aged = !report && j->now_usec >= p->stale_at_usec;

                if (e == EXPECT_NOTHING || (p->role == PROBE_REPORT) != report || is_aged != aged)
                        continue;
                if (probe_state(j, p, e) == level)
                        judgement_say(j, level, probe_reason(p, level), SUBJECT_PROBE, i);
                judgement_recheck(j, p->stale_at_usec);
                if (p->verdict == PROBE_VERDICT_NONE || p->verdict == PROBE_VERDICT_NOT_READY)
                        judgement_recheck(j, deadline_usec);
        }
}

/* 9 */
static void judge_partly_stopped(Judgement *j) {
        if (!any_wanted(j->seen))
                return;
        for (size_t i = 0; i < j->seen->n_actions; i++)
                if (!j->seen->actions[i].wanted)
                        judgement_say(j, SERVICE_DEGRADED, REASON_STOPPED_BY_OPERATOR, SUBJECT_ACTION, i);
}

/* 11, for sockets; the probes' is in judge_probes(). */
static void judge_unseen_sockets(Judgement *j) {
        for (size_t i = 0; i < j->seen->n_sockets; i++) {
                const SocketObservation *s = &j->seen->sockets[i];
                uint64_t deadline_usec;

                if (s->evidence == SOCKET_EVIDENCE_UNKNOWN && expect_of(j, s->action, &deadline_usec) != EXPECT_NOTHING)
                        say_socket(j, SERVICE_UNKNOWN, REASON_STALE, s);
        }
}

/* That nobody will try again soon is what a person has to know first; what is dead stands behind it. */
static void lead_with_spent_budget(Judgement *j) {
        ServiceDecision *d = j->decision;

        if (!j->seen->budget_spent || d->state != SERVICE_FAILED ||
            (d->rule != RULE_SOCKETS && d->rule != RULE_PROBES) || d->n_reasons >= DECISION_REASONS_MAX)
                return;
        memmove(&d->reasons[1], &d->reasons[0], d->n_reasons * sizeof d->reasons[0]);
        d->reasons[0] = (Reason){ .code = REASON_RESTART_BUDGET, .subject = SUBJECT_SERVICE };
        d->n_reasons++;
}

const char *service_status_rule_text(DecisionRule rule) {
        static const char *const texts[_RULE_MAX] = {
                [RULE_SYSTEMD_UNREADABLE] = "systemd cannot be asked, so nothing is claimed",
                [RULE_JOB] = "a job is under way",
                [RULE_DOWN] = "everything is down, and is meant to be",
                [RULE_DEAD_ACTION] = "an action that the service needs is dead, and systemd will not try it again",
                [RULE_BACK_OFF] = "an action died, and systemd tries it again after a pause",
                [RULE_NOT_STARTED] = "it may start only when another service is running",
                [RULE_SOCKETS] = "each declared socket and port has to be alive, within reach, and the service's own",
                [RULE_PROBES] = "each required probe has to pass",
                [RULE_PARTLY_STOPPED] = "an operator stopped some of its actions",
                [RULE_REPORT_PROBES] = "a probe that only reports fails",
                [RULE_OLD_EVIDENCE] = "what was seen is too old to be believed",
                [RULE_ALL_WELL] = "everything that it needs was seen alive",
        };
        return rule > 0 && rule < _RULE_MAX ? texts[rule] : "";
}

ServiceDecision service_status_decide(const ServiceObservation *seen, uint64_t now_usec) {
        ServiceDecision decision = { .state = SERVICE_UNKNOWN, .recheck_at_usec = USEC_NEVER };
        Judgement j = { .seen = seen, .now_usec = now_usec, .rule = RULE_SYSTEMD_UNREADABLE, .decision = &decision };

        judge_systemd(&j);
        if (j.decided)
                return decision; /* nothing else is known, so nothing else is said */
        j.rule = RULE_JOB;
        judge_operation(&j);
        j.rule = RULE_SOCKETS;
        judge_strangers(&j);
        j.rule = RULE_JOB;
        judge_jobs(&j);
        j.rule = RULE_DOWN;
        judge_down(&j);
        j.rule = RULE_DEAD_ACTION;
        judge_dead_actions(&j);
        j.rule = RULE_BACK_OFF;
        judge_back_off(&j);
        j.rule = RULE_NOT_STARTED;
        judge_not_started(&j);
        j.rule = RULE_SOCKETS;
        judge_sockets(&j, /* first_appearance= */ false);
        judge_sockets(&j, /* first_appearance= */ true);
        j.rule = RULE_PROBES;
        judge_probes(&j, /* report= */ false, SERVICE_FAILED, /* aged= */ false);
        judge_probes(&j, /* report= */ false, SERVICE_STARTING, /* aged= */ false);
        judge_probes(&j, /* report= */ false, SERVICE_UNKNOWN, /* aged= */ false);
        j.rule = RULE_OLD_EVIDENCE;
        judge_probes(&j, /* report= */ false, SERVICE_UNKNOWN, /* aged= */ true);
        judge_unseen_sockets(&j);
        j.rule = RULE_PROBES;
        judge_probes(&j, /* report= */ false, SERVICE_DEGRADED, /* aged= */ false);
        j.rule = RULE_SOCKETS;
        judge_slow_sockets(&j);
        j.rule = RULE_PARTLY_STOPPED;
        judge_partly_stopped(&j);
        j.rule = RULE_REPORT_PROBES;
        judge_probes(&j, /* report= */ true, SERVICE_DEGRADED, /* aged= */ false);
        j.rule = RULE_ALL_WELL;
        judgement_lead(&j, SERVICE_RUNNING);
        lead_with_spent_budget(&j);
        return decision;
}
