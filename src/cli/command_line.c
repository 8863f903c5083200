/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/command_line.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "cli/nearest_name.h"
#include "cli/option_table.h"
#include "cli/time_text.h"
#include "core/host_address.h"

enum {
        VERBS_MAX = 64,
};

static const char exit_codes_help[] =
        "\nExit codes: 0 done, 1 failed or timed out, 2 usage, 4 no such service,\n"
        "65 invalid definition, 69 server unreachable, 77 not authorised.\n"
        "Of status: 0 running, 3 not running, 4 no such service, 5 degraded, 6 unknown.\n";

static void print_option(FILE *out, const Option *o) {
        char letter[] = "  ", name[64];

        if (o->id < 0x100)
                (void) snprintf(letter, sizeof letter, "-%c", o->id);
        (void) snprintf(name, sizeof name, "%s%s%s", o->name, *o->argument_name ? "=" : "", o->argument_name);
        fprintf(out, "  %-2s --%-16s %s\n", letter, name, o->help);
}

static void print_help(FILE *out) {
        fputs("hero_proc [OPTIONS] [service] VERB [ARGUMENT...]\n\n"
              "Start, stop, and tell the truth about the services that hero_proc supervises.\n\n"
              "Verbs:\n",
              out);
        for (const Verb *v = verb_table; v->name; v++)
                fprintf(out, "  %-12s %-14s %s\n", v->name, v->arguments, v->summary);
        fputs("\nOptions:\n", out);
        for (const Option *o = option_table; o->name; o++)
                print_option(out, o);
        fputs(exit_codes_help, out);
}

static int complain(FILE *err, const char *format, ...) _printf_(2, 3);

static int complain(FILE *err, const char *format, ...) {
        va_list ap;

        fputs("hero_proc: ", err);
        va_start(ap, format);
        (void) vfprintf(err, format, ap);
        va_end(ap);
        fputs("\n", err);
        return -EINVAL;
}

static int parse_json_mode(const char *text, JsonMode *ret) {
        static const char *const words[] = { [JSON_OFF] = "off", [JSON_SHORT] = "short", [JSON_PRETTY] = "pretty" };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strcmp(text, words[i]) == 0) {
                        *ret = (JsonMode) i;
                        return 0;
                }
        return -EINVAL;
}

/* States by name, separated by commas. */
static int parse_wait_for(const char *text, unsigned *ret) {
        unsigned wait_for = 0;

        for (const char *word = text;; word++) {
                size_t n = strcspn(word, ",");
                char copy[16]; /* longer than any of them */
                ServiceState state;

                (void) snprintf(copy, sizeof copy, "%.*s", n < sizeof copy ? (int) n : 0, word);
                state = service_state_from_string(copy);
                if ((int) state >= 0)
                        wait_for |= WAIT_FOR_STATE(state);
                else if (strcmp(copy, "removed") == 0)
                        wait_for |= WAIT_FOR_REMOVED;
                else
                        return -EINVAL;
                word += n;
                if (!*word)
                        break;
        }
        *ret = wait_for;
        return 0;
}

static bool is_line_count(const char *text) {
        return strcmp(text, "all") == 0 || (*text && strlen(text) < 10 && strspn(text, "0123456789") == strlen(text));
}

/* One more than there is room for is told by check_fleet(). */
static void take_member(CommandLine *line, HeroProcTarget member) {
        if (line->n_fleet < FLEET_MEMBERS_MAX)
                line->fleet[line->n_fleet] = member;
        line->n_fleet++;
}

/* The options that are for every verb. 0, 1 when answered, -EINVAL, or -ENOENT: none of them. */
static int take_common_option(int c, FILE *out, CommandLine *line) {
        switch (c) {
        case OPTION_SYSTEM:
                line->target.is_user = false;
                return 0;
        case OPTION_USER:
                line->target.is_user = true;
                return 0;
        case 'H':
                take_member(line, (HeroProcTarget){ .host = optarg });
                return 0;
        case 'M':
                take_member(line, (HeroProcTarget){ .machine = optarg });
                return 0;
        case OPTION_NO_PAGER:
                line->no_pager = true;
                return 0;
        case OPTION_NO_LEGEND:
                line->no_legend = true;
                return 0;
        case 'q':
                line->quiet = true;
                return 0;
        case OPTION_NO_COLOR:
                line->no_color = true;
                return 0;
        case OPTION_NO_ASK_PASSWORD:
                line->no_ask_password = true;
                return 0;
        case OPTION_SOCKET_DIR:
                line->socket_dir = optarg;
                return 0;
        case OPTION_VERSION:
                fputs("hero_proc " HERO_PROC_VERSION "\n", out);
                return 1;
        case OPTION_HELP:
                print_help(out);
                return 1;
        default:
                return -ENOENT;
        }
}

static int take_verb_value(int c, FILE *err, CommandLine *line, unsigned *given) {
        switch (c) {
        case OPTION_JSON:
                *given |= VERB_TAKES_JSON;
                if (parse_json_mode(optarg ? optarg : "short", &line->json) < 0)
                        return complain(err, "--json=%s: expected one of short, pretty, off", optarg);
                return 0;
        case OPTION_TIMEOUT:
                *given |= VERB_TAKES_TIMEOUT;
                line->has_timeout = true;
                if (time_text_parse_span(optarg, &line->timeout_usec) < 0)
                        return complain(err, "--timeout=%s: expected seconds, or a number with ms, s, min or h",
                                        optarg);
                return 0;
        case OPTION_FOR:
                *given |= VERB_TAKES_FOR;
                if (parse_wait_for(optarg, &line->wait_for) < 0)
                        return complain(err,
                                        "--for=%s: expected one of running, degraded, failed, starting, stopping, "
                                        "restarting, stopped, unknown, removed, or several with commas between them",
                                        optarg);
                return 0;
        case 'n':
                *given |= VERB_TAKES_LINES;
                line->n_lines = optarg;
                if (!is_line_count(optarg))
                        return complain(err, "-n %s: expected a number of lines, or all", optarg);
                return 0;
        default:
                return -ENOENT;
        }
}

static int take_verb_flag(int c, CommandLine *line, unsigned *given) {
        switch (c) {
        case OPTION_NO_BLOCK:
                *given |= VERB_TAKES_NO_BLOCK;
                line->flags |= HERO_PROC_FLAG_NO_BLOCK;
                return 0;
        case OPTION_DRY_RUN:
                *given |= VERB_TAKES_DRY_RUN;
                line->flags |= HERO_PROC_FLAG_DRY_RUN;
                return 0;
        case OPTION_FORCE:
                *given |= VERB_TAKES_FORCE;
                line->flags |= HERO_PROC_FLAG_FORCE;
                return 0;
        case OPTION_PRUNE:
                *given |= VERB_TAKES_PRUNE;
                line->flags |= HERO_PROC_FLAG_PRUNE;
                return 0;
        case 'f':
                *given |= VERB_TAKES_FOLLOW;
                line->follow = true;
                return 0;
        default:
                return -ENOENT;
        }
}

/* The table in the form that getopt_long() wants. */
static void list_options(struct option ret[OPTIONS_MAX + 1]) {
        static const int arguments[] = {
                [OPTION_ALONE] = no_argument,
                [OPTION_WITH_ARGUMENT] = required_argument,
                [OPTION_WITH_OR_WITHOUT] = optional_argument,
        };
        size_t n = 0;

        for (const Option *o = option_table; o->name && n < OPTIONS_MAX; o++)
                ret[n++] = (struct option){ o->name, arguments[o->argument], NULL, o->id };
        ret[n] = (struct option){ 0 };
}

static int parse_options(int argc, char **argv, FILE *out, FILE *err, CommandLine *line, unsigned *given) {
        struct option long_options[OPTIONS_MAX + 1];
        int c, r;

        list_options(long_options);
        optind = 0; /* a fresh start, in GNU's way */
        opterr = 0;
        while ((c = getopt_long(argc, argv, ":H:M:qfn:", long_options, NULL)) >= 0) {
                if (c == ':')
                        return complain(err, "%s: an argument is missing", argv[optind - 1]);
                if (c == '?' && optopt > 0 && optopt < 0x100)
                        return complain(err, "-%c: no such option; see hero_proc --help", optopt);
                if (c == '?')
                        return complain(err, "%s: no such option, or one without argument; see hero_proc --help",
                                        argv[optind - 1]);
                r = take_common_option(c, out, line);
                if (r == -ENOENT)
                        r = take_verb_value(c, err, line, given);
                if (r == -ENOENT)
                        r = take_verb_flag(c, line, given);
                if (r != 0)
                        return r;
        }
        return 0;
}

static const Verb *find_verb(const char *name) {
        for (const Verb *v = verb_table; v->name; v++)
                if (strcmp(v->name, name) == 0)
                        return v;
        return NULL;
}

static int complain_of_verb(FILE *err, const char *name) {
        const char *names[VERBS_MAX], *nearest;
        size_t n = 0;

        for (const Verb *v = verb_table; v->name && n < VERBS_MAX; v++)
                names[n++] = v->name;
        nearest = nearest_name_find(name, names, n);
        if (nearest)
                return complain(err, "%s: no such verb; did you mean %s?", name, nearest);
        return complain(err, "%s: no such verb; see hero_proc --help", name);
}

static int check_fleet(FILE *err, CommandLine *line) {
        HostAddress address;

        if (line->n_fleet > FLEET_MEMBERS_MAX)
                return complain(err, "more than %d hosts and machines", FLEET_MEMBERS_MAX);
        if (line->n_fleet > 1 && !(line->verb->options & VERB_TAKES_FLEET))
                return complain(err, "more than one --host or --machine has no meaning with %s", line->verb->name);
        for (size_t i = 0; i < line->n_fleet; i++) {
                HeroProcTarget *t = &line->fleet[i];

                t->is_user = line->target.is_user;
                if (t->host && t->is_user)
                        return complain(err, "--host cannot be combined with --user");
                if (t->host && host_address_parse(t->host, &address) < 0)
                        return complain(err, "--host=%s: expected [USER@]HOST[:PORT][/CONTAINER]", t->host);
        }
        if (line->n_fleet > 0)
                line->target = line->fleet[0];
        return 0;
}

static int check_verb(FILE *err, const CommandLine *line, unsigned given) {
        const Verb *v = line->verb;
        int n = (int) line->n_args;

        if (n < v->n_args_min || (v->n_args_max != VERB_ANY_NUMBER && n > v->n_args_max))
                return complain(err, "too %s arguments; usage: hero_proc %s %s", n < v->n_args_min ? "few" : "many",
                                v->name, v->arguments);
        for (const Option *o = option_table; o->name; o++)
                if (given & ~v->options & o->verb_option)
                        return complain(err, "--%s has no meaning with %s", o->name, v->name);
        return 0;
}

int command_line_parse(int argc, char **argv, FILE *out, FILE *err, CommandLine *ret) {
        CommandLine line = { .timeout_usec = USEC_NEVER, .wait_for = WAIT_FOR_STATE(SERVICE_RUNNING) };
        unsigned given = 0;
        int r;

        r = parse_options(argc, argv, out, err, &line, &given);
        if (r != 0)
                return r;
        if (optind < argc && strcmp(argv[optind], "service") == 0)
                optind++;
        if (optind >= argc)
                return complain(err, "a verb is missing; see hero_proc --help");
        line.verb = find_verb(argv[optind]);
        if (!line.verb)
                return complain_of_verb(err, argv[optind]);
        line.args = argv + optind + 1;
        line.n_args = (size_t) (argc - optind - 1);
        r = check_verb(err, &line, given);
        if (r == 0)
                r = check_fleet(err, &line);
        if (r == 0)
                *ret = line;
        return r;
}
