/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/outcome.h"
#include "cli/exit_code.h"
#include "cli/reset_report.h"
#include "cli/verbs.h"

static bool any_still_failed(const ServiceResults *results) {
        for (size_t i = 0; i < results->n; i++)
                if (strcmp(results->items[i].outcome, "still-failed") == 0)
                        return true;
        return false;
}

int verb_reset_failed_run(Session *s) {
        _cleanup_(service_results_done) ServiceResults results = { 0 };
        struct json_object *json;
        char *message = NULL;
        int code, r;

        code = session_connect_to_change(s);
        if (code != EX_DONE)
                return code;
        r = hero_proc_client_reset_failed(s->connection, s->line->args, s->line->flags, session_timeout(s), &results,
                                          &message);
        if (r != 0)
                return session_fail_names(s, r, s->line->args, message);

        if (s->line->json != JSON_OFF) {
                json = reset_report_json(&results);
                if (!json)
                        return session_fail(s, -ENOMEM, NULL, NULL);
                code = session_print_json(s, json, JSON_OFF);
                json_object_put(json);
        } else if (!s->line->quiet) {
                r = reset_report_print(s->out, &results, &s->out_style, !s->line->no_legend);
                if (r < 0)
                        return session_fail(s, r, NULL, NULL);
        }
        return any_still_failed(&results) ? EX_FAILED : code;
}
