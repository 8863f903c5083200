/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "boundary/fleet_inquiry.h"
#include "cli/exit_code.h"
#include "cli/fleet_rows.h"
#include "cli/list_table.h"
#include "cli/status_json.h"
#include "cli/verbs.h"
#include "core/json_tree.h"

/* For each of many hosts: one that takes longer is of no use on a board, and --timeout gives it more. */
#define FLEET_TIMEOUT_USEC (5 * USEC_PER_SEC)

static void drop_others(const Session *s, struct json_object *services) {
        for (size_t i = json_object_array_length(services); i-- > 0;)
                if (!session_matches_patterns(s, status_json_text(json_object_array_get_idx(services, i), "name")))
                        json_object_array_del_idx(services, i, 1);
}

static bool wants_legend(const Session *s) {
        return !s->line->no_legend && !s->line->quiet;
}

static int print_services(Session *s, struct json_object *services) {
        int r;

        if (s->line->json != JSON_OFF)
                return session_print_json(s, services, JSON_OFF);
        if (s->line->n_fleet > 1)
                r = list_table_print_fleet(s->out, services, &s->out_style, wants_legend(s), clock_realtime_usec());
        else
                r = list_table_print(s->out, services, &s->out_style, wants_legend(s), clock_realtime_usec());
        return r < 0 ? session_fail(s, r, NULL, NULL) : EX_DONE;
}

/* -- many hosts -- */

static const char *name_of(const HeroProcTarget *t) {
        return t->host ? t->host : t->machine;
}

static int add_services(Session *s, const HeroProcTarget *t, const char *json, struct json_object *rows) {
        struct json_object *services = NULL;
        int r = status_json_parse(json, &services);

        if (r == 0) {
                drop_others(s, services);
                r = fleet_rows_add(rows, name_of(t), services);
        }
        json_object_put(services);
        return r;
}

/* What one host told, or that it told nothing, which no pattern hides. An exit code. */
static int add_answer(Session *s, const HeroProcTarget *t, const FleetAnswer *a, struct json_object *rows) {
        const char *text = a->text ? a->text : "out of memory", *code;
        int r = a->r;

        if (r == 0) {
                r = add_services(s, t, a->json, rows);
                text = r == -ENOMEM ? "out of memory"
                                    : "its answer cannot be read; is hero_proc of another version there?";
        }
        if (r == 0)
                return EX_DONE;
        code = outcome_info(r > 0 ? (Outcome) r : HERO_E_SERVER_UNREACHABLE)->code_name;
        fleet_rows_add_silent_host(rows, name_of(t), code, text);
        return exit_code_of_result(r);
}

static int list_fleet(Session *s) {
        const CommandLine *line = s->line;
        FleetAnswer answers[FLEET_MEMBERS_MAX] = { 0 };
        struct json_object *rows = json_object_new_array();
        int code = EX_DONE, r;

        r = fleet_inquiry_run(line->fleet, line->n_fleet, line->has_timeout ? line->timeout_usec : FLEET_TIMEOUT_USEC,
                              answers);
        for (size_t i = 0; i < line->n_fleet; i++) {
                if (r == 0)
                        code = exit_code_worst(code, add_answer(s, &line->fleet[i], &answers[i], rows));
                fleet_answer_done(&answers[i]);
        }
        rows = json_tree_finish(rows);
        if (r == 0 && !rows)
                r = -ENOMEM;
        if (r == 0)
                fleet_rows_sort(rows);
        code = r < 0 ? session_fail(s, r, NULL, NULL) : exit_code_worst(code, print_services(s, rows));
        json_object_put(rows);
        return code;
}

/* -- one -- */

static int list_one(Session *s) {
        struct json_object *services = NULL;
        int code;

        code = session_connect(s);
        if (code == EX_DONE && s->line->has_timeout)
                hero_proc_connection_set_patience(s->connection, s->line->timeout_usec);
        if (code == EX_DONE)
                code = s->line->json == JSON_OFF ? session_get_overview(s, &services)
                                                 : session_get_status(s, NULL, &services);
        if (code != EX_DONE)
                return code;
        drop_others(s, services);
        code = print_services(s, services);
        json_object_put(services);
        return code;
}

int verb_list_run(Session *s) {
        return s->line->n_fleet > 1 ? list_fleet(s) : list_one(s);
}
