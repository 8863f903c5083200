/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <signal.h>

#include "base/clock.h"
#include "core/unit_facts.h"

/* Rows as they were read from systemd 252 and 257 (Δ = ActiveExit − ExecMainExit in µs): who stopped it, and will
 * systemd try again? */

#define BASE 1000000u /* when the process of each row ended */
#define LATER (BASE + 10 * USEC_PER_SEC)

static UnitFacts ended(UnitActive active, UnitResult result, int code, int status, int64_t delta) {
        UnitFacts f = {
                .load = UNIT_LOADED,
                .active = active,
                .result = result,
                .exec_code = code,
                .exec_status = status,
                .invocation = { 1 },
                .inactive_exit_usec = 1000,
                .active_enter_usec = 2000,
                .active_exit_usec = (uint64_t) ((int64_t) BASE + delta),
                .exec_main_exit_usec = BASE,
                .inactive_enter_usec = BASE + 100,
        };
        return f;
}

static UnitFacts never_active(UnitActive active, UnitResult result, int code, int status) {
        UnitFacts f = ended(active, result, code, status, 0);

        f.active_enter_usec = f.active_exit_usec = 0;
        return f;
}

static const ActionPolicy restarting = { .restarts = true, .max_attempts = 5 };
static const ActionPolicy once = { .restarts = false, .max_attempts = 5 };

static void expect(UnitFacts f, const ActionPolicy *policy, ActionPhase phase, ReasonCode failure) {
        ActionJudgement j = unit_facts_judge(&f, policy, LATER);

        ASSERT_EQ(j.phase, phase);
        ASSERT_EQ(j.failure, failure);
}

TEST(a_stop_is_told_from_an_exit_after_the_fact) {
        expect(ended(UNIT_INACTIVE, UNIT_RESULT_SUCCESS, CLD_KILLED, SIGTERM, -196), &restarting, ACTION_STOPPED,
               REASON_NONE);
        expect(ended(UNIT_INACTIVE, UNIT_RESULT_SUCCESS, CLD_EXITED, 0, -202319), &restarting, ACTION_STOPPED,
               REASON_NONE);
        expect(ended(UNIT_FAILED, UNIT_RESULT_EXIT_CODE, CLD_EXITED, 7, -945), &restarting, ACTION_STOPPED,
               REASON_NONE);
        expect(ended(UNIT_FAILED, UNIT_RESULT_TIMEOUT, CLD_KILLED, SIGKILL, -424530), &restarting, ACTION_STOPPED,
               REASON_NONE);
        expect(ended(UNIT_INACTIVE, UNIT_RESULT_SUCCESS, CLD_KILLED, SIGTERM, 188), &restarting, ACTION_DONE,
               REASON_NONE);
        expect(ended(UNIT_INACTIVE, UNIT_RESULT_SUCCESS, CLD_EXITED, 0, 302), &restarting, ACTION_DONE, REASON_NONE);
}

TEST(a_stop_during_auto_restart_or_before_readiness_is_a_stop) {
        expect(ended(UNIT_INACTIVE, UNIT_RESULT_EXIT_CODE, CLD_EXITED, 5, 188), &restarting, ACTION_STOPPED,
               REASON_NONE);
        expect(never_active(UNIT_INACTIVE, UNIT_RESULT_SUCCESS, CLD_KILLED, SIGTERM), &restarting, ACTION_STOPPED,
               REASON_NONE);
        expect(never_active(UNIT_INACTIVE, UNIT_RESULT_SUCCESS, CLD_EXITED, 0), &restarting, ACTION_STOPPED,
               REASON_NONE);
}

TEST(systemds_own_killing_is_nobodys_stop) {
        expect(ended(UNIT_FAILED, UNIT_RESULT_WATCHDOG, CLD_KILLED, SIGABRT, -795), &once, ACTION_FAILED,
               REASON_PROCESS_DIED);
        expect(ended(UNIT_FAILED, UNIT_RESULT_OOM_KILL, CLD_KILLED, SIGKILL, -10), &once, ACTION_FAILED,
               REASON_PROCESS_DIED);
}

TEST(each_way_of_dying_has_its_name) {
        expect(ended(UNIT_FAILED, UNIT_RESULT_SIGNAL, CLD_KILLED, SIGKILL, 270), &once, ACTION_FAILED,
               REASON_PROCESS_DIED);
        expect(never_active(UNIT_FAILED, UNIT_RESULT_TIMEOUT, CLD_KILLED, SIGTERM), &once, ACTION_FAILED,
               REASON_START_TIMEOUT);
        expect(never_active(UNIT_FAILED, UNIT_RESULT_EXIT_CODE, CLD_EXITED, 203), &once, ACTION_FAILED,
               REASON_EXEC_FAILED);
        expect(never_active(UNIT_FAILED, UNIT_RESULT_EXIT_CODE, CLD_EXITED, 217), &once, ACTION_FAILED,
               REASON_EXEC_FAILED);
        expect(never_active(UNIT_FAILED, UNIT_RESULT_PROTOCOL, CLD_EXITED, 0), &once, ACTION_FAILED, REASON_NOT_READY);
}

/* -EINVAL is 234 as an exit status, and a program that has run for a day was executed. */
TEST(a_status_of_systemds_own_is_the_programs_word_once_it_was_up) {
        UnitFacts f = ended(UNIT_FAILED, UNIT_RESULT_EXIT_CODE, CLD_EXITED, 234, 270);

        f.exec_main_start_usec = 1500;
        expect(f, &once, ACTION_FAILED, REASON_PROCESS_DIED);
        f.active = UNIT_ACTIVATING; /* 252: out of "inactive" again, with no process yet */
        f.inactive_exit_usec = BASE + 200;
        (void) strcpy(f.sub_state, "auto-restart");
        expect(f, &restarting, ACTION_BACKOFF, REASON_PROCESS_DIED);
        f.result = UNIT_RESULT_TIMEOUT;
        expect(f, &restarting, ACTION_BACKOFF, REASON_PROCESS_DIED);
        f.exec_main_start_usec = f.active_enter_usec + 1; /* the try after that */
        expect(f, &restarting, ACTION_BACKOFF, REASON_EXEC_FAILED);
        f.exec_status = 0;
        expect(f, &restarting, ACTION_BACKOFF, REASON_START_TIMEOUT);
}

TEST(gave_up_is_known_by_the_count_and_not_by_the_result) {
        UnitFacts f = ended(UNIT_FAILED, UNIT_RESULT_EXIT_CODE, CLD_EXITED, 3, 209);

        f.inactive_exit_usec = BASE + 100;
        f.n_restarts = 6; /* the sixth was counted and refused */
        expect(f, &restarting, ACTION_FAILED, REASON_CRASH_LOOP);
        f.n_restarts = 0;
        f.result = UNIT_RESULT_START_LIMIT_HIT;
        expect(f, &restarting, ACTION_FAILED, REASON_CRASH_LOOP);
}

/* They may have come within a week. */
TEST(a_death_after_many_restarts_is_not_yet_one_that_systemd_gave_up) {
        UnitFacts f = ended(UNIT_FAILED, UNIT_RESULT_SIGNAL, CLD_KILLED, SIGKILL, 297);
        ActionJudgement j;

        f.n_restarts = 60;
        j = unit_facts_judge(&f, &restarting, BASE + 200);
        ASSERT_EQ(j.phase, ACTION_BACKOFF);
        ASSERT_EQ(unit_facts_judge(&f, &restarting, j.recheck_at_usec).phase, ACTION_STOPPED);
        f.inactive_exit_usec = BASE + 100; /* it has begun to try, and may have been refused, or not been forked */
        ASSERT_EQ(unit_facts_judge(&f, &restarting, BASE + 200).phase, ACTION_BACKOFF);
        ASSERT_EQ(unit_facts_judge(&f, &restarting, j.recheck_at_usec).failure, REASON_CRASH_LOOP);
}

TEST(the_moment_of_failed_before_a_retry_is_not_shown_as_failed) {
        UnitFacts f = ended(UNIT_FAILED, UNIT_RESULT_SIGNAL, CLD_KILLED, SIGKILL, 297);
        ActionJudgement j = unit_facts_judge(&f, &restarting, BASE + 200);

        ASSERT_EQ(j.phase, ACTION_BACKOFF);
        ASSERT(j.recheck_at_usec < LATER);
        ASSERT_EQ(unit_facts_judge(&f, &restarting, j.recheck_at_usec).phase, ACTION_STOPPED);
        f.inactive_exit_usec = BASE + 100;
        ASSERT_EQ(unit_facts_judge(&f, &restarting, j.recheck_at_usec).phase, ACTION_FAILED);
        ASSERT_EQ(unit_facts_judge(&f, &once, BASE + 200).phase, ACTION_FAILED);
}

/* The server was late, and the retry is the next that it will hear of. */
TEST(a_failure_that_is_old_when_it_is_heard_of_may_still_be_tried_again) {
        UnitFacts f = ended(UNIT_FAILED, UNIT_RESULT_SIGNAL, CLD_KILLED, SIGKILL, 297);
        uint64_t late = LATER + 100;
        ActionJudgement j;

        f.failed_heard_usec = late;
        j = unit_facts_judge(&f, &restarting, late + 1);
        ASSERT_EQ(j.phase, ACTION_BACKOFF);
        ASSERT(j.recheck_at_usec > late);
        ASSERT_EQ(unit_facts_judge(&f, &restarting, j.recheck_at_usec).phase, ACTION_STOPPED);
}

TEST(a_failure_that_nobody_retries_met_a_stop) {
        UnitFacts f = ended(UNIT_FAILED, UNIT_RESULT_SIGNAL, CLD_KILLED, SIGKILL, 297);

        expect(f, &restarting, ACTION_STOPPED, REASON_NONE);
        expect(f, &once, ACTION_FAILED, REASON_PROCESS_DIED);
        f.restart_is_off = true;
        expect(f, &restarting, ACTION_FAILED, REASON_PROCESS_DIED);
        f.restart_is_off = false;
        f.inactive_exit_usec = BASE + 100; /* it had begun to try, and the start limit said no */
        expect(f, &restarting, ACTION_FAILED, REASON_PROCESS_DIED);
        f.n_restarts = 6;
        expect(f, &restarting, ACTION_FAILED, REASON_CRASH_LOOP);
}

TEST(waiting_for_a_restart_is_back_off_by_any_name) {
        static const char *const sub_states[] = { "auto-restart", "auto-restart-queued" };
        UnitFacts f = ended(UNIT_ACTIVATING, UNIT_RESULT_EXIT_CODE, CLD_EXITED, 3, 209);

        for (size_t i = 0; i < 2; i++) {
                strcpy(f.sub_state, sub_states[i]);
                expect(f, &restarting, ACTION_BACKOFF, REASON_PROCESS_DIED);
        }
        f.active = UNIT_FAILED;
        strcpy(f.sub_state, "failed-before-auto-restart");
        expect(f, &restarting, ACTION_BACKOFF, REASON_PROCESS_DIED);
}

TEST(down_with_its_stop_job_still_there_is_stopping_and_with_another_is_starting) {
        UnitFacts f = ended(UNIT_INACTIVE, UNIT_RESULT_SUCCESS, CLD_KILLED, SIGTERM, -196);

        f.job_id = f.stopping_job_id = 7;
        expect(f, &restarting, ACTION_STOPPING, REASON_NONE);
        f.job_id = 8;
        expect(f, &restarting, ACTION_STARTING, REASON_NONE);
}

TEST(down_with_the_job_of_the_next_try_is_a_retry) {
        UnitFacts f = ended(UNIT_INACTIVE, UNIT_RESULT_SUCCESS, CLD_EXITED, 1, 100);

        f.job_id = 8;
        ASSERT(!unit_facts_judge(&f, &restarting, LATER).is_retry);
        f.n_restarts = 1;
        ASSERT(unit_facts_judge(&f, &restarting, LATER).is_retry);
        f.stopping_job_id = 8;
        ASSERT(!unit_facts_judge(&f, &restarting, LATER).is_retry);
}

TEST(a_oneshot_that_is_done_is_done_and_one_that_was_stopped_is_stopped) {
        static const ActionPolicy oneshot = { .is_oneshot = true };
        UnitFacts f = never_active(UNIT_INACTIVE, UNIT_RESULT_SUCCESS, CLD_EXITED, 0);

        expect(f, &oneshot, ACTION_DONE, REASON_NONE);
        f.exec_code = CLD_KILLED;
        f.exec_status = SIGTERM;
        expect(f, &oneshot, ACTION_STOPPED, REASON_NONE);
        expect(never_active(UNIT_FAILED, UNIT_RESULT_EXIT_CODE, CLD_EXITED, 1), &oneshot, ACTION_FAILED,
               REASON_ACTION_FAILED);
}

TEST(what_never_ran_is_not_started_and_a_broken_unit_is_failed) {
        UnitFacts f = { .load = UNIT_LOADED };

        expect(f, &restarting, ACTION_NOT_STARTED, REASON_NONE);
        f.load = UNIT_BAD_SETTING;
        expect(f, &restarting, ACTION_FAILED, REASON_ACTION_FAILED);
        f.active = UNIT_ACTIVE; /* a broken drop-in leaves the process running */
        expect(f, &restarting, ACTION_UP, REASON_NONE);
}

TEST(reset_failed_makes_no_stop_and_no_success_of_a_death) {
        expect(never_active(UNIT_INACTIVE, UNIT_RESULT_SUCCESS, CLD_EXITED, 3), &once, ACTION_FAILED,
               REASON_PROCESS_DIED);
        expect(ended(UNIT_INACTIVE, UNIT_RESULT_SUCCESS, CLD_EXITED, 3, 209), &once, ACTION_FAILED,
               REASON_PROCESS_DIED);
        expect(ended(UNIT_INACTIVE, UNIT_RESULT_SUCCESS, CLD_KILLED, SIGSEGV, 209), &once, ACTION_FAILED,
               REASON_PROCESS_DIED);
        /* … and a stop that ended badly is a stop all the same. */
        expect(ended(UNIT_INACTIVE, UNIT_RESULT_SUCCESS, CLD_EXITED, 7, -945), &once, ACTION_STOPPED, REASON_NONE);
}
