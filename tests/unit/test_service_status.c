/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/clock.h"
#include "core/service_status.h"

#define NOW 1000000u

/* One service of two actions, one socket of the first and one probe of the second: enough for every rule to meet every
 * other. `c` is the case, built and judged in walk(). */
typedef struct Case {
        ActionObservation actions[2];
        SocketObservation socket;
        ProbeObservation probe;
        ServiceObservation seen;
} Case;

static void case_init(Case *c) {
        *c = (Case){
                .actions = { { .phase = ACTION_UP, .wanted = true }, { .phase = ACTION_UP, .wanted = true } },
                .socket = { .evidence = SOCKET_EVIDENCE_ALIVE, .action = 0, .seen_alive = true },
                .probe = { .verdict = PROBE_VERDICT_PASSING, .action = 1, .stale_at_usec = NOW + 1 },
                .seen = { .systemd_readable = true, .n_actions = 2, .n_sockets = 1, .n_probes = 1 },
        };
        c->seen.actions = c->actions;
        c->seen.sockets = &c->socket;
        c->seen.probes = &c->probe;
}

static bool action_is_fine(const ActionObservation *a) {
        return a->phase == ACTION_UP || (a->is_oneshot && a->phase == ACTION_DONE && !a->start_pending);
}

/* The truth of the matter, written apart from the decision: is anything that the service needs dead? */
static bool everything_alive(const Case *c) {
        for (size_t i = 0; i < 2; i++)
                if (!action_is_fine(&c->actions[i]) || !c->actions[i].wanted)
                        return false;
        if (!c->actions[0].is_oneshot && c->socket.evidence != SOCKET_EVIDENCE_ALIVE)
                return false;
        if (!c->actions[1].is_oneshot && c->probe.role != PROBE_REPORT &&
            (c->probe.verdict != PROBE_VERDICT_PASSING || c->probe.stale_at_usec <= NOW))
                return false;
        return true;
}

static const char *broken_invariant(const Case *c, const ServiceDecision *d) {
        bool alive = everything_alive(c);
        bool in_motion = d->state == SERVICE_STARTING || d->state == SERVICE_STOPPING || d->state == SERVICE_RESTARTING;
        bool all_oneshots_done = c->actions[0].phase == ACTION_DONE && c->actions[1].phase == ACTION_DONE;

        if ((int) d->state < 0 || d->state >= _SERVICE_STATE_MAX)
                return "the state is one of the list";
        if (d->state == SERVICE_RUNNING && !alive)
                return "never running with a required thing dead";
        if (d->state == SERVICE_FAILED && alive)
                return "never failed with everything required alive";
        if (d->state == SERVICE_RUNNING && d->n_reasons > 0)
                return "running needs no excuse";
        if (d->state != SERVICE_RUNNING && !in_motion && d->n_reasons == 0)
                return "a state that is not running has a reason";
        if (!c->seen.systemd_readable && d->state != SERVICE_UNKNOWN)
                return "nothing is claimed when systemd cannot be read";
        if (d->recheck_at_usec <= NOW)
                return "the next look lies ahead";
        if (d->state == SERVICE_STOPPED && (c->actions[0].phase == ACTION_UP || c->actions[1].phase == ACTION_UP))
                return "never stopped with a process up";
        if (alive && c->seen.systemd_readable && c->seen.operation == OPERATION_NONE &&
            c->seen.dependencies == DEPENDENCIES_MET && !c->actions[0].start_pending && !c->actions[1].start_pending &&
            c->probe.role != PROBE_REPORT && !all_oneshots_done && d->state != SERVICE_RUNNING)
                return "running when all is well";
        if (alive && c->probe.role == PROBE_REPORT && !in_motion && !all_oneshots_done &&
            c->seen.dependencies == DEPENDENCIES_MET && c->seen.systemd_readable && d->state != SERVICE_RUNNING &&
            d->state != SERVICE_DEGRADED)
                return "a probe that only reports degrades, and no more";
        if (alive && c->probe.role != PROBE_REPORT && c->probe.stale_at_usec <= NOW && d->state == SERVICE_FAILED)
                return "an old failure is no proof of one";
        for (size_t i = 0; i < d->n_reasons; i++)
                if (d->reasons[i].code == REASON_NONE)
                        return "every reason has a code";
        return NULL;
}

static uint64_t n_cases;

/* Judges one case twice (same input, same answer) and checks the invariants. */
static const char *judge(const Case *c) {
        ServiceDecision a = service_status_decide(&c->seen, NOW), b = service_status_decide(&c->seen, NOW);

        n_cases++;
        if (a.state != b.state || a.n_reasons != b.n_reasons || a.recheck_at_usec != b.recheck_at_usec ||
            memcmp(a.reasons, b.reasons, a.n_reasons * sizeof a.reasons[0]) != 0)
                return "same input, same answer";
        return broken_invariant(c, &a);
}

static const char *walk_evidence(Case *c) {
        const char *broken;

        for (int evidence = 0; evidence < _SOCKET_EVIDENCE_MAX; evidence++)
                for (int alive_before = 0; alive_before < 2; alive_before++)
                        for (int verdict = 0; verdict < _PROBE_VERDICT_MAX; verdict++)
                                for (int role = 0; role < _PROBE_ROLE_MAX; role++)
                                        for (unsigned fresh = 0; fresh < 2; fresh++) {
                                                c->socket.evidence = (SocketEvidence) evidence;
                                                c->socket.seen_alive = alive_before;
                                                c->probe.verdict = (ProbeVerdict) verdict;
                                                c->probe.role = (ProbeRole) role;
                                                c->probe.stale_at_usec = NOW + fresh;
                                                broken = judge(c);
                                                if (broken)
                                                        return broken;
                                        }
        return NULL;
}

/* Every state of one action: phase x wanted x about to start x oneshot x within its start timeout x a retry. */
enum { IS_RETRY = 16, N_ACTION_STATES = _ACTION_PHASE_MAX * 32 };

static void set_action(ActionObservation *a, unsigned n) {
        *a = (ActionObservation){
                .phase = (ActionPhase) (n / 32),
                .is_retry = (n & IS_RETRY) != 0,
                .failure = REASON_PROCESS_DIED,
                .wanted = n & 1,
                .start_pending = (n & 2) != 0,
                .is_oneshot = (n & 4) != 0,
                .start_deadline_usec = n & 8 ? NOW + 5 : NOW - 5,
        };
}

TEST(invariants_hold_over_the_whole_product_of_inputs) {
        Case c;

        case_init(&c);
        for (unsigned a = 0; a < N_ACTION_STATES; a++)
                for (unsigned b = 0; b < N_ACTION_STATES; b++) {
                        const char *broken;

                        if (b & IS_RETRY) /* it only matters to the owner of the socket, which is the first */
                                continue;
                        set_action(&c.actions[0], a);
                        set_action(&c.actions[1], b);
                        broken = walk_evidence(&c);
                        if (broken)
                                FAIL("\"%s\" is broken: actions %u, %u, socket %d/%d, probe %d/%d", broken, a, b,
                                     (int) c.socket.evidence, c.socket.seen_alive, (int) c.probe.verdict,
                                     (int) c.probe.role);
                }
        printf("     %" PRIu64 " cases\n", n_cases);
}

TEST(invariants_hold_in_every_operation_and_with_every_dependency) {
        Case c;

        case_init(&c);
        for (unsigned a = 0; a < N_ACTION_STATES; a++)
                for (int op = 0; op < _OPERATION_MAX; op++)
                        for (int dep = 0; dep < _DEPENDENCY_STATE_MAX; dep++)
                                for (int readable = 0; readable < 2; readable++) {
                                        const char *broken;

                                        c.seen.budget_spent = op == OPERATION_NONE;
                                        set_action(&c.actions[0], a);
                                        c.seen.operation = (ServiceOperation) op;
                                        c.seen.dependencies = (DependencyState) dep;
                                        c.seen.systemd_readable = readable;
                                        broken = walk_evidence(&c);
                                        if (broken)
                                                FAIL("\"%s\" is broken: action %u, operation %d, dependency %d, "
                                                     "readable %d",
                                                     broken, a, op, dep, readable);
                                }
}

static void expect(const Case *c, ServiceState state, ReasonCode code, ReasonSubject subject, unsigned index) {
        ServiceDecision d = service_status_decide(&c->seen, NOW);

        ASSERT_STREQ(service_state_to_string(d.state), service_state_to_string(state));
        if (code == REASON_NONE) {
                ASSERT_EQ(d.n_reasons, 0);
                return;
        }
        ASSERT(d.n_reasons > 0);
        ASSERT_STREQ(reason_code_to_string((ReasonCode) d.reasons[0].code), reason_code_to_string(code));
        ASSERT_EQ(d.reasons[0].subject, subject);
        ASSERT_EQ(d.reasons[0].index, index);
}

TEST(all_well_is_running) {
        Case c;

        case_init(&c);
        expect(&c, SERVICE_RUNNING, REASON_NONE, SUBJECT_SERVICE, 0);
}

TEST(a_probe_at_its_limit_is_failed_and_named) {
        Case c;

        case_init(&c);
        c.probe.verdict = PROBE_VERDICT_FAILED;
        expect(&c, SERVICE_FAILED, REASON_PROBE_FAILED, SUBJECT_PROBE, 0);
        c.probe.verdict = PROBE_VERDICT_FAILING;
        expect(&c, SERVICE_DEGRADED, REASON_PROBE_FAILED, SUBJECT_PROBE, 0);
        c.probe.verdict = PROBE_VERDICT_FAILED;
        c.probe.role = PROBE_REPORT;
        expect(&c, SERVICE_DEGRADED, REASON_PROBE_FAILED, SUBJECT_PROBE, 0);
}

TEST(a_readiness_probe_holds_back_running_until_it_passes_or_the_start_timeout_ends) {
        Case c;

        case_init(&c);
        c.probe.role = PROBE_READINESS;
        c.probe.verdict = PROBE_VERDICT_NOT_READY;
        c.actions[1].start_deadline_usec = NOW + 1;
        c.probe.stale_at_usec = NOW + 9;
        expect(&c, SERVICE_STARTING, REASON_NOT_READY, SUBJECT_PROBE, 0);
        ASSERT_EQ(service_status_decide(&c.seen, NOW).recheck_at_usec, NOW + 1);
        c.actions[1].start_deadline_usec = NOW;
        expect(&c, SERVICE_FAILED, REASON_START_TIMEOUT, SUBJECT_PROBE, 0);
        c.probe.role = PROBE_LIVENESS;
        expect(&c, SERVICE_FAILED, REASON_PROBE_FAILED, SUBJECT_PROBE, 0);
        c.probe.role = PROBE_REPORT;
        expect(&c, SERVICE_DEGRADED, REASON_PROBE_FAILED, SUBJECT_PROBE, 0);
        c.actions[1].start_deadline_usec = NOW + 1;
        expect(&c, SERVICE_RUNNING, REASON_NONE, SUBJECT_SERVICE, 0);
}

TEST(once_it_has_passed_a_readiness_probe_fails_a_service_as_others_do) {
        Case c;

        case_init(&c);
        c.probe.role = PROBE_READINESS;
        for (unsigned soon = 0; soon < 2; soon++) {
                c.actions[1].start_deadline_usec = NOW + soon;
                c.probe.verdict = PROBE_VERDICT_FAILING;
                expect(&c, SERVICE_DEGRADED, REASON_PROBE_FAILED, SUBJECT_PROBE, 0);
                c.probe.verdict = PROBE_VERDICT_FAILED;
                expect(&c, SERVICE_FAILED, REASON_PROBE_FAILED, SUBJECT_PROBE, 0);
        }
}

TEST(a_port_is_judged_as_a_socket_is_and_named_as_a_port) {
        static const struct {
                SocketEvidence evidence;
                ServiceState state;
                ReasonCode code;
        } cases[] = {
                { SOCKET_EVIDENCE_ALIVE, SERVICE_RUNNING, REASON_NONE },
                { SOCKET_EVIDENCE_MISSING, SERVICE_FAILED, REASON_SOCKET_MISSING },
                { SOCKET_EVIDENCE_FOREIGN, SERVICE_FAILED, REASON_SOCKET_FOREIGN },
                { SOCKET_EVIDENCE_NOT_ACCEPTING, SERVICE_FAILED, REASON_SOCKET_NOT_ACCEPTING },
                { SOCKET_EVIDENCE_UNKNOWN, SERVICE_UNKNOWN, REASON_STALE },
        };
        Case c;

        case_init(&c);
        c.socket.is_port = true;
        c.socket.index = 7;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                c.socket.evidence = cases[i].evidence;
                expect(&c, cases[i].state, cases[i].code, SUBJECT_PORT, 7);
        }
        c.socket.evidence = SOCKET_EVIDENCE_FOREIGN;
        c.actions[0].phase = ACTION_BACKOFF;
        expect(&c, SERVICE_FAILED, REASON_SOCKET_FOREIGN, SUBJECT_PORT, 7);
}

TEST(a_dead_process_leads_and_its_socket_is_listed) {
        Case c;
        ServiceDecision d;

        case_init(&c);
        c.actions[0].phase = ACTION_BACKOFF;
        c.actions[0].failure = REASON_PROCESS_DIED;
        c.socket.evidence = SOCKET_EVIDENCE_NO_LISTENER;
        expect(&c, SERVICE_RESTARTING, REASON_PROCESS_DIED, SUBJECT_ACTION, 0);
        d = service_status_decide(&c.seen, NOW);
        ASSERT_EQ(d.n_reasons, 2);
        ASSERT_EQ(d.reasons[1].code, REASON_SOCKET_NO_LISTENER);

        c.actions[0].phase = ACTION_FAILED;
        expect(&c, SERVICE_FAILED, REASON_PROCESS_DIED, SUBJECT_ACTION, 0);
}

TEST(a_socket_may_come_late_once_but_not_go_away) {
        Case c;

        case_init(&c);
        c.socket.evidence = SOCKET_EVIDENCE_MISSING;
        expect(&c, SERVICE_FAILED, REASON_SOCKET_MISSING, SUBJECT_SOCKET, 0);
        c.actions[0].start_deadline_usec = NOW + 7;
        expect(&c, SERVICE_FAILED, REASON_SOCKET_MISSING, SUBJECT_SOCKET, 0);
        c.socket.seen_alive = false;
        expect(&c, SERVICE_STARTING, REASON_SOCKET_MISSING, SUBJECT_SOCKET, 0);
        ASSERT_EQ(service_status_decide(&c.seen, NOW).recheck_at_usec, NOW + 1); /* the probe's evidence ages first */
}

TEST(a_stranger_on_the_socket_leads_over_every_further_try) {
        static const ActionPhase tried[] = { ACTION_BACKOFF, ACTION_FAILED, ACTION_STARTING, ACTION_UP };
        Case c;
        ServiceDecision d;

        case_init(&c);
        c.socket = (SocketObservation){ .evidence = SOCKET_EVIDENCE_FOREIGN, .action = 0 };
        for (size_t i = 0; i < ELEMENTSOF(tried); i++) {
                c.actions[0] = (ActionObservation){ .phase = tried[i],
                                                    .failure = REASON_CRASH_LOOP,
                                                    .wanted = true,
                                                    .is_retry = true,
                                                    .start_deadline_usec = NOW + 7 };
                expect(&c, SERVICE_FAILED, REASON_SOCKET_FOREIGN, SUBJECT_SOCKET, 0);
        }
        /* The first try may still put its own socket in the place; an operator's word goes before all of it. */
        c.actions[0].is_retry = false;
        expect(&c, SERVICE_STARTING, REASON_SOCKET_FOREIGN, SUBJECT_SOCKET, 0);
        c.actions[0].phase = ACTION_BACKOFF;
        c.seen.operation = OPERATION_STOP;
        d = service_status_decide(&c.seen, NOW);
        ASSERT_STREQ(service_state_to_string(d.state), "stopping");
}

TEST(a_spent_restart_budget_leads_and_what_is_dead_stays_listed) {
        Case c;
        ServiceDecision d;

        case_init(&c);
        c.seen.budget_spent = true;
        expect(&c, SERVICE_RUNNING, REASON_NONE, SUBJECT_SERVICE, 0);
        c.probe.verdict = PROBE_VERDICT_FAILED;
        expect(&c, SERVICE_FAILED, REASON_RESTART_BUDGET, SUBJECT_SERVICE, 0);
        d = service_status_decide(&c.seen, NOW);
        ASSERT_EQ(d.n_reasons, 2);
        ASSERT_EQ(d.reasons[1].code, REASON_PROBE_FAILED);
        c.actions[0].phase = ACTION_FAILED; /* systemd's own giving up is another matter */
        c.actions[0].failure = REASON_CRASH_LOOP;
        expect(&c, SERVICE_FAILED, REASON_CRASH_LOOP, SUBJECT_ACTION, 0);
}

TEST(an_operators_stop_of_one_action_silences_its_sockets_and_probes) {
        Case c;

        case_init(&c);
        c.actions[0].wanted = false;
        c.actions[0].phase = ACTION_STOPPED;
        c.socket.evidence = SOCKET_EVIDENCE_MISSING;
        expect(&c, SERVICE_DEGRADED, REASON_STOPPED_BY_OPERATOR, SUBJECT_ACTION, 0);
        c.actions[1].wanted = false;
        c.actions[1].phase = ACTION_STOPPED;
        expect(&c, SERVICE_STOPPED, REASON_STOPPED_BY_OPERATOR, SUBJECT_SERVICE, 0);
}

TEST(done_is_done_but_a_hole_beside_a_running_sibling_is_not) {
        Case c;

        case_init(&c);
        c.actions[0].phase = ACTION_DONE;
        c.socket.evidence = SOCKET_EVIDENCE_MISSING;
        expect(&c, SERVICE_FAILED, REASON_EXITED, SUBJECT_ACTION, 0);
        ASSERT_EQ(service_status_decide(&c.seen, NOW).n_reasons, 2); /* what went with it is named too */
        ASSERT_EQ(service_status_decide(&c.seen, NOW).reasons[1].code, REASON_SOCKET_MISSING);
        c.actions[0].is_oneshot = true;
        expect(&c, SERVICE_RUNNING, REASON_NONE, SUBJECT_SERVICE, 0);
        c.actions[1].phase = ACTION_DONE;
        expect(&c, SERVICE_STOPPED, REASON_EXITED, SUBJECT_SERVICE, 0);
}

TEST(a_oneshot_that_is_done_serves_nobody_once_an_operator_has_stopped_every_process) {
        Case c;

        case_init(&c);
        c.actions[0] = (ActionObservation){ .phase = ACTION_DONE, .is_oneshot = true, .wanted = true };
        c.actions[1] = (ActionObservation){ .phase = ACTION_STOPPED };
        expect(&c, SERVICE_STOPPED, REASON_STOPPED_BY_OPERATOR, SUBJECT_SERVICE, 0);
        c.actions[0].start_pending = true;
        ASSERT(service_status_decide(&c.seen, NOW).state != SERVICE_STOPPED);
}

TEST(old_evidence_is_unknown_and_never_a_guess) {
        Case c;

        case_init(&c);
        c.probe.stale_at_usec = NOW;
        for (int verdict = PROBE_VERDICT_PASSING; verdict < _PROBE_VERDICT_MAX; verdict++) {
                c.probe.verdict = (ProbeVerdict) verdict;
                expect(&c, SERVICE_UNKNOWN, REASON_STALE, SUBJECT_PROBE, 0);
        }
        c.probe.verdict = PROBE_VERDICT_FAILED;
        c.probe.role = PROBE_REPORT; /* what only reports stands until it passes */
        expect(&c, SERVICE_DEGRADED, REASON_PROBE_FAILED, SUBJECT_PROBE, 0);
        case_init(&c);
        c.probe.verdict = PROBE_VERDICT_STALE;
        expect(&c, SERVICE_UNKNOWN, REASON_STALE, SUBJECT_PROBE, 0);
        case_init(&c);
        c.socket.evidence = SOCKET_EVIDENCE_UNKNOWN;
        expect(&c, SERVICE_UNKNOWN, REASON_STALE, SUBJECT_SOCKET, 0);
        case_init(&c);
        c.seen.systemd_readable = false;
        expect(&c, SERVICE_UNKNOWN, REASON_SYSTEMD_UNREACHABLE, SUBJECT_SERVICE, 0);
}

TEST(what_cannot_be_seen_is_not_said_to_serve_with_a_blemish) {
        Case c;

        case_init(&c);
        c.socket.evidence = SOCKET_EVIDENCE_UNKNOWN;
        c.probe.verdict = PROBE_VERDICT_FAILING;
        expect(&c, SERVICE_UNKNOWN, REASON_STALE, SUBJECT_SOCKET, 0);
        ASSERT_EQ(service_status_decide(&c.seen, NOW).reasons[1].code, REASON_PROBE_FAILED);
        c.probe.verdict = PROBE_VERDICT_FAILED;
        expect(&c, SERVICE_FAILED, REASON_PROBE_FAILED, SUBJECT_PROBE, 0);
}

TEST(waiting_for_another_service_names_it) {
        Case c;

        case_init(&c);
        c.actions[0] = c.actions[1] =
                (ActionObservation){ .phase = ACTION_NOT_STARTED, .wanted = true, .start_pending = true };
        c.socket.evidence = SOCKET_EVIDENCE_MISSING;
        c.probe.verdict = PROBE_VERDICT_NONE;
        c.seen.operation = OPERATION_START;
        c.seen.dependencies = DEPENDENCIES_AWAITED;
        c.seen.dependency = 3;
        expect(&c, SERVICE_STARTING, REASON_WAITING_FOR, SUBJECT_DEPENDENCY, 3);
        c.seen.dependencies = DEPENDENCIES_FAILED;
        expect(&c, SERVICE_FAILED, REASON_DEPENDENCY_FAILED, SUBJECT_DEPENDENCY, 3);
}
