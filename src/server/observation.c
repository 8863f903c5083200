/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/observation.h"

#include "base/clock.h"
#include "server/adoption.h"
#include "server/socket_sighting.h"
#include "server/sockets.h"
#include "server/supervisor.h"

/* For so long connections may wait although none is taken … */
#define QUEUE_STANDING_PATIENCE_USEC (1 * USEC_PER_SEC)
/* … and for so long while there is room for more. */
#define QUEUE_SLOW_PATIENCE_USEC (10 * USEC_PER_SEC)

bool observation_in_motion(ServiceState state) {
        return state == SERVICE_STARTING || state == SERVICE_STOPPING || state == SERVICE_RESTARTING;
}

/* It is to start and will not, for the sake of another one. */
static bool lost_its_dependency(const Service *s) {
        return s->shown_state == SERVICE_FAILED && s->n_shown > 0 && s->shown[0].code == REASON_DEPENDENCY_FAILED;
}

static bool is_done(const Service *s) {
        return s->shown_state == SERVICE_STOPPED && s->n_shown > 0 && s->shown[0].code == REASON_EXITED;
}

/* `requires` gates on running (or done, for oneshots); `after` only waits while the other is on its way. */
static DependencyState judge_dependency(const Service *s, const char *name, bool required) {
        const Service *other = supervisor_find(s->supervisor, name);

        if (!other)
                return required ? DEPENDENCIES_FAILED : DEPENDENCIES_MET;
        if (other->shown_state == SERVICE_RUNNING || is_done(other))
                return DEPENDENCIES_MET;
        /* Its operation goes on, in case that what it needs comes back. Until then this is a failure like others. */
        if (lost_its_dependency(other))
                return required ? DEPENDENCIES_FAILED : DEPENDENCIES_MET;
        if (observation_in_motion(other->shown_state) || other->operation != OPERATION_NONE)
                return other->shown_state == SERVICE_STOPPING && !required ? DEPENDENCIES_MET : DEPENDENCIES_AWAITED;
        if (other->shown_state == SERVICE_UNKNOWN || other->shown_state == SERVICE_DEGRADED)
                return required ? DEPENDENCIES_AWAITED : DEPENDENCIES_MET;
        return required ? DEPENDENCIES_FAILED : DEPENDENCIES_MET;
}

DependencyState observation_dependencies(const Service *s, uint16_t *ret_which) {
        const ServiceDefinition *d = s->definition;
        DependencyState worst = DEPENDENCIES_MET;
        uint16_t index = 0;

        *ret_which = 0;
        for (int required = 1; required >= 0; required--)
                for (char **name = required ? d->requires : d->after; name && *name; name++, index++) {
                        DependencyState state = judge_dependency(s, *name, required);

                        if (state > worst) {
                                worst = state;
                                *ret_which = index;
                        }
                }
        return worst;
}

static bool is_at_rest(const Service *s) {
        return s->operation == OPERATION_NONE && !s->rebuild && s->step == UNITS_SETTLED &&
               !observation_in_motion(s->shown_state);
}

/* A start that systemd was not told of yet, and that not only for want of a connection. */
static bool holds_a_start_back(const Service *s) {
        for (size_t i = 0; i < s->definition->n_actions; i++) {
                const Action *a = &s->actions[i];

                if (a->task != TASK_NONE && a->task != TASK_STOP && !a->task_issued)
                        return supervisor_is_synced(s->supervisor);
        }
        return false;
}

/* NULL where there is none of that name. */
static const Service *dependency_at(const Service *s, uint16_t index) {
        const ServiceDefinition *d = s->definition;

        for (char **name = d->requires; name && *name; name++)
                if (index-- == 0)
                        return supervisor_find(s->supervisor, *name);
        return supervisor_find(s->supervisor, d->after[index]);
}

bool observation_concerns(const Service *s, const Service *judged) {
        return s == judged || (holds_a_start_back(s) && judged->shown_state != SERVICE_RUNNING &&
                               (is_at_rest(judged) || lost_its_dependency(judged)));
}

bool observation_is_over(const Service *s) {
        size_t n_left;

        /* What is not known for a moment only is waited for: a caller that is told "unknown" has to ask again. */
        if (adoption_is_in_doubt(supervisor_adoption(s->supervisor)))
                return false;
        /* A circle is refused where definitions come in; should there be one, nobody in it will move. */
        for ((void) supervisor_services(s->supervisor, &n_left); s && n_left > 0; n_left--) {
                uint16_t which;

                if (s->dirty)
                        return false;
                if (is_at_rest(s))
                        return true;
                if (!holds_a_start_back(s) || observation_dependencies(s, &which) == DEPENDENCIES_MET)
                        return false;
                s = dependency_at(s, which);
        }
        return true;
}

static bool is_up_and_to_restart(const Action *a) {
        return a->task == TASK_RESTART && !a->task_issued && action_judge(a, clock_monotonic_usec()).phase == ACTION_UP;
}

const Service *observation_restart_waits_for(const Service *s) {
        uint16_t which;

        if (observation_dependencies(s, &which) == DEPENDENCIES_MET)
                return NULL;
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (is_up_and_to_restart(&s->actions[i]))
                        return dependency_at(s, which);
        return NULL;
}

static void observe_action(const Service *s, const Action *a, uint64_t now_usec, ActionObservation *ret,
                           uint64_t *recheck) {
        ActionJudgement j = action_judge(a, now_usec);

        *ret = (ActionObservation){
                .phase = j.phase,
                .failure = j.failure,
                .is_oneshot = a->definition->kind == ACTION_KIND_ONESHOT,
                .is_retry = j.is_retry,
                .wanted = a->wanted,
                .start_pending = a->task == TASK_START || a->task == TASK_RESTART,
                .start_deadline_usec = action_start_deadline_usec(a),
        };
        (void) s;
        if (j.recheck_at_usec < *recheck)
                *recheck = j.recheck_at_usec;
}

/* What counts while systemd is asked about a socket that went bad: just now, as a rule, so that it still counts as
 * alive. Where the server was held up, or has only come up itself, nobody knows since when. */
static SocketEvidence evidence_in_doubt(const Service *s, bool seen_alive) {
        return seen_alive && !sockets_are_late(supervisor_sockets(s->supervisor)) ? SOCKET_EVIDENCE_ALIVE
                                                                                  : SOCKET_EVIDENCE_UNKNOWN;
}

/* Once systemd has said that its process is down there is nothing to doubt. */
static bool counts_as_up(const Service *s, int action) {
        return action >= 0 && s->actions[action].facts.active == UNIT_ACTIVE;
}

static SocketEvidence evidence_of(SocketState state) {
        static const SocketEvidence evidence[_SOCKET_STATE_MAX] = {
                [SOCKET_UNKNOWN] = SOCKET_EVIDENCE_UNKNOWN,
                [SOCKET_ALIVE] = SOCKET_EVIDENCE_ALIVE,
                [SOCKET_MISSING] = SOCKET_EVIDENCE_MISSING,
                [SOCKET_NO_LISTENER] = SOCKET_EVIDENCE_NO_LISTENER,
                [SOCKET_UNLINKED] = SOCKET_EVIDENCE_UNLINKED,
                [SOCKET_FOREIGN] = SOCKET_EVIDENCE_FOREIGN,
                [SOCKET_NOT_ACCEPTING] = SOCKET_EVIDENCE_NOT_ACCEPTING,
                [SOCKET_LINK] = SOCKET_EVIDENCE_FOREIGN, /* whoever is at its other end, it is not the service */
        };

        return evidence[state];
}

/* True until then: the answer is another one later. */
static bool is_before(uint64_t now_usec, uint64_t at_usec, uint64_t *recheck) {
        if (now_usec < at_usec && at_usec < *recheck)
                *recheck = at_usec;
        return now_usec < at_usec;
}

/* One that was found full, and not seen to become so, may have been it for long. */
static SocketEvidence evidence_of_patience(bool is_full, bool was_found_full) {
        return is_full && was_found_full ? SOCKET_EVIDENCE_UNKNOWN : SOCKET_EVIDENCE_ALIVE;
}

/* A live socket by its queue. One that is full turns clients away; one that has room may be that of a server which does
 * one thing after the other, so it is only slow at first. */
static SocketEvidence queue_evidence(const ServiceSocket *socket, uint64_t now_usec, uint64_t *recheck) {
        uint64_t since_usec = socket->seen.waiting_since_usec;
        bool is_full = socket->seen.state == SOCKET_NOT_ACCEPTING;

        if (since_usec == 0 || is_before(now_usec, usec_add(since_usec, QUEUE_STANDING_PATIENCE_USEC), recheck))
                return evidence_of_patience(is_full, socket->was_found_full);
        if (!is_full && is_before(now_usec, usec_add(since_usec, QUEUE_SLOW_PATIENCE_USEC), recheck))
                return SOCKET_EVIDENCE_SLOW;
        return SOCKET_EVIDENCE_NOT_ACCEPTING;
}

static SocketEvidence socket_evidence(const ServiceSocket *socket, uint64_t now_usec, uint64_t *recheck) {
        SocketState state = socket_sighting_state(socket);

        if (socket_state_is_good(state))
                return queue_evidence(socket, now_usec, recheck);
        if (state == SOCKET_LINK)
                (void) is_before(now_usec, socket->link_until_usec, recheck);
        if (counts_as_up(socket->service, socket->definition->action) &&
            is_before(now_usec, socket->doubt_until_usec, recheck))
                return evidence_in_doubt(socket->service, socket->seen_alive);
        return evidence_of(state);
}

static SocketObservation observe_socket(const Service *s, size_t index, uint64_t now_usec, uint64_t *recheck) {
        const ServiceSocket *socket = &s->sockets[index];

        return (SocketObservation){
                .evidence = socket_evidence(socket, now_usec, recheck),
                .action = socket->definition->action,
                .seen_alive = socket->seen_alive,
                .index = (uint16_t) index,
        };
}

static SocketEvidence port_evidence(const Service *s, const ServicePort *port, uint64_t now_usec, uint64_t *recheck) {
        if (port->state == SOCKET_NOT_ACCEPTING &&
            is_before(now_usec, usec_add(port->full_since_usec, QUEUE_STANDING_PATIENCE_USEC), recheck))
                return evidence_of_patience(true, port->was_found_full);
        if (port->state != SOCKET_ALIVE && counts_as_up(s, port->definition->action) &&
            is_before(now_usec, port->doubt_until_usec, recheck))
                return evidence_in_doubt(s, port->seen_alive);
        return evidence_of(port->state);
}

static SocketObservation observe_port(const Service *s, size_t index, uint64_t now_usec, uint64_t *recheck) {
        const ServicePort *port = &s->ports[index];

        return (SocketObservation){
                .evidence = port_evidence(s, port, now_usec, recheck),
                .action = port->definition->action,
                .seen_alive = port->seen_alive,
                .is_port = true,
                .index = (uint16_t) index,
        };
}

/* Stopped, or failed, and nothing of it up: it was so before the machine began to go down, and stays so. */
static bool was_down_before(const Service *s) {
        bool all_down = s->shown_state == SERVICE_STOPPED || s->shown_state == SERVICE_FAILED;

        for (size_t i = 0; all_down && i < s->definition->n_actions; i++)
                all_down = s->actions[i].facts.active == UNIT_INACTIVE || s->actions[i].facts.active == UNIT_FAILED;
        return all_down;
}

ServiceDecision observation_decide(const Service *s, uint64_t now_usec) {
        const ServiceDefinition *d = s->definition;
        ActionObservation actions[DEFINITION_ACTIONS_MAX];
        SocketObservation sockets[DEFINITION_SOCKETS_MAX + DEFINITION_PORTS_MAX];
        ProbeObservation probes[DEFINITION_PROBES_MAX];
        ServiceObservation seen = {
                .systemd_readable = supervisor_is_synced(s->supervisor) &&
                                    !adoption_is_in_doubt(supervisor_adoption(s->supervisor)),
                .operation = s->operation,
                .budget_spent = s->healing.is_spent,
                .actions = actions,
                .n_actions = d->n_actions,
                .sockets = sockets,
                .n_sockets = d->n_sockets + d->n_ports,
                .probes = probes,
                .n_probes = d->n_probes,
        };
        uint64_t recheck = USEC_NEVER;
        ServiceDecision decision;

        /* When the machine goes down everything is stopped, and nothing of it is a failure. */
        if (systemd_client_is_shutting_down(supervisor_systemd(s->supervisor)))
                seen.operation = was_down_before(s) ? OPERATION_NONE : OPERATION_STOP;
        else if (s->operation == OPERATION_START || s->operation == OPERATION_RESTART)
                seen.dependencies = observation_dependencies(s, &seen.dependency);
        for (size_t i = 0; i < d->n_actions; i++)
                observe_action(s, &s->actions[i], now_usec, &actions[i], &recheck);
        for (size_t i = 0; i < d->n_sockets; i++)
                sockets[i] = observe_socket(s, i, now_usec, &recheck);
        for (size_t i = 0; i < d->n_ports; i++)
                sockets[d->n_sockets + i] = observe_port(s, i, now_usec, &recheck);
        for (size_t i = 0; i < d->n_probes; i++)
                probes[i] = (ProbeObservation){
                        .verdict = s->probes[i].health.verdict,
                        .role = d->probes[i].role,
                        .action = s->probes[i].action,
                        .stale_at_usec = probe_health_stale_at_usec(&s->probes[i].health, &d->probes[i]),
                };
        decision = service_status_decide(&seen, now_usec);
        if (recheck < decision.recheck_at_usec)
                decision.recheck_at_usec = recheck;
        return decision;
}
