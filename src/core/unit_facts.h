/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What systemd says of one unit, and what that means for an action. Pure: the rules were measured on systemd 252 and
 * 257 (who stopped it, gave up or will retry) and hold after the fact too, so a server that was away judges alike. */

#include <stdbool.h>
#include <stdint.h>

#include "base/rare_text.h"
#include "base/string_table.h"
#include "core/reason.h"

typedef enum UnitLoad {
        UNIT_NOT_LOADED, /* not known to systemd at all, or "not-found" */
        UNIT_LOADED,
        UNIT_BAD_SETTING,
        UNIT_LOAD_ERROR,
        UNIT_MASKED,
        _UNIT_LOAD_MAX,
} UnitLoad;

typedef enum UnitActive {
        UNIT_INACTIVE,
        UNIT_ACTIVATING,
        UNIT_ACTIVE,
        UNIT_RELOADING,
        UNIT_DEACTIVATING,
        UNIT_FAILED,
        UNIT_MAINTENANCE,
        _UNIT_ACTIVE_MAX,
} UnitActive;

DECLARE_STRING_TABLE(UnitActive, unit_active)

typedef enum UnitResult {
        UNIT_RESULT_SUCCESS,
        UNIT_RESULT_RESOURCES,
        UNIT_RESULT_PROTOCOL, /* left before it said ready */
        UNIT_RESULT_TIMEOUT,
        UNIT_RESULT_EXIT_CODE,
        UNIT_RESULT_SIGNAL,
        UNIT_RESULT_CORE_DUMP,
        UNIT_RESULT_WATCHDOG,
        UNIT_RESULT_START_LIMIT_HIT,
        UNIT_RESULT_OOM_KILL,
        UNIT_RESULT_EXEC_CONDITION,
        UNIT_RESULT_OTHER, /* a word that a later systemd invented */
        _UNIT_RESULT_MAX,
} UnitResult;

DECLARE_STRING_TABLE(UnitResult, unit_result)

typedef struct UnitFacts {
        bool is_whole; /* all was read, on this connection: a signal tells of one interface of two, and not of constants
                        */
        UnitLoad load;
        UnitActive active;
        UnitResult result;
        char sub_state[28];
        RareText status_text;     /* STATUS= of sd_notify */
        uint8_t invocation[16];   /* all zero: never started */
        uint32_t job_id;          /* 0: none */
        uint32_t stopping_job_id; /* the job that it was last seen deactivating under */
        uint32_t main_pid;
        uint32_t n_restarts;
        bool restart_is_off; /* Restart=no, whatever the definition says: somebody's drop-in */
        int32_t exec_code;   /* CLD_EXITED, CLD_KILLED, … of the main process; 0: alive or never run */
        int32_t exec_status; /* exit status or signal */
        uint64_t inactive_exit_usec, active_enter_usec, active_exit_usec, inactive_enter_usec; /* monotonic, 0: never */
        uint64_t exec_main_start_usec, exec_main_exit_usec;
        uint64_t failed_heard_usec; /* monotonic: when a signal told of the failure; 0: it was read, so it stands */
} UnitFacts;

/* Nothing is known of it but that: what it had is freed. */
void unit_facts_forget(UnitFacts *f, UnitLoad load);

bool unit_facts_ever_started(const UnitFacts *f);
bool unit_facts_same_invocation(const UnitFacts *a, const UnitFacts *b);

typedef enum ActionPhase {
        ACTION_UNREADABLE,  /* systemd cannot be asked */
        ACTION_NOT_STARTED, /* not loaded, or loaded and never started */
        ACTION_STOPPED,     /* a stop job took it down */
        ACTION_DONE,        /* left by itself, with success */
        ACTION_FAILED,      /* dead, and nobody will try again */
        ACTION_BACKOFF,     /* dead, systemd waits and tries again */
        ACTION_STARTING,
        ACTION_STOPPING,
        ACTION_UP, /* active: ready in the way its definition says */
        _ACTION_PHASE_MAX,
} ActionPhase;

/* What of the action's definition the judgement needs. */
typedef struct ActionPolicy {
        bool is_oneshot;
        bool restarts; /* systemd retries a failure (policy on-failure or always) */
        unsigned
                max_attempts; /* restarts; StartLimitBurst is one more, and NRestarts counts the one that was refused */
} ActionPolicy;

typedef struct ActionJudgement {
        ActionPhase phase;
        ReasonCode failure;       /* for FAILED and BACKOFF: how it died */
        bool is_retry;            /* STARTING or UP because systemd restarted it after a failure */
        uint64_t recheck_at_usec; /* the judgement may change by time alone then; USEC_NEVER mostly */
} ActionJudgement;

ActionJudgement unit_facts_judge(const UnitFacts *f, const ActionPolicy *policy, uint64_t now_usec);

/* Whether systemd has refused to restart it once more: more than `max_attempts` restarts fell within the window. What
 * failed a moment ago may be on its way to its next try; unit_facts_judge() waits for that. */
bool unit_facts_gave_up(const UnitFacts *f, unsigned max_attempts);

/* Whether a unit that is down was taken down by a stop job (anybody's) rather than having left by itself. */
bool unit_facts_was_stopped(const UnitFacts *f, bool is_oneshot);
