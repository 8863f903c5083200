/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* With it libc's headers have bodies of their own for what is replaced here, which clang does not let pass. */
#undef _FORTIFY_SOURCE

#include "unit_test.h"

#include "faults/fault_scenario.h"

#include "base/cleanup.h"
#include "boundary/journal_match.h"
#include "unit_sockets.h"

static const char *journal_folder;

static int add_matches(sd_journal *j) {
        int r = journal_match_add(j, "_SYSTEMD_UNIT", "hero-web.service");

        if (r >= 0)
                r = journal_match_add(j, "_SYSTEMD_UNIT", "hero-db.service");
        if (r >= 0)
                r = journal_match_add(j, "_UID", "0");
        if (r >= 0)
                r = sd_journal_add_disjunction(j);
        return r < 0 ? r : journal_match_add(j, "_PID", "1");
}

static int run_matches(char **ret_text _unused_) {
        _cleanup_(sd_journal_closep) sd_journal *j = NULL;
        int r = sd_journal_open_directory(&j, journal_folder, 0);

        return r < 0 ? r : add_matches(j);
}

TEST(a_match_is_added_or_there_is_no_memory_for_it_and_the_process_goes_on) {
        _cleanup_folder_ char *folder = folder_new();

        journal_folder = folder;
        ASSERT(fault_run(&(FaultScenario){ "matches of a journal", NULL, run_matches, NULL }, false));
}

/* What a process ends with that reads a journal, and then that. */
static int signal_of_a_reader_that(void (*ends)(void)) {
        pid_t child = fork();
        char *text = NULL;
        int status = -1;

        if (child == 0) {
                (void) prctl(PR_SET_DUMPABLE, 0);
                if (run_matches(&text) >= 0)
                        ends();
                _exit(1);
        }
        return waitpid(child, &status, 0) == child && WIFSIGNALED(status) ? WTERMSIG(status) : -status;
}

static void is_aborted_by_others(void) {
        (void) kill(getpid(), SIGABRT);
        (void) pause();
}

TEST(whatever_else_aborts_a_process_still_ends_it) {
        _cleanup_folder_ char *folder = folder_new();

        journal_folder = folder;
        ASSERT_EQ(signal_of_a_reader_that(abort), SIGABRT);
        ASSERT_EQ(signal_of_a_reader_that(is_aborted_by_others), SIGABRT);
}
