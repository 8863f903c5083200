/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <fcntl.h>
#include <locale.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/session.h"
#include "private_bus.h"

/* One run of hero_proc against the stand-in: its words, its exit code, and what it printed. */
typedef struct Run {
        char words[256], *argv[32];
        char *out, *err;
        CommandLine line;
        int code;
} Run;

static void run_done(Run *r) {
        free(r->out);
        free(r->err);
}

/* On the bus that the environment names, when `bus` is NULL. */
static void run_on(sd_bus *bus, const char *words, Run *ret) {
        size_t out_size, err_size;
        Session session = { 0 };
        int argc = 0, r;

        *ret = (Run){ .code = -1 };
        (void) setlocale(LC_CTYPE, "C.UTF-8");
        session.line = &ret->line;
        session.out = open_memstream(&ret->out, &out_size);
        session.err = open_memstream(&ret->err, &err_size);
        if (bus)
                (void) hero_proc_connection_attach(bus, &session.connection);
        (void) snprintf(ret->words, sizeof ret->words, "hero_proc %s", words);
        for (char *w = strtok(ret->words, " "); w; w = strtok(NULL, " "))
                ret->argv[argc++] = w;

        r = command_line_parse(argc, ret->argv, session.out, session.err, &ret->line);
        if (r == 0)
                ret->code = ret->line.verb->run(&session);
        session_done(&session);
        fclose(session.out);
        fclose(session.err);
}

static void run(const char *words, Run *ret) {
        sd_bus *bus = NULL;
        pid_t pid = stand_in_fork(&bus);

        run_on(bus, words, ret);
        sd_bus_unref(bus);
        stand_in_reap(pid);
}

#define ASSERT_RUN(words, expected_code, expected_out, expected_err) \
        do {                                                         \
                Run _r _cleanup_(run_done);                          \
                run((words), &_r);                                   \
                ASSERT_STREQ(_r.err, (expected_err));                \
                ASSERT_STREQ(_r.out, (expected_out));                \
                ASSERT_EQ(_r.code, (expected_code));                 \
        } while (0)

TEST(start_says_the_state_that_was_reached) {
        ASSERT_RUN("start hero_os", 0, "hero_os: running\n", "");
        ASSERT_RUN("-q start hero_os", 0, "", "");
        ASSERT_RUN("start hero_first hero_second", 0, "hero_first: running\nhero_second: running\n", "");
}

TEST(a_started_oneshot_that_is_done_is_a_success) {
        ASSERT_RUN("start hero_job", 0, "hero_job: stopped (done)\n", "");
}

TEST(a_start_that_ends_in_failure_says_why_on_stderr) {
        ASSERT_RUN("start hero_db", 1, "", "hero_proc: hero_db: failed: server left with status 1\n");
        ASSERT_RUN("restart hero_broken", 1, "", "hero_proc: hero_broken: failed: main left with status 7\n");
        ASSERT_RUN("start hero_db hero_os", 1, "hero_os: running\n",
                   "hero_proc: hero_db: failed: server left with status 1\n");
}

TEST(without_waiting_nothing_is_claimed) {
        ASSERT_RUN("start --no-block hero_slow", 0, "hero_slow: start requested\n", "");
        ASSERT_RUN("remove --no-block hero_os", 0, "hero_os: removal requested\n", "");
}

TEST(a_start_that_takes_too_long_is_a_failure_that_tells_the_state) {
        ASSERT_RUN("start --timeout=200ms hero_slow", 1, "",
                   "hero_proc: hero_slow: timed out; it is starting, and hero_proc_server goes on with it\n");
}

TEST(stop_and_remove_say_what_was_done) {
        ASSERT_RUN("stop hero_os hero_db", 0, "hero_os: stopped\nhero_db: stopped\n", "");
        ASSERT_RUN("remove hero_os", 0, "hero_os: removed\n", "");
}

TEST(an_unknown_service_is_named_with_the_one_that_was_meant) {
        ASSERT_RUN("start hero_oss", 4, "", "hero_proc: hero_oss: no such service; did you mean hero_os?\n");
        ASSERT_RUN("stop postgres hero_os", 4, "hero_os: stopped\n", "hero_proc: postgres: no such service\n");
        ASSERT_RUN("reset-failed hero_os hero_oss", 4, "",
                   "hero_proc: hero_oss: no such service; did you mean hero_os?\n");
        ASSERT_RUN("wait hero_os hero_oss", 4, "", "hero_proc: hero_oss: no such service; did you mean hero_os?\n");
        ASSERT_RUN("logs hero_oss", 4, "", "hero_proc: hero_oss: no such service; did you mean hero_os?\n");
}

TEST(who_may_not_is_told_so) {
        ASSERT_RUN("stop hero_secret", 77, "", "hero_proc: not authorised: only root may\n");
}

TEST(a_server_that_goes_away_is_unreachable_once_for_all) {
        ASSERT_RUN("start hero_fatal hero_os hero_db", 69, "",
                   "hero_proc: hero_proc_server left without an answer: systemctl start hero_proc\n");
        ASSERT_RUN("--user status hero_fatal", 69, "",
                   "hero_proc: hero_proc_server left without an answer: systemctl --user start hero_proc\n");
}

TEST(list_takes_patterns) {
        ASSERT_RUN("list hero_d* hero_o?", 0,
                   "STATE      NAME     SINCE  REASON\n"
                   "x failed   hero_db  -      server left with status 1\n"
                   "* running  hero_os  -\n"
                   "\n"
                   "2 services: 1 running, 1 failed\n",
                   "");
        ASSERT_RUN("list --no-legend hero_os", 0, "* running  hero_os  -\n", "");
        ASSERT_RUN("list nobody", 0, "0 services\n", "");
}

TEST(list_as_json_is_the_servers_and_nothing_else) {
        ASSERT_RUN(
                "list --json=short hero_os", 0,
                "[{\"name\":\"hero_os\",\"state\":\"running\",\"wanted\":\"up\",\"since_usec\":0,\"observed_usec\":0,"
                "\"ready\":null,\"reasons\":[],\"actions\":[],\"sockets\":[],\"probes\":[]}]\n",
                "");
        ASSERT_RUN("list --json=short nobody", 0, "[]\n", "");
}

TEST(status_exits_with_what_it_found) {
        Run r _cleanup_(run_done);

        run("status --json hero_os", &r);
        ASSERT_EQ(r.code, 0);
        run_done(&r);
        run("status --json hero_os hero_db", &r);
        ASSERT_EQ(r.code, 3);
}

TEST(status_shows_those_that_exist_beside_one_that_does_not) {
        ASSERT_RUN("status -n 0 hero_oss hero_db", 4,
                   "x hero_db\n"
                   "      State: failed (process-died)\n"
                   "     Reason: process-died: server left with status 1\n"
                   "             socket-missing: rpc.sock is not there\n"
                   "     Wanted: up\n"
                   "      Ready: not required\n",
                   "hero_proc: hero_oss: no such service; did you mean hero_os?\n");
}

TEST(reset_failed_fails_while_something_still_does) {
        ASSERT_RUN("reset-failed", 1,
                   "SERVICE     OUTCOME       REASON\n"
                   "hero_db     still-failed  server left with status 1\n"
                   "hero_job    skipped       stopped by operator\n"
                   "hero_later  restarted     socket missing\n"
                   "hero_os     left-alone    healthy\n",
                   "");
        ASSERT_RUN("reset-failed hero_os --json=short", 0,
                   "{\"restarted\":[\"hero_os\"],\"left_alone\":[],\"still_failed\":[],\"skipped\":[]}\n", "");
}

TEST(wait_ends_with_the_event) {
        ASSERT_RUN("wait hero_later --timeout=20", 0, "", "");
        ASSERT_RUN("wait hero_db --for=failed --timeout=20", 0, "", "");
}

TEST(wait_takes_several_states_and_the_absence_of_a_service) {
        ASSERT_RUN("wait hero_db hero_os hero_job --for=failed,running,stopped --timeout=20", 0, "", "");
        ASSERT_RUN("wait hero_oss --for=removed --timeout=20", 0, "", "");
        ASSERT_RUN("wait hero_fleeting --for=removed --timeout=20", 0, "", "");
        ASSERT_RUN("wait hero_os --for=stopped,removed,failed --timeout=100ms", 1, "",
                   "hero_proc: hero_os: timed out waiting for failed or stopped or removed; it is running\n");
}

TEST(wait_ends_when_what_it_waits_for_is_removed) {
        ASSERT_RUN("wait hero_fleeting --for=failed --timeout=20", 4, "",
                   "hero_proc: hero_fleeting: no such service\n");
}

TEST(wait_that_times_out_says_what_each_is) {
        ASSERT_RUN("wait hero_os hero_db hero_slow --timeout=100ms", 1, "",
                   "hero_proc: hero_db: timed out waiting for running; it is failed: server left with status 1\n"
                   "hero_proc: hero_slow: timed out waiting for running; it is starting\n");
}

TEST(wait_with_no_time_at_all_is_a_question) {
        ASSERT_RUN("wait hero_os --timeout=0", 0, "", "");
}

TEST(wait_outlives_the_server) {
        PrivateBus bus _cleanup_(private_bus_done);
        Run r _cleanup_(run_done) = { 0 };

        ASSERT(private_bus_start(&bus));
        ASSERT(private_bus_start_server(&bus));
        run_on(NULL, "wait hero_mortal --timeout=20", &r);
        ASSERT_STREQ(r.err, "");
        ASSERT_EQ(r.code, 0);
}

TEST(an_absent_server_is_told_with_what_starts_it) {
        PrivateBus bus _cleanup_(private_bus_done);
        Run r _cleanup_(run_done) = { 0 };

        ASSERT(private_bus_start(&bus));
        run_on(NULL, "list", &r);
        ASSERT_STREQ(r.err, "hero_proc: hero_proc_server is not running: systemctl start hero_proc\n");
        ASSERT_EQ(r.code, 69);
}

TEST(dump_is_json) {
        ASSERT_RUN("dump --json=short", 0, "{\"services\":[]}\n", "");
}

/* Definitions go by way of standard input. */
static void run_with_input(const char *input, const char *words, Run *ret) {
        int saved = dup(STDIN_FILENO), fds[2];

        if (pipe(fds) < 0 || write(fds[1], input, strlen(input)) < 0)
                abort();
        close(fds[1]);
        (void) dup2(fds[0], STDIN_FILENO);
        close(fds[0]);
        run(words, ret);
        (void) dup2(saved, STDIN_FILENO);
        close(saved);
}

#define ASSERT_RUN_WITH(input, words, expected_code, expected_out, expected_err) \
        do {                                                                     \
                Run _r _cleanup_(run_done);                                      \
                run_with_input((input), (words), &_r);                           \
                ASSERT_STREQ(_r.err, (expected_err));                            \
                ASSERT_STREQ(_r.out, (expected_out));                            \
                ASSERT_EQ(_r.code, (expected_code));                             \
        } while (0)

TEST(apply_says_what_became_of_each_service) {
        ASSERT_RUN_WITH("{\"name\":\"hero_os\"}", "apply -", 0, "hero_os: created\n", "");
        ASSERT_RUN_WITH("{\"name\":\"hero_os\"}", "apply -q -", 0, "", "");
}

TEST(a_dry_run_shows_the_difference_and_claims_nothing) {
        ASSERT_RUN_WITH("{\"name\":\"hero_os\"}", "apply --dry-run --prune -", 0, "flags 10\n", "");
}

TEST(a_refused_definition_is_told_with_its_file) {
        ASSERT_RUN_WITH("{\"name\":\"bad\"}", "apply -", 65, "",
                        "hero_proc: standard input: hero_bad: colour: unknown field\n");
        ASSERT_RUN("apply /nonexistent.json", 1, "", "hero_proc: /nonexistent.json: No such file or directory\n");
}

TEST(check_needs_no_server) {
        ASSERT_RUN_WITH("[{\"name\":\"a\",\"exec\":[\"/bin/true\"],\"requires\":[\"elsewhere\"]},"
                        "{\"name\":\"b\",\"exec\":[\"/bin/true\"],\"requires\":[\"a\"]}]",
                        "check -", 0, "standard input: 2 definitions, ok\n", "");
        ASSERT_RUN_WITH("{\"name\":\"a\",\"exec\":[\"/bin/true\"]}", "check -q -", 0, "", "");
}

TEST(check_finds_a_cycle_also_beside_a_service_that_is_not_in_the_file) {
        ASSERT_RUN_WITH("[{\"name\":\"a\",\"exec\":[\"/bin/true\"],\"requires\":[\"elsewhere\",\"b\"]},"
                        "{\"name\":\"b\",\"exec\":[\"/bin/true\"],\"requires\":[\"a\"]}]",
                        "check -", 65, "", "hero_proc: standard input: a -> b -> a\n");
}

TEST(check_refuses_what_is_no_definition) {
        Run r _cleanup_(run_done);

        run_with_input("{\"name\":\"a\",\"exec\":3}", "check -", &r);
        ASSERT_EQ(r.code, 65);
        ASSERT_STREQ(r.out, "");
        ASSERT(strstr(r.err, "standard input: a: exec"));
}
