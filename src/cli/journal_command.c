/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/journal_command.h"

#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/status_json.h"

char **journal_command_free(char **argv) {
        for (char **a = argv; a && *a; a++)
                free(*a);
        free(argv);
        return NULL;
}

/* A list of words that grows; `failed` once memory ran out. */
typedef struct Words {
        char **words;
        size_t n;
        bool failed;
} Words;

static void add_word(Words *w, const char *format, ...) _printf_(2, 3);

static void add_word(Words *w, const char *format, ...) {
        char **grown = realloc(w->words, (w->n + 2) * sizeof *grown);
        va_list ap;
        int r;

        if (!grown) {
                w->failed = true;
                return;
        }
        w->words = grown;
        va_start(ap, format);
        r = vasprintf(&grown[w->n], format, ap);
        va_end(ap);
        if (r < 0) {
                grown[w->n] = NULL;
                w->failed = true;
                return;
        }
        grown[++w->n] = NULL;
}

static char **take_words(Words *w) {
        if (!w->failed)
                return w->words;
        return journal_command_free(w->words);
}

static void add_query(Words *w, const JournalQuery *query) {
        add_word(w, "journalctl");
        if (query->no_pager)
                add_word(w, "--no-pager");
        if (query->quiet)
                add_word(w, "--quiet");
        if (query->machine)
                add_word(w, "--machine=%s", query->machine);
        if (query->follow)
                add_word(w, "--follow");
        if (query->n_lines)
                add_word(w, "--lines=%s", query->n_lines);
}

static void add_unit(Words *w, const JournalQuery *query, const char *prefix, const char *name, const char *suffix) {
        add_word(w, "--%s=%s%s%s", query->is_user ? "user-unit" : "unit", prefix, name, suffix);
}

char **journal_command_for_service(const JournalQuery *query, struct json_object *service) {
        size_t n = status_json_count(service, "actions");
        Words w = { 0 };

        /* Without any unit journalctl would show the whole journal. */
        if (n == 0)
                return journal_command_for_name(query, status_json_text(service, "name"));
        add_query(&w, query);
        for (size_t i = 0; i < n; i++)
                add_unit(&w, query, "", status_json_text(status_json_item(service, "actions", i), "unit"), "");
        return take_words(&w);
}

char **journal_command_for_name(const JournalQuery *query, const char *name) {
        Words w = { 0 };

        add_query(&w, query);
        add_unit(&w, query, "hero-", name, ".service");
        add_unit(&w, query, "hero-", name, "@*.service");
        return take_words(&w);
}

int journal_command_run(char **argv) {
        pid_t pid;
        int r;

        r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
        if (r != 0)
                return -r;
        while (waitpid(pid, NULL, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}
