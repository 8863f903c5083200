/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "cli/exit_code.h"
#include "cli/safe_text.h"
#include "cli/status_json.h"
#include "cli/verbs.h"
#include "cli/why_block.h"

#define HISTORY_LINES 20

/* The text came over a bus: it is read as JSON, and what could move a terminal's cursor is taken out of it. */
static int parse(Session *s, enum json_type type, const char *text, struct json_object **ret) {
        struct json_object *json = NULL;
        int r;

        r = status_json_parse_as(type, text, &json);
        if (r == 0)
                r = safe_text_json(json, s->out_style.utf8);
        if (r < 0) {
                json_object_put(json);
                return session_fail_to_read(s, r, "answer");
        }
        *ret = json;
        return EX_DONE;
}

int verb_why_run(Session *s) {
        _cleanup_free_ char *text = NULL;
        struct json_object *why = NULL;
        char *message = NULL;
        int r, code = session_connect(s);

        if (code != EX_DONE)
                return code;
        r = hero_proc_client_why(s->connection, s->line->args[0], &text, &message);
        if (r != 0)
                return session_fail(s, r, s->line->args[0], message);
        code = parse(s, json_type_object, text, &why);
        if (code != EX_DONE)
                return code;
        if (s->line->json != JSON_OFF)
                code = session_print_json(s, why, JSON_OFF);
        else
                why_block_print(s->out, why, &s->out_style, clock_realtime_usec());
        json_object_put(why);
        return code;
}

int verb_why_run_history(Session *s) {
        _cleanup_free_ char *text = NULL;
        struct json_object *transitions = NULL;
        char *message = NULL;
        uint64_t limit = HISTORY_LINES;
        int r, code = session_connect(s);

        if (code != EX_DONE)
                return code;
        if (s->line->n_lines)
                limit = s->line->n_lines[0] == 'a' ? UINT32_MAX : strtoull(s->line->n_lines, NULL, 10);
        r = hero_proc_client_history(s->connection, s->line->args[0], limit, &text, &message);
        if (r != 0)
                return session_fail(s, r, s->line->args[0], message);
        code = parse(s, json_type_array, text, &transitions);
        if (code != EX_DONE)
                return code;
        if (s->line->json != JSON_OFF)
                code = session_print_json(s, transitions, JSON_OFF);
        else
                r = why_block_print_history(s->out, transitions, &s->out_style, !s->line->no_legend && !s->line->quiet);
        json_object_put(transitions);
        return r < 0 ? session_fail(s, r, NULL, NULL) : code;
}
