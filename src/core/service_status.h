/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* THE decision: what a service's state is, and why. One pure function of plain values: no I/O, no clock, no allocation.
 * Nothing stores a status; whoever wants one asks again. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/probe_health.h"
#include "core/reason.h"
#include "core/service_definition.h"
#include "core/unit_facts.h"

typedef enum SocketEvidence {
        SOCKET_EVIDENCE_UNKNOWN, /* cannot be had */
        SOCKET_EVIDENCE_ALIVE,   /* listening, by its path, and the service's own */
        SOCKET_EVIDENCE_MISSING,
        SOCKET_EVIDENCE_NO_LISTENER,
        SOCKET_EVIDENCE_UNLINKED,
        SOCKET_EVIDENCE_FOREIGN,
        SOCKET_EVIDENCE_NOT_ACCEPTING,
        SOCKET_EVIDENCE_SLOW, /* alive, but connections have been waiting for some time */
        _SOCKET_EVIDENCE_MAX,
} SocketEvidence;

/* What hero_proc itself is doing with the service. */
typedef enum ServiceOperation {
        OPERATION_NONE,
        OPERATION_START,
        OPERATION_STOP,
        OPERATION_RESTART, /* also: its units are being made anew */
        _OPERATION_MAX,
} ServiceOperation;

/* The other services that this one may not start without. */
typedef enum DependencyState {
        DEPENDENCIES_MET,
        DEPENDENCIES_AWAITED,
        DEPENDENCIES_FAILED,
        _DEPENDENCY_STATE_MAX,
} DependencyState;

typedef struct ActionObservation {
        ActionPhase phase;
        ReasonCode failure; /* of FAILED and BACKOFF */
        bool is_oneshot;
        bool is_retry;                /* STARTING or UP in an attempt that systemd made after a failure */
        bool wanted;                  /* false: an operator took it down */
        bool start_pending;           /* hero_proc is about to start it */
        uint64_t start_deadline_usec; /* until when its sockets and probes may still be coming up */
} ActionObservation;

/* Of a declared socket or port: they are judged alike. */
typedef struct SocketObservation {
        SocketEvidence evidence;
        int action;      /* owner; -1: the service */
        bool seen_alive; /* in this invocation */
        bool is_port;    /* `index` is one of the definition's ports, else of its sockets */
        uint16_t index;
} SocketObservation;

typedef struct ProbeObservation {
        ProbeVerdict verdict;
        ProbeRole role;
        int action;
        uint64_t stale_at_usec; /* the evidence is believed until then; USEC_NEVER: no evidence yet */
} ProbeObservation;

typedef struct ServiceObservation {
        bool systemd_readable;
        ServiceOperation operation;
        bool budget_spent; /* healing has used up what it may do (core/healing.h) */
        DependencyState dependencies;
        uint16_t dependency; /* which one is awaited or failed */
        const ActionObservation *actions;
        size_t n_actions;
        const SocketObservation *sockets;
        size_t n_sockets;
        const ProbeObservation *probes;
        size_t n_probes;
} ServiceObservation;

/* Which of the twelve rules below led. */
typedef enum DecisionRule {
        RULE_SYSTEMD_UNREADABLE = 1,
        RULE_JOB,
        RULE_DOWN,
        RULE_DEAD_ACTION,
        RULE_BACK_OFF,
        RULE_NOT_STARTED,
        RULE_SOCKETS,
        RULE_PROBES,
        RULE_PARTLY_STOPPED,
        RULE_REPORT_PROBES,
        RULE_OLD_EVIDENCE,
        RULE_ALL_WELL,
        _RULE_MAX,
} DecisionRule;

/* The rule in words, for people. */
const char *service_status_rule_text(DecisionRule rule);

enum {
        DECISION_REASONS_MAX =
                DEFINITION_ACTIONS_MAX + DEFINITION_SOCKETS_MAX + DEFINITION_PORTS_MAX + DEFINITION_PROBES_MAX + 3,
};

typedef struct ServiceDecision {
        ServiceState state;
        DecisionRule rule;
        uint64_t recheck_at_usec; /* the answer may change by time alone then; USEC_NEVER: only an event changes it */
        size_t n_reasons;
        Reason reasons[DECISION_REASONS_MAX]; /* the leading one first */
} ServiceDecision;

/* Order of judgement; the first that holds leads, all that hold are listed. A declared port is a socket here:
 *
 *  1  systemd cannot be read                                  unknown   (systemd-unreachable)
 *  7a a declared socket held by a stranger, whom no further   failed    (socket-foreign)
 *     try of a service that was tried already sends away
 *  2  a job runs, or hero_proc's own operation                starting / stopping / restarting
 *  3  wanted down and all down; all done                      stopped   (stopped-by-operator; exited)
 *  4  an action failed for good, or is not there              failed
 *  5  an action waits out systemd's restart delay             restarting
 *  6  not started yet: another service is awaited             starting  (waiting-for), failed (dependency-failed)
 *  7  a declared socket is not alive and ours                 failed; before it was first seen alive in this invocation
 *                                                             and within the start timeout: starting
 *     7 and 8, once healing has used up its restarts          failed    (restart-budget), and what is dead
 *  8  a required probe: at its limit                          failed (probe-failed)
 *     it has yet to pass for the first time                   within the start timeout: starting (not-ready); then
 *                                                             failed (readiness: start-timeout; else probe-failed)
 *     not yet answered                                        within the start timeout: starting; then, and after
 *                                                             adoption: unknown (stale)
 * 11  evidence too old                                        unknown   (stale): what may be dead is not said to serve,
 *                                                             as by the following
 *  8  a required probe fails below its limit                  degraded (probe-failed)
 *     7 connections to a socket wait, and it has room        degraded (socket-not-accepting)
 *  9  some, not all, actions stopped by an operator           degraded; their sockets and probes are not judged
 * 10  a report probe fails                                    degraded
 * 12  otherwise                                               running
 *
 * Invariants, tested over the whole product of inputs: never running with a required thing dead; never failed with
 * everything required alive; a state other than running always has a reason, but for a job or operation under way. */
ServiceDecision service_status_decide(const ServiceObservation *seen, uint64_t now_usec);
