/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "base/outcome.h"
#include "cli/exit_code.h"
#include "cli/list_table.h"
#include "cli/status_json.h"
#include "cli/verbs.h"

static void drop_others(const Session *s, struct json_object *services) {
        for (size_t i = json_object_array_length(services); i-- > 0;)
                if (!session_matches_patterns(s, status_json_text(json_object_array_get_idx(services, i), "name")))
                        json_object_array_del_idx(services, i, 1);
}

int verb_list_run(Session *s) {
        struct json_object *services = NULL;
        int code;

        code = session_get_status(s, NULL, &services);
        if (code != EX_DONE)
                return code;
        drop_others(s, services);

        if (s->line->json != JSON_OFF)
                session_print_json(s, services, JSON_OFF);
        else
                code = exit_code_of_result(list_table_print(s->out, services, &s->out_style,
                                                            !s->line->no_legend && !s->line->quiet,
                                                            clock_realtime_usec()));
        json_object_put(services);
        return code;
}
