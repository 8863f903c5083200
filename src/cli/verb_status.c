/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "cli/exit_code.h"
#include "cli/journal_command.h"
#include "cli/safe_text.h"
#include "cli/status_block.h"
#include "cli/status_json.h"
#include "cli/verbs.h"

#define DEFAULT_LINES "5"

/* What the service said last, where this machine's journal can be asked. It is decoration: no failure of it counts, but
 * where there is no memory for it that is told. */
static void print_last_lines(Session *s, struct json_object *service) {
        const CommandLine *line = s->line;
        JournalQuery query = {
                .is_user = line->target.is_user,
                .machine = line->target.machine,
                .no_pager = true,
                .quiet = true,
                .n_lines = line->n_lines ? line->n_lines : DEFAULT_LINES,
        };
        _cleanup_(journal_command_freep) char **command = NULL;

        if (line->quiet || line->target.host || strcmp(query.n_lines, "0") == 0)
                return;
        command = journal_command_for_service(&query, service);
        if (!command) {
                session_say(s, "the journal cannot be asked: out of memory");
                return;
        }
        fputs("\n", s->out);
        (void) fflush(s->out);
        (void) journal_command_run(command);
}

static int print_blocks(Session *s, struct json_object *services) {
        uint64_t now = clock_realtime_usec();
        int r;

        r = safe_text_json(services, s->out_style.utf8);
        if (r < 0)
                return session_fail(s, r, NULL, NULL);
        for (size_t i = 0; i < json_object_array_length(services); i++) {
                struct json_object *service = json_object_array_get_idx(services, i);

                if (i > 0)
                        fputs("\n", s->out);
                status_block_print(s->out, service, &s->out_style, now);
                print_last_lines(s, service);
        }
        return EX_DONE;
}

int verb_status_run(Session *s) {
        struct json_object *services = NULL;
        int code;

        code = session_get_status(s, s->line->args, &services);
        if (!services)
                return code;
        for (size_t i = 0; i < json_object_array_length(services); i++)
                code = exit_code_worst(code,
                                       exit_code_of_state(status_json_state(json_object_array_get_idx(services, i))));
        code = exit_code_worst(code, s->line->json != JSON_OFF ? session_print_json(s, services, JSON_OFF)
                                                               : print_blocks(s, services));
        json_object_put(services);
        return code;
}
