/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/unit_facts.h"

#include <signal.h>
#include <string.h>

#include "base/clock.h"

static const char *const unit_active_table[] = {
        [UNIT_INACTIVE] = "inactive",       [UNIT_ACTIVATING] = "activating",     [UNIT_ACTIVE] = "active",
        [UNIT_RELOADING] = "reloading",     [UNIT_DEACTIVATING] = "deactivating", [UNIT_FAILED] = "failed",
        [UNIT_MAINTENANCE] = "maintenance",
};
DEFINE_STRING_TABLE(UnitActive, unit_active, _UNIT_ACTIVE_MAX)

static const char *const unit_result_table[] = {
        [UNIT_RESULT_SUCCESS] = "success",
        [UNIT_RESULT_RESOURCES] = "resources",
        [UNIT_RESULT_PROTOCOL] = "protocol",
        [UNIT_RESULT_TIMEOUT] = "timeout",
        [UNIT_RESULT_EXIT_CODE] = "exit-code",
        [UNIT_RESULT_SIGNAL] = "signal",
        [UNIT_RESULT_CORE_DUMP] = "core-dump",
        [UNIT_RESULT_WATCHDOG] = "watchdog",
        [UNIT_RESULT_START_LIMIT_HIT] = "start-limit-hit",
        [UNIT_RESULT_OOM_KILL] = "oom-kill",
        [UNIT_RESULT_EXEC_CONDITION] = "exec-condition",
        [UNIT_RESULT_OTHER] = "other",
};
DEFINE_STRING_TABLE(UnitResult, unit_result, _UNIT_RESULT_MAX)

/* systemd passes through "failed" on its way to "auto-restart" (252: two messages in a row). For so long after the
 * death, and after it was heard of, a failure that the policy covers is taken for a retry, so that no face shows a
 * "failed" that was never true. */
#define RETRY_GRACE_USEC (200 * USEC_PER_MSEC)

/* systemd's own exit statuses for what goes wrong between fork and exec: systemd.exec(5), 200 to 245. */
enum {
        EXIT_SYSTEMD_FIRST = 200,
        EXIT_SYSTEMD_LAST = 245,
};

void unit_facts_forget(UnitFacts *f, UnitLoad load) {
        rare_text_done(&f->status_text);
        *f = (UnitFacts){ .is_whole = f->is_whole,
                          .load = load }; /* what comes after that is told from its beginning */
}

bool unit_facts_ever_started(const UnitFacts *f) {
        static const uint8_t none[16];

        return memcmp(f->invocation, none, sizeof none) != 0;
}

bool unit_facts_same_invocation(const UnitFacts *a, const UnitFacts *b) {
        return memcmp(a->invocation, b->invocation, sizeof a->invocation) == 0;
}

static bool is_waiting_for_restart(const UnitFacts *f) {
        return strncmp(f->sub_state, "auto-restart", strlen("auto-restart")) == 0 ||
               strcmp(f->sub_state, "failed-before-auto-restart") == 0 ||
               strcmp(f->sub_state, "dead-before-auto-restart") == 0;
}

static bool was_active(const UnitFacts *f) {
        return f->active_enter_usec >= f->inactive_exit_usec && f->active_enter_usec > 0;
}

/* With an end like this systemd leaves a unit "failed", until somebody runs reset-failed over it: the state is clean
 * then, and what happened is still to be read from the process's end. */
static bool ended_badly(const UnitFacts *f) {
        if (f->exec_code == CLD_EXITED)
                return f->exec_status != 0;
        if (f->exec_code != CLD_KILLED && f->exec_code != CLD_DUMPED)
                return false;
        return f->exec_status != SIGTERM && f->exec_status != SIGHUP && f->exec_status != SIGINT &&
               f->exec_status != SIGPIPE;
}

bool unit_facts_was_stopped(const UnitFacts *f, bool is_oneshot) {
        if (!unit_facts_ever_started(f))
                return false;
        /* Killed by systemd for a reason of its own, without a job. */
        if (f->result == UNIT_RESULT_WATCHDOG || f->result == UNIT_RESULT_OOM_KILL)
                return false;
        /* Stopped while it waited out auto-restart: the result of the crash stays, the state does not. */
        if (f->active == UNIT_INACTIVE && f->result != UNIT_RESULT_SUCCESS)
                return true;
        /* A oneshot is never "active": only the way its process ended can tell. */
        if (is_oneshot)
                return f->active == UNIT_INACTIVE && f->exec_code != CLD_EXITED;
        /* systemd left "active" before the process ended, so systemd asked it to end. */
        if (was_active(f))
                return f->active_exit_usec < f->exec_main_exit_usec;
        /* Own exits before readiness end in "failed"; this one did not. */
        return f->active == UNIT_INACTIVE && !ended_badly(f);
}

static ActionJudgement plain(ActionPhase phase) {
        return (ActionJudgement){ phase, REASON_NONE, false, USEC_NEVER };
}

/* Also while systemd waits to restart it, which is an exit from "inactive" as well. What was "active" was executed:
 * with Type=exec systemd, and with Type=notify the shim, waits for that. */
static bool came_up(const UnitFacts *f) {
        return was_active(f) || (f->exec_main_start_usec > 0 && f->active_enter_usec >= f->exec_main_start_usec);
}

static ReasonCode how_it_died(const UnitFacts *f, const ActionPolicy *policy) {
        if (f->exec_code == CLD_EXITED && f->exec_status >= EXIT_SYSTEMD_FIRST && f->exec_status <= EXIT_SYSTEMD_LAST &&
            !came_up(f))
                return REASON_EXEC_FAILED;
        if (f->result == UNIT_RESULT_TIMEOUT && !came_up(f))
                return REASON_START_TIMEOUT;
        if (f->result == UNIT_RESULT_PROTOCOL)
                return REASON_NOT_READY;
        return policy->is_oneshot ? REASON_ACTION_FAILED : REASON_PROCESS_DIED;
}

/* A stop whose job was in the queue when the process died, or came while its remains were cleared away: systemd leaves
 * the unit "failed" as any crash does, but does not try again, and nothing else keeps it from that. A try that it
 * refused for the start limit had been through auto-restart, and so left "inactive" after the process's end. */
static bool left_untried(const UnitFacts *f) {
        return f->exec_main_exit_usec > f->inactive_exit_usec;
}

/* NRestarts counts since somebody last started the unit, and the limit within its window: a unit that has been
 * restarted more often than it may within one has been refused nothing yet. The try that was refused is counted as
 * well. */
bool unit_facts_gave_up(const UnitFacts *f, unsigned max_attempts) {
        return f->active == UNIT_FAILED && f->n_restarts > max_attempts && !left_untried(f);
}

static ActionJudgement judge_failed(const UnitFacts *f, const ActionPolicy *policy, uint64_t now_usec) {
        ActionJudgement j = { ACTION_FAILED, how_it_died(f, policy), false, USEC_NEVER };
        uint64_t failed_usec =
                f->failed_heard_usec > f->inactive_enter_usec ? f->failed_heard_usec : f->inactive_enter_usec;
        uint64_t settled_usec = usec_add(failed_usec, RETRY_GRACE_USEC);

        if (is_waiting_for_restart(f)) {
                j.phase = ACTION_BACKOFF;
        } else if (unit_facts_was_stopped(f, policy->is_oneshot)) {
                j = plain(ACTION_STOPPED);
        } else if (f->result == UNIT_RESULT_START_LIMIT_HIT) {
                j.failure = REASON_CRASH_LOOP;
        } else if (policy->restarts && now_usec < settled_usec) {
                j.phase = ACTION_BACKOFF;
                j.recheck_at_usec = settled_usec;
        } else if (policy->restarts && left_untried(f) && !f->restart_is_off) {
                j = plain(ACTION_STOPPED);
        } else if (policy->restarts && unit_facts_gave_up(f, policy->max_attempts)) {
                j.failure = REASON_CRASH_LOOP;
        }
        return j;
}

static ActionJudgement judge_inactive(const UnitFacts *f, const ActionPolicy *policy) {
        ActionPhase phase = ACTION_DONE;

        if (!unit_facts_ever_started(f))
                phase = ACTION_NOT_STARTED;
        else if (unit_facts_was_stopped(f, policy->is_oneshot))
                phase = ACTION_STOPPED;
        else if (ended_badly(f))
                return (ActionJudgement){ ACTION_FAILED, how_it_died(f, policy), false, USEC_NEVER };
        return plain(phase);
}

/* The unit is down before the job that took it down is gone: that is the end of a stop, not the begin of a start. And
 * between two tries systemd has it down for a moment, with the job of the next one. */
static ActionJudgement judge_down_with_job(const UnitFacts *f) {
        ActionJudgement j = plain(f->job_id == f->stopping_job_id ? ACTION_STOPPING : ACTION_STARTING);

        j.is_retry = j.phase == ACTION_STARTING && f->n_restarts > 0;
        return j;
}

ActionJudgement unit_facts_judge(const UnitFacts *f, const ActionPolicy *policy, uint64_t now_usec) {
        ActionJudgement j;

        /* A broken drop-in leaves the process running: what lives is judged by its state, not by its file. */
        if (f->load == UNIT_NOT_LOADED)
                return plain(ACTION_NOT_STARTED);
        if (f->load != UNIT_LOADED && (f->active == UNIT_INACTIVE || f->active == UNIT_FAILED))
                return (ActionJudgement){ ACTION_FAILED, REASON_ACTION_FAILED, false, USEC_NEVER };

        switch (f->active) {
        case UNIT_ACTIVE:
        case UNIT_RELOADING:
                j = plain(ACTION_UP);
                j.is_retry = f->n_restarts > 0;
                return j;
        case UNIT_ACTIVATING:
                if (is_waiting_for_restart(f))
                        return (ActionJudgement){ ACTION_BACKOFF, how_it_died(f, policy), false, USEC_NEVER };
                j = plain(ACTION_STARTING);
                j.is_retry = f->n_restarts > 0;
                return j;
        case UNIT_DEACTIVATING:
                /* Without a job it is the tail of a death (left-over processes being ended), not anybody's stop. */
                if (f->job_id != 0)
                        return plain(ACTION_STOPPING);
                return (ActionJudgement){ policy->restarts ? ACTION_BACKOFF : ACTION_STOPPING, how_it_died(f, policy),
                                          false, USEC_NEVER };
        case UNIT_FAILED:
                return f->job_id != 0 ? judge_down_with_job(f) : judge_failed(f, policy, now_usec);
        case UNIT_INACTIVE:
                return f->job_id != 0 ? judge_down_with_job(f) : judge_inactive(f, policy);
        case UNIT_MAINTENANCE:
        case _UNIT_ACTIVE_MAX:
                break;
        }
        return plain(ACTION_UNREADABLE);
}
