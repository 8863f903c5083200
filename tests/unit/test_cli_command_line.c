/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>
#include <locale.h>

#include "base/clock.h"
#include "cli/command_line.h"

/* The words of one command line, and what came of them. */
typedef struct Parsed {
        char words[256], *argv[32];
        char *out, *err;
        CommandLine line;
        int r;
} Parsed;

static void parsed_done(Parsed *p) {
        free(p->out);
        free(p->err);
}

static void parse(const char *words, Parsed *ret) {
        size_t out_size, err_size;
        FILE *out, *err;
        int argc = 0;

        *ret = (Parsed){ 0 };
        out = open_memstream(&ret->out, &out_size);
        err = open_memstream(&ret->err, &err_size);
        (void) snprintf(ret->words, sizeof ret->words, "hero_proc %s", words);
        for (char *w = strtok(ret->words, " "); w; w = strtok(NULL, " "))
                ret->argv[argc++] = w;
        ret->r = command_line_parse(argc, ret->argv, out, err, &ret->line);
        fclose(out);
        fclose(err);
}

#define PARSE(words)                                    \
        __attribute__((cleanup(parsed_done))) Parsed p; \
        parse(words, &p)

#define ASSERT_REFUSED(words, text)                           \
        do {                                                  \
                PARSE(words);                                 \
                ASSERT_EQ(p.r, -EINVAL);                      \
                ASSERT_STREQ(p.err, "hero_proc: " text "\n"); \
                ASSERT_STREQ(p.out, "");                      \
        } while (0)

TEST(options_may_stand_anywhere) {
        PARSE("--user start hero_os --no-block -q hero_db --timeout=5");

        ASSERT_EQ(p.r, 0);
        ASSERT_STREQ(p.line.verb->name, "start");
        ASSERT_EQ(p.line.n_args, 2);
        ASSERT_STREQ(p.line.args[0], "hero_os");
        ASSERT_STREQ(p.line.args[1], "hero_db");
        ASSERT(!p.line.args[2]);
        ASSERT(p.line.target.is_user && p.line.quiet);
        ASSERT_EQ(p.line.flags, HERO_PROC_FLAG_NO_BLOCK);
        ASSERT_EQ(p.line.timeout_usec, 5 * USEC_PER_SEC);
}

TEST(the_word_service_may_precede_the_verb) {
        PARSE("service --json=pretty list hero_*");

        ASSERT_EQ(p.r, 0);
        ASSERT_STREQ(p.line.verb->name, "list");
        ASSERT_EQ(p.line.n_args, 1);
        ASSERT_EQ(p.line.json, JSON_PRETTY);
}

TEST(a_service_may_be_called_service) {
        PARSE("service stop service");

        ASSERT_EQ(p.r, 0);
        ASSERT_STREQ(p.line.args[0], "service");
}

TEST(defaults_are_the_systems_services_and_waiting_for_running) {
        PARSE("wait hero_os");

        ASSERT_EQ(p.r, 0);
        ASSERT(!p.line.target.is_user && !p.line.target.host && !p.line.target.machine);
        ASSERT_EQ(p.line.wait_for, WAIT_FOR_STATE(SERVICE_RUNNING));
        ASSERT_EQ(p.line.timeout_usec, USEC_NEVER);
        ASSERT(!p.line.has_timeout);
}

TEST(several_states_may_be_waited_for) {
        PARSE("wait hero_os --for=stopped,failed,removed");

        ASSERT_EQ(p.r, 0);
        ASSERT_EQ(p.line.wait_for, WAIT_FOR_STATE(SERVICE_STOPPED) | WAIT_FOR_STATE(SERVICE_FAILED) | WAIT_FOR_REMOVED);
}

TEST(words_after_two_dashes_are_no_options) {
        PARSE("list -- --json=short");

        ASSERT_EQ(p.r, 0);
        ASSERT_STREQ(p.line.args[0], "--json=short");
}

TEST(list_takes_many_hosts_and_machines_in_their_order) {
        PARSE("-H hero@web1:22 list -M db --host=web2");

        ASSERT_EQ(p.r, 0);
        ASSERT_EQ(p.line.n_fleet, 3);
        ASSERT_STREQ(p.line.fleet[0].host, "hero@web1:22");
        ASSERT_STREQ(p.line.fleet[1].machine, "db");
        ASSERT_STREQ(p.line.fleet[2].host, "web2");
        ASSERT(!p.line.fleet[1].host && !p.line.fleet[2].machine);
}

TEST(machines_of_a_fleet_may_be_asked_for_the_users_services) {
        PARSE("--user list -M a -M b");

        ASSERT_EQ(p.r, 0);
        ASSERT(p.line.fleet[0].is_user && p.line.fleet[1].is_user);
}

TEST(a_fleet_has_a_limit) {
        char words[FLEET_MEMBERS_MAX * 5 + 32] = "list", *argv[FLEET_MEMBERS_MAX + 8], *end = words + 4, *out, *err;
        size_t out_size, err_size;
        FILE *f_out = open_memstream(&out, &out_size), *f_err = open_memstream(&err, &err_size);
        CommandLine line;
        int argc = 0;

        argv[argc++] = (char *) "hero_proc";
        argv[argc++] = words;
        for (int i = 0; i < FLEET_MEMBERS_MAX; i++) {
                argv[argc++] = ++end;
                end = stpcpy(end, "-Ha");
        }
        argv[argc] = NULL;
        ASSERT_EQ(command_line_parse(argc, argv, f_out, f_err, &line), 0);
        argv[argc++] = (char *) "-Hb";
        argv[argc] = NULL;
        ASSERT_EQ(command_line_parse(argc, argv, f_out, f_err, &line), -EINVAL);
        fclose(f_out);
        fclose(f_err);
        ASSERT_STREQ(err, "hero_proc: more than 128 hosts and machines\n");
        free(out);
        free(err);
}

TEST(each_flag_has_its_bit) {
        PARSE("apply --dry-run --prune -");

        ASSERT_EQ(p.r, 0);
        ASSERT_EQ(p.line.flags, HERO_PROC_FLAG_DRY_RUN | HERO_PROC_FLAG_PRUNE);
        ASSERT_STREQ(p.line.args[0], "-");
}

TEST(what_makes_no_sense_is_refused_and_says_why) {
        ASSERT_REFUSED("", "a verb is missing; see hero_proc --help");
        ASSERT_REFUSED("service", "a verb is missing; see hero_proc --help");
        ASSERT_REFUSED("staus", "staus: no such verb; did you mean status?");
        ASSERT_REFUSED("fly", "fly: no such verb; see hero_proc --help");
        ASSERT_REFUSED("start", "too few arguments; usage: hero_proc start NAME...");
        ASSERT_REFUSED("logs a b", "too many arguments; usage: hero_proc logs NAME");
        ASSERT_REFUSED("list --bogus", "--bogus: no such option, or one without argument; see hero_proc --help");
        ASSERT_REFUSED("list -x", "-x: no such option; see hero_proc --help");
        ASSERT_REFUSED("list --force", "--force has no meaning with list");
        ASSERT_REFUSED("start a --json=short", "--json has no meaning with start");
        ASSERT_REFUSED("list --json=yes", "--json=yes: expected one of short, pretty, off");
        ASSERT_REFUSED("wait a --timeout=-1", "--timeout=-1: expected seconds, or a number with ms, s, min or h");
        ASSERT_REFUSED("wait a --for=up", "--for=up: expected one of running, degraded, failed, starting, stopping, "
                                          "restarting, stopped, unknown, removed, or several with commas between "
                                          "them");
        ASSERT_REFUSED("wait a --for=running,", "--for=running,: expected one of running, degraded, failed, starting, "
                                                "stopping, restarting, stopped, unknown, removed, or several with "
                                                "commas between them");
        ASSERT_REFUSED("logs a -n -3", "-n -3: expected a number of lines, or all");
        ASSERT_REFUSED("logs a -n", "-n: an argument is missing");
        ASSERT_REFUSED("-H host --user list", "--host cannot be combined with --user");
        ASSERT_REFUSED("-H a -H b status", "more than one --host or --machine has no meaning with status");
        ASSERT_REFUSED("-M a -H b watch", "more than one --host or --machine has no meaning with watch");
        ASSERT_REFUSED("-H web:x/db list", "--host=web:x/db: expected [USER@]HOST[:PORT][/CONTAINER]");
}

TEST(help_goes_to_stdout_names_every_verb_and_fits_80_columns) {
        PARSE("--help");

        ASSERT_EQ(p.r, 1);
        ASSERT_STREQ(p.err, "");
        for (const Verb *v = verb_table; v->name; v++) {
                char row[32];

                (void) snprintf(row, sizeof row, "\n  %s ", v->name);
                ASSERT(strstr(p.out, row));
        }
        for (char *row = strtok(p.out, "\n"); row; row = strtok(NULL, "\n"))
                ASSERT(strlen(row) <= 80);
}

TEST(version_is_answered) {
        PARSE("--version");

        ASSERT_EQ(p.r, 1);
        ASSERT_STREQ(p.out, "hero_proc " HERO_PROC_VERSION "\n");
}
