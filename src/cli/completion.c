/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/completion.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cli/option_table.h"

/* Longer than a healthy server takes, shorter than a person at a keyboard minds. */
#define ASK_TIMEOUT_USEC (500 * USEC_PER_MSEC)

/* What the complete words of the line amount to. */
typedef struct Line {
        const char *typed;    /* the word at its end */
        const Option *option; /* whose argument that word is; NULL: none */
        const char *verb;     /* NULL: not there yet */
        size_t n_arguments;   /* of the verb, before the word at the end */
        bool may_be_option;   /* no "--" came before */
} Line;

static bool begins_with(const char *word, const char *prefix) {
        return strncmp(word, prefix, strlen(prefix)) == 0;
}

static void offer(FILE *out, const char *typed, const char *word, const char *what) {
        if (begins_with(word, typed))
                fprintf(out, "%s\t%s\n", word, what);
}

static const Verb *find_verb(const char *name) {
        for (const Verb *v = verb_table; v->name; v++)
                if (strcmp(v->name, name) == 0)
                        return v;
        return NULL;
}

/* `n` letters of a name, without dashes. */
static const Option *find_option(const char *name, size_t n) {
        for (const Option *o = option_table; o->name; o++)
                if (strlen(o->name) == n && strncmp(o->name, name, n) == 0)
                        return o;
        return NULL;
}

/* The option whose argument has to be the next word; NULL: none. */
static const Option *option_that_waits(const char *word) {
        const Option *o = NULL;

        if (begins_with(word, "--")) {
                o = find_option(word + 2, strlen(word + 2));
                return o && o->argument == OPTION_WITH_ARGUMENT ? o : NULL;
        }
        for (const char *letter = word + 1; *letter; letter++)
                for (o = option_table; o->name; o++)
                        if (o->id == *letter && o->argument == OPTION_WITH_ARGUMENT)
                                return letter[1] ? NULL : o; /* the rest of the word is its argument */
        return NULL;
}

static void take_option(CompletionQuestion *q, const char *word) {
        if (strcmp(word, "--user") == 0)
                q->target.is_user = true;
        if (begins_with(word, "-H") || begins_with(word, "--host"))
                q->target.host = word;
        if (begins_with(word, "-M") || begins_with(word, "--machine"))
                q->target.machine = word;
}

static Line read_line(CompletionQuestion *q) {
        Line line = { .typed = q->words[q->n_words - 1], .may_be_option = true };

        for (size_t i = 0; i + 1 < q->n_words; i++) {
                const char *word = q->words[i];

                if (line.option) {
                        line.option = NULL;
                } else if (line.may_be_option && strcmp(word, "--") == 0) {
                        line.may_be_option = false;
                } else if (line.may_be_option && word[0] == '-' && word[1]) {
                        take_option(q, word);
                        line.option = option_that_waits(word);
                } else if (line.verb) {
                        line.n_arguments++;
                } else if (strcmp(word, "service") != 0) {
                        line.verb = word;
                }
        }
        q->verb = line.verb ? find_verb(line.verb) : NULL;
        return line;
}

/* -- values of options -- */

/* In a list the states before the last comma stay, and are not offered again. */
static void offer_states(FILE *out, const char *typed, const char *before) {
        const char *comma = strrchr(typed, ',');
        size_t n_kept = comma ? (size_t) (comma + 1 - typed) : 0;

        for (unsigned state = 0; state <= _SERVICE_STATE_MAX; state++) {
                const char *word =
                        state < _SERVICE_STATE_MAX ? service_state_to_string((ServiceState) state) : "removed";
                const char *known = n_kept > 0 ? strstr(typed, word) : NULL;

                if (begins_with(word, typed + n_kept) && (!known || known >= typed + n_kept))
                        fprintf(out, "%s%.*s%s\t%s\n", before, (int) n_kept, typed, word, "State");
        }
}

/* `before` is what of the word stands before the value, as "--json=". */
static CompletionRest offer_value(FILE *out, const Option *o, const char *typed, const char *before) {
        static const char *const modes[] = { "short", "pretty", "off" };

        if (o->id == OPTION_SOCKET_DIR)
                return COMPLETION_FILES;
        if (o->id == OPTION_FOR)
                offer_states(out, typed, before);
        for (size_t i = 0; o->id == OPTION_JSON && i < ELEMENTSOF(modes); i++)
                if (begins_with(modes[i], typed))
                        fprintf(out, "%s%s\t%s\n", before, modes[i], "Mode");
        if (o->id == 'n' && begins_with("all", typed))
                fprintf(out, "%sall\tAll lines\n", before);
        return COMPLETION_DONE;
}

static CompletionRest offer_value_of_word(FILE *out, const char *typed) {
        size_t n = strcspn(typed, "=");
        const Option *o = find_option(typed + 2, n - 2);
        char before[64];

        if (!o)
                return COMPLETION_DONE;
        (void) snprintf(before, sizeof before, "%.*s=", (int) n, typed);
        return offer_value(out, o, typed + n + 1, before);
}

static void offer_options(FILE *out, const CompletionQuestion *q, const char *typed) {
        for (const Option *o = option_table; o->name; o++) {
                char word[64];

                if (o->verb_option && q->verb && !(q->verb->options & o->verb_option))
                        continue;
                (void) snprintf(word, sizeof word, "--%s%s", o->name, o->argument == OPTION_WITH_ARGUMENT ? "=" : "");
                offer(out, typed, word, o->help);
        }
}

/* -- arguments of verbs -- */

/* The verb's form of its argument number `i`, as --help shows it: "NAME", "FILE|DIR|-", "zinit|supervisord". Where
 * there is none any more, an empty text. */
static void find_form(const Verb *v, size_t i, char *ret, size_t size) {
        const char *form = v->arguments;

        ret[0] = '\0';
        for (; *form; i--) {
                size_t n = strcspn(form, " ");
                bool repeats = strstr(form, "...") != NULL;

                if (i == 0 || (repeats && !form[n])) {
                        (void) snprintf(ret, size, "%.*s", (int) n, form);
                        return;
                }
                form += n + (form[n] == ' ');
        }
}

static CompletionRest offer_arguments(FILE *out, const Line *line, const Verb *v) {
        char form[64], *word;

        if (v->n_args_max != VERB_ANY_NUMBER && line->n_arguments >= (size_t) v->n_args_max)
                return COMPLETION_DONE;
        find_form(v, line->n_arguments, form, sizeof form);
        if (strcmp(form, "FORMAT") == 0)
                (void) snprintf(form, sizeof form, "zinit|supervisord|systemd");
        if (strstr(form, "NAME") || strstr(form, "PATTERN"))
                return COMPLETION_SERVICES;
        if (strstr(form, "FILE") || v->n_args_max == VERB_ANY_NUMBER)
                return COMPLETION_FILES;
        for (word = strtok(form, "|"); word; word = strtok(NULL, "|"))
                offer(out, line->typed, word, "");
        return COMPLETION_DONE;
}

static void offer_verbs(FILE *out, const char *typed) {
        for (const Verb *v = verb_table; v->name; v++)
                offer(out, typed, v->name, v->summary);
}

CompletionRest completion_print(FILE *out, CompletionQuestion *q) {
        Line line = read_line(q);

        if (line.option)
                return offer_value(out, line.option, line.typed, "");
        if (line.may_be_option && begins_with(line.typed, "--") && strchr(line.typed, '='))
                return offer_value_of_word(out, line.typed);
        if (line.may_be_option && line.typed[0] == '-') {
                offer_options(out, q, line.typed);
                return COMPLETION_DONE;
        }
        if (!line.verb) {
                offer_verbs(out, line.typed);
                return COMPLETION_DONE;
        }
        return q->verb ? offer_arguments(out, &line, q->verb) : COMPLETION_DONE;
}

/* -- services -- */

static bool is_given(const CompletionQuestion *q, const char *name) {
        for (size_t i = 0; i + 1 < q->n_words; i++)
                if (strcmp(q->words[i], name) == 0)
                        return true;
        return false;
}

/* Whether the verb would do anything: what runs is not started. */
static bool makes_sense(const Verb *v, const char *state) {
        if (strcmp(v->name, "start") == 0)
                return strcmp(state, "running") != 0;
        return strcmp(v->name, "stop") != 0 || strcmp(state, "stopped") != 0;
}

void completion_print_services(FILE *out, const CompletionQuestion *q, const ServiceBrief *services, size_t n) {
        const char *typed = q->words[q->n_words - 1];
        bool sensible = false;

        for (size_t i = 0; i < n; i++)
                sensible = sensible || (begins_with(services[i].name, typed) && !is_given(q, services[i].name) &&
                                        makes_sense(q->verb, services[i].state));
        for (size_t i = 0; i < n; i++)
                if (!is_given(q, services[i].name) && (!sensible || makes_sense(q->verb, services[i].state)))
                        offer(out, typed, services[i].name, services[i].state);
}

/* -- */

static int ask_for_services(FILE *out, const CompletionQuestion *q) {
        _cleanup_(hero_proc_connection_freep) HeroProcConnection *c = NULL;
        _cleanup_free_ char *message = NULL;
        ServiceBrief *services = NULL;
        size_t n = 0;
        int r;

        /* On another machine it could take a password, and is too slow in any case. */
        if (q->target.host || q->target.machine)
                return 0;
        r = hero_proc_connection_open(&q->target, &c, &message);
        if (r == 0)
                r = hero_proc_client_peek(c, ASK_TIMEOUT_USEC, &services, &n);
        if (r == 0)
                completion_print_services(out, q, services, n);
        service_brief_free_list(services, n);
        return r == -ENOMEM ? r : 0;
}

int completion_run(FILE *out, char *const *words, size_t n) {
        CompletionQuestion question = { .words = words, .n_words = n };

        switch (n > 0 ? completion_print(out, &question) : COMPLETION_DONE) {
        case COMPLETION_FILES:
                fputs(":files\n", out);
                break;
        case COMPLETION_SERVICES:
                return ask_for_services(out, &question);
        case COMPLETION_DONE:
                break;
        }
        return 0;
}
