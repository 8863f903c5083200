/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/outcome.h"
#include "cli/definition_files.h"
#include "cli/exit_code.h"
#include "cli/verbs.h"
#include "core/service_definition.h"
#include "core/start_order.h"

/* Where the server would put relative sockets. To be freed. */
static char *socket_directory(const CommandLine *line) {
        const char *given = line->socket_dir ? line->socket_dir : getenv("HERO_SOCKET_DIR"), *runtime;
        char *path;

        if (given && *given)
                return strdup(given);
        runtime = line->target.is_user ? getenv("XDG_RUNTIME_DIR") : "/run";
        return asprintf(&path, "%s/hero", runtime ? runtime : "/run") < 0 ? NULL : path;
}

static bool is_defined(ServiceDefinition *const *definitions, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(definitions[i]->name, name) == 0)
                        return true;
        return false;
}

/* Leaves out of `requires` what is not in the file: the server may well know it. The strings stay where they are. */
static void drop_unknown_requires(ServiceDefinition *const *definitions, size_t n, ServiceDefinition *d) {
        size_t kept = 0;

        for (size_t i = 0; d->requires && d->requires[i]; i++)
                if (is_defined(definitions, n, d->requires[i]))
        d->requires[kept++] = d->requires[i];
        if (d->requires)
        d->requires[kept] = NULL;
}

/* The definitions of all the files together. */
typedef struct Definitions {
        ServiceDefinition **list;
        size_t n;
} Definitions;

static void definitions_done(Definitions *d) {
        service_definition_free_list(d->list, d->n);
}

static int definitions_append(Definitions *all, ServiceDefinition **list, size_t n) {
        ServiceDefinition **grown = realloc(all->list, (all->n + n + 1) * sizeof *grown);

        if (!grown) {
                service_definition_free_list(list, n);
                return -ENOMEM;
        }
        for (size_t i = 0; i < n; i++)
                grown[all->n++] = list[i];
        all->list = grown;
        free(list);
        return 0;
}

/* One file; its definitions are added to `all`. */
static int check_file(Session *s, const char *path, const char *text, const char *socket_dir, Definitions *all,
                      size_t *ret_n) {
        _cleanup_free_ char *message = NULL;
        ServiceDefinition **list;
        int r;

        r = service_definition_parse(text, socket_dir, &list, ret_n, &message);
        if (r != 0) {
                session_say(s, "%s: %s", path, message ? message : strerror(-r));
                return exit_code_of_result(r);
        }
        r = definitions_append(all, list, *ret_n);
        return r < 0 ? session_fail(s, r, NULL, NULL) : EX_DONE;
}

static int check_order(Session *s, const DefinitionFiles *files, Definitions *all) {
        char *message = NULL;
        int r;

        for (size_t i = 0; i < all->n; i++)
                drop_unknown_requires(all->list, all->n, all->list[i]);
        r = start_order_check((const ServiceDefinition *const *) all->list, all->n, &message);
        if (r != 0)
                return session_fail(s, r, files->n == 1 ? files->paths[0] : NULL, message);
        return EX_DONE;
}

static int check_files(Session *s, const DefinitionFiles *files, const char *socket_dir) {
        _cleanup_free_ size_t *n_defined = calloc(files->n + 1, sizeof *n_defined);
        _cleanup_(definitions_done) Definitions all = { 0 };
        int code = EX_DONE;

        if (!n_defined)
                return session_fail(s, -ENOMEM, NULL, NULL);
        /* All of them, so that one run shows the faults of each. */
        for (size_t i = 0; i < files->n; i++)
                code = exit_code_worst(
                        code, check_file(s, files->paths[i], files->texts[i], socket_dir, &all, &n_defined[i]));
        if (code == EX_DONE)
                code = check_order(s, files, &all);
        for (size_t i = 0; code == EX_DONE && !s->line->quiet && i < files->n; i++)
                fprintf(s->out, "%s: %zu definition%s, ok\n", files->paths[i], n_defined[i],
                        n_defined[i] == 1 ? "" : "s");
        return code;
}

int verb_check_run(Session *s) {
        _cleanup_(definition_files_done) DefinitionFiles files = { 0 };
        _cleanup_free_ char *socket_dir = socket_directory(s->line);
        char *message = NULL;
        int r;

        if (!socket_dir)
                return session_fail(s, -ENOMEM, NULL, NULL);
        for (size_t i = 0; i < s->line->n_args; i++) {
                r = definition_files_add(&files, s->line->args[i], &message);
                if (r != 0)
                        return session_fail(s, r, NULL, message);
        }
        return check_files(s, &files, socket_dir);
}
