/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/list_table.h"

#include <errno.h>

#include "cli/plain_table.h"
#include "cli/status_json.h"
#include "cli/time_text.h"

static int add_service(PlainTable *table, struct json_object *service, const TerminalStyle *style, uint64_t now_usec) {
        ServiceState state = status_json_state(service);
        char since[TIME_TEXT_MAX], sign[64];

        time_text_ago(status_json_number(service, "since_usec"), now_usec, since);
        (void) snprintf(sign, sizeof sign, "%s %s", terminal_style_sign(style, state), service_state_to_string(state));
        return plain_table_add(table, terminal_style_color(style, state),
                               (const char *const[]){ sign, status_json_text(service, "name"), since,
                                                      status_json_reason_text(service) });
}

void list_table_print_summary(FILE *out, struct json_object *services) {
        size_t n = json_object_array_length(services), counts[_SERVICE_STATE_MAX] = { 0 };
        const char *separator = ": ";

        for (size_t i = 0; i < n; i++)
                counts[status_json_state(json_object_array_get_idx(services, i))]++;
        fprintf(out, "%zu service%s", n, n == 1 ? "" : "s");
        for (size_t i = 0; i < _SERVICE_STATE_MAX; i++)
                if (counts[i] > 0) {
                        fprintf(out, "%s%zu %s", separator, counts[i], service_state_to_string((ServiceState) i));
                        separator = ", ";
                }
        fputs("\n", out);
}

int list_table_print(FILE *out, struct json_object *services, const TerminalStyle *style, bool legend,
                     uint64_t now_usec) {
        /* The reason comes last: it may be cut off, and is the longest where it is not. */
        static const char *const titles[] = { "STATE", "NAME", "SINCE", "REASON" };
        _cleanup_(plain_table_freep) PlainTable *table =
                plain_table_new(out, style, legend, titles, ELEMENTSOF(titles));
        size_t n = json_object_array_length(services);
        int r;

        if (!table)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                r = add_service(table, json_object_array_get_idx(services, i), style, now_usec);
                if (r < 0)
                        return r;
        }
        if (plain_table_print(table) < 0)
                return -ENOMEM;
        if (legend && n > 0)
                fputs("\n", out);
        if (legend)
                list_table_print_summary(out, services);
        return 0;
}
