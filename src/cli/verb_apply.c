/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/outcome.h"
#include "cli/definition_files.h"
#include "cli/exit_code.h"
#include "cli/safe_text.h"
#include "cli/verbs.h"

static int read_files(Session *s, DefinitionFiles *files) {
        char *message = NULL;
        int r;

        for (size_t i = 0; i < s->line->n_args; i++) {
                r = definition_files_add(files, s->line->args[i], &message);
                if (r != 0)
                        return session_fail(s, r, NULL, message);
        }
        return EX_DONE;
}

static int fail(Session *s, int r, const DefinitionFiles *files, char *message) {
        const char *file = NULL;

        if (r == HERO_E_INVALID_DEFINITION && message)
                file = files->n == 1 ? files->paths[0] : definition_files_blame(files, message);
        if (!file)
                return session_fail(s, r, NULL, message);
        session_say(s, "%s: %s", file, message);
        free(message);
        return exit_code_of_result(r);
}

static int print_text(Session *s, const char *text) {
        _cleanup_free_ char *safe = safe_text_dup(text, s->out_style.utf8, true);
        size_t n = safe ? strlen(safe) : 0;

        if (!safe)
                return session_fail(s, -ENOMEM, NULL, NULL);
        if (n > 0)
                fprintf(s->out, "%s%s", safe, safe[n - 1] == '\n' ? "" : "\n");
        return EX_DONE;
}

static int print_results(Session *s, const ServiceResults *results) {
        if (s->line->quiet)
                return EX_DONE;
        /* What would happen is the difference; "created" would be untrue. */
        if (s->line->flags & HERO_PROC_FLAG_DRY_RUN)
                return print_text(s, *results->difference ? results->difference : "no difference");
        for (size_t i = 0; i < results->n; i++)
                fprintf(s->out, "%s: %s\n", results->items[i].service, results->items[i].outcome);
        return EX_DONE;
}

static int apply(Session *s, const DefinitionFiles *files) {
        _cleanup_(service_results_done) ServiceResults results = { 0 };
        char *message = NULL;
        int r;

        r = hero_proc_client_apply(s->connection, files->texts, files->n, s->line->flags, session_timeout(s), &results,
                                   &message);
        if (r != 0)
                return fail(s, r, files, message);
        return print_results(s, &results);
}

int verb_apply_run(Session *s) {
        _cleanup_(definition_files_done) DefinitionFiles files = { 0 };
        int code;

        code = read_files(s, &files);
        if (code == EX_DONE)
                code = session_connect_to_change(s);
        return code == EX_DONE ? apply(s, &files) : code;
}
