/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/cleanup.h"
#include "cli/completion.h"
#include "cli/option_table.h"

/* The candidates for a line, its words apart by blanks; one at its end begins a new word. "FILES" and "SERVICES" stand
 * for those that are found elsewhere. */
static char *candidates(const char *line) {
        char copy[256], *words[32], *text = NULL;
        CompletionQuestion q = { .words = words };
        size_t size;
        FILE *f = open_memstream(&text, &size), *all = tmpfile();
        char row[256];

        (void) snprintf(copy, sizeof copy, "%s", line);
        for (char *word = copy; word;) {
                char *end = strchr(word, ' ');

                words[q.n_words++] = word;
                if (end)
                        *end++ = '\0';
                word = end;
        }
        switch (completion_print(all, &q)) {
        case COMPLETION_FILES:
                fputs("FILES ", f);
                break;
        case COMPLETION_SERVICES:
                fputs("SERVICES ", f);
                break;
        case COMPLETION_DONE:
                break;
        }
        rewind(all);
        while (fgets(row, sizeof row, all))
                fprintf(f, "%.*s ", (int) strcspn(row, "\t"), row);
        fclose(all);
        fclose(f);
        return text;
}

#define ASSERT_OFFERED(line, expected)                            \
        do {                                                      \
                _cleanup_free_ char *_found = candidates((line)); \
                ASSERT_STREQ(_found, (expected));                 \
        } while (0)

TEST(every_verb_and_every_option_is_offered) {
        _cleanup_free_ char *verbs = candidates(""), *options = candidates("--");

        for (const Verb *v = verb_table; v->name; v++)
                ASSERT(strstr(verbs, v->name));
        for (const Option *o = option_table; o->name; o++)
                ASSERT(strstr(options, o->name));
}

TEST(a_verb_is_offered_its_own_options_and_those_of_all) {
        for (const Verb *v = verb_table; v->name; v++) {
                char line[64];
                _cleanup_free_ char *options = NULL;

                (void) snprintf(line, sizeof line, "%s --", v->name);
                options = candidates(line);
                for (const Option *o = option_table; o->name; o++) {
                        char word[64];
                        bool offered;

                        (void) snprintf(word, sizeof word, "--%s%s ", o->name,
                                        o->argument == OPTION_WITH_ARGUMENT ? "=" : "");
                        offered = strstr(options, word) != NULL;
                        if (offered != (o->verb_option == 0 || (v->options & o->verb_option) != 0))
                                FAIL("%s %s", v->name, word);
                }
        }
}

TEST(each_verb_is_offered_what_it_takes) {
        static const struct {
                const char *line, *offered;
        } lines[] = {
                { "apply ", "FILES " },
                { "apply a.json ", "FILES " },
                { "check ", "FILES " },
                { "start ", "SERVICES " },
                { "start a b ", "SERVICES " },
                { "why ", "SERVICES " },
                { "why a ", "" },
                { "list ", "SERVICES " },
                { "watch x ", "SERVICES " },
                { "status ", "SERVICES " },
                { "dump ", "" },
                { "logs -n 5 ", "SERVICES " },
                { "service why ", "SERVICES " },
                { "-M m why ", "SERVICES " },
                { "-Mm why ", "SERVICES " },
                { "--timeout 5 wait ", "SERVICES " },
                { "wait -- --f", "SERVICES " },
                { "fly ", "" },
        };

        for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
                ASSERT_OFFERED(lines[i].line, lines[i].offered);
}

TEST(the_argument_of_an_option_is_offered_in_either_form) {
        ASSERT_OFFERED("wait a --for r", "running restarting removed ");
        ASSERT_OFFERED("wait a --for=r", "--for=running --for=restarting --for=removed ");
        ASSERT_OFFERED("wait a --for=running,failed,re",
                       "--for=running,failed,restarting --for=running,failed,removed ");
        ASSERT_OFFERED("wait a --for=running,r", "--for=running,restarting --for=running,removed ");
        ASSERT_OFFERED("list --json=", "--json=short --json=pretty --json=off ");
        ASSERT_OFFERED("list --json s", "SERVICES "); /* whose value cannot stand apart */
        ASSERT_OFFERED("logs -n ", "all ");
        ASSERT_OFFERED("-H ", "");
        ASSERT_OFFERED("check --socket-dir ", "FILES ");
        ASSERT_OFFERED("check --socket-dir=/r", "FILES ");
        ASSERT_OFFERED("list --bogus=", "");
}

static char *services_for(const char *verb, const char *given, const char *typed) {
        static ServiceBrief services[] = {
                { (char *) "db", (char *) "running" },
                { (char *) "down", (char *) "stopped" },
                { (char *) "web", (char *) "failed" },
        };
        char *words[] = { (char *) verb, (char *) given, (char *) typed }, *text = NULL;
        CompletionQuestion q = { .words = words, .n_words = 3 };
        size_t size;
        FILE *f = open_memstream(&text, &size), *none = fopen("/dev/null", "we");

        (void) completion_print(none, &q);
        completion_print_services(f, &q, services, 3);
        fclose(none);
        fclose(f);
        return text;
}

#define ASSERT_SERVICES(verb, given, typed, expected)                           \
        do {                                                                    \
                _cleanup_free_ char *_found = services_for(verb, given, typed); \
                ASSERT_STREQ(_found, (expected));                               \
        } while (0)

TEST(services_are_offered_with_their_states_where_the_verb_makes_sense) {
        ASSERT_SERVICES("status", "x", "", "db\trunning\ndown\tstopped\nweb\tfailed\n");
        ASSERT_SERVICES("status", "db", "", "down\tstopped\nweb\tfailed\n");
        ASSERT_SERVICES("status", "x", "d", "db\trunning\ndown\tstopped\n");
        ASSERT_SERVICES("start", "x", "", "down\tstopped\nweb\tfailed\n");
        ASSERT_SERVICES("stop", "x", "", "db\trunning\nweb\tfailed\n");
        /* A whim is better served than no candidate. */
        ASSERT_SERVICES("start", "x", "db", "db\trunning\n");
        ASSERT_SERVICES("stop", "x", "do", "down\tstopped\n");
}
