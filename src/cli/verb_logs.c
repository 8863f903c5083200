/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/outcome.h"
#include "cli/exit_code.h"
#include "cli/journal_command.h"
#include "cli/status_json.h"
#include "cli/verbs.h"
#include "core/service_definition.h"

/* By the units that the server names. Without a server, by what they are always called: logs are wanted most when
 * something is down. */
static int build_command(Session *s, const JournalQuery *query, char ***ret) {
        const char *name = s->line->args[0];
        struct json_object *services = NULL;
        int code;

        code = session_get_status(s, s->line->args, &services);
        if (code == EX_DONE && json_object_array_length(services) == 1)
                *ret = journal_command_for_service(query, json_object_array_get_idx(services, 0));
        else if (code == EX_SERVER_UNREACHABLE && service_name_is_valid(name))
                *ret = journal_command_for_name(query, name);
        json_object_put(services);
        if (*ret)
                return EX_DONE;
        return code != EX_DONE ? code : session_fail(s, -ENOMEM, NULL, NULL);
}

int verb_logs_run(Session *s) {
        const CommandLine *line = s->line;
        const JournalQuery query = {
                .is_user = line->target.is_user,
                .machine = line->target.machine,
                .follow = line->follow,
                .no_pager = line->no_pager,
                .quiet = line->quiet,
                .n_lines = line->n_lines,
        };
        _cleanup_(journal_command_freep) char **command = NULL;
        int code;

        if (line->target.host) {
                session_say(s, "the journal can only be read where it is: ssh %s hero_proc logs %s", line->target.host,
                            line->args[0]);
                return EX_BAD_USAGE;
        }
        code = build_command(s, &query, &command);
        if (code != EX_DONE)
                return code;
        (void) fflush(s->out);
        execvp(command[0], command);
        session_say(s, "%s: %s", command[0], strerror(errno));
        return EX_FAILED;
}
