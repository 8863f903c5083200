/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/list_table.h"

#include <errno.h>

#include "cli/fleet_rows.h"
#include "cli/plain_table.h"
#include "cli/status_json.h"
#include "cli/time_text.h"

static int add_service(PlainTable *table, struct json_object *service, const TerminalStyle *style, bool with_host,
                       uint64_t now_usec) {
        ServiceState state = status_json_state(service);
        const char *name = status_json_text(service, "name"), *texts[5];
        char since[TIME_TEXT_MAX], sign[64];
        size_t n = 0;

        time_text_ago(status_json_number(service, "since_usec"), now_usec, since);
        (void) snprintf(sign, sizeof sign, "%s %s", terminal_style_sign(style, state), service_state_to_string(state));
        texts[n++] = sign;
        if (with_host)
                texts[n++] = status_json_text(service, "host");
        texts[n++] = *name ? name : "-";
        texts[n++] = since;
        texts[n++] = status_json_reason_text(service);
        return plain_table_add(table, terminal_style_color(style, state), texts);
}

/* ": 2 running, 1 failed", in the order of the states. */
static void print_counts(FILE *out, const size_t counts[_SERVICE_STATE_MAX]) {
        const char *separator = ": ";

        for (size_t i = 0; i < _SERVICE_STATE_MAX; i++)
                if (counts[i] > 0) {
                        fprintf(out, "%s%zu %s", separator, counts[i], service_state_to_string((ServiceState) i));
                        separator = ", ";
                }
}

void list_table_print_summary(FILE *out, struct json_object *services) {
        size_t n = json_object_array_length(services), counts[_SERVICE_STATE_MAX] = { 0 };

        for (size_t i = 0; i < n; i++)
                counts[status_json_state(json_object_array_get_idx(services, i))]++;
        fprintf(out, "%zu service%s", n, n == 1 ? "" : "s");
        print_counts(out, counts);
        fputs("\n", out);
}

/* A host that is silent is not one more service whose state is unknown: nobody knows how many those are. */
static void print_fleet_summary(FILE *out, struct json_object *rows) {
        size_t n = 0, n_silent = 0, counts[_SERVICE_STATE_MAX] = { 0 };

        for (size_t i = 0; i < json_object_array_length(rows); i++) {
                struct json_object *row = json_object_array_get_idx(rows, i);

                if (fleet_rows_is_silent_host(row)) {
                        n_silent++;
                } else {
                        n++;
                        counts[status_json_state(row)]++;
                }
        }
        fprintf(out, "%zu service%s", n, n == 1 ? "" : "s");
        print_counts(out, counts);
        if (n_silent > 0)
                fprintf(out, "; of %zu host%s nothing is known", n_silent, n_silent == 1 ? "" : "s");
        fputs("\n", out);
}

/* The reason comes last: it may be cut off, and is the longest where it is not. */
static int print_rows(FILE *out, struct json_object *rows, const TerminalStyle *style, bool legend, bool with_host,
                      uint64_t now_usec) {
        static const char *const titles[] = { "STATE", "NAME", "SINCE", "REASON" }, *const fleet_titles[] = {
                "STATE", "HOST", "NAME", "SINCE", "REASON"
        };
        _cleanup_(plain_table_freep) PlainTable *table =
                with_host ? plain_table_new(out, style, legend, fleet_titles, ELEMENTSOF(fleet_titles))
                          : plain_table_new(out, style, legend, titles, ELEMENTSOF(titles));
        size_t n = json_object_array_length(rows);
        int r;

        if (!table)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                r = add_service(table, json_object_array_get_idx(rows, i), style, with_host, now_usec);
                if (r < 0)
                        return r;
        }
        if (plain_table_print(table) < 0)
                return -ENOMEM;
        if (legend && n > 0)
                fputs("\n", out);
        return 0;
}

int list_table_print(FILE *out, struct json_object *services, const TerminalStyle *style, bool legend,
                     uint64_t now_usec) {
        int r = print_rows(out, services, style, legend, false, now_usec);

        if (r == 0 && legend)
                list_table_print_summary(out, services);
        return r;
}

int list_table_print_fleet(FILE *out, struct json_object *rows, const TerminalStyle *style, bool legend,
                           uint64_t now_usec) {
        int r = print_rows(out, rows, style, legend, true, now_usec);

        if (r == 0 && legend)
                print_fleet_summary(out, rows);
        return r;
}
