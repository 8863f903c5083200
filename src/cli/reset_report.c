/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/reset_report.h"

#include <errno.h>
#include <string.h>

#include "cli/plain_table.h"
#include "core/json_tree.h"

/* The bus says it as words are said, JSON as names are written. */
static const struct {
        const char *outcome, *key;
} outcomes[] = {
        { "restarted", "restarted" },
        { "left-alone", "left_alone" },
        { "still-failed", "still_failed" },
        { "skipped", "skipped" },
};

static struct json_object *names_with(const ServiceResults *results, const char *outcome) {
        struct json_object *names = json_object_new_array();

        for (size_t i = 0; i < results->n; i++)
                if (strcmp(results->items[i].outcome, outcome) == 0)
                        json_tree_append_string(names, results->items[i].service);
        return names;
}

struct json_object *reset_report_json(const ServiceResults *results) {
        struct json_object *report = json_object_new_object();

        for (size_t i = 0; i < ELEMENTSOF(outcomes); i++)
                json_tree_add(report, outcomes[i].key, names_with(results, outcomes[i].outcome));
        return json_tree_finish(report);
}

int reset_report_print(FILE *out, const ServiceResults *results, const TerminalStyle *style, bool legend) {
        static const char *const titles[] = { "SERVICE", "OUTCOME", "REASON" };
        _cleanup_(plain_table_freep) PlainTable *table =
                plain_table_new(out, style, legend, titles, ELEMENTSOF(titles));
        int r;

        if (!table)
                return -ENOMEM;
        for (size_t i = 0; i < results->n; i++) {
                const ServiceResult *item = &results->items[i];

                r = plain_table_add(table, "", (const char *const[]){ item->service, item->outcome, item->reason });
                if (r < 0)
                        return r;
        }
        if (plain_table_print(table) < 0)
                return -ENOMEM;
        if (results->n == 0 && legend)
                fputs("no services\n", out);
        return 0;
}
