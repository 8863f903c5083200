/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/why_block.h"

#include <errno.h>
#include <inttypes.h>

#include "cli/plain_table.h"
#include "cli/status_json.h"
#include "cli/time_text.h"

enum {
        LABEL_WIDTH = 9,
};

static void print_line(FILE *out, const char *label, size_t i, const char *text) {
        if (i == 0)
                fprintf(out, "%*s: %s\n", LABEL_WIDTH, label, text);
        else
                fprintf(out, "%*s  %s\n", LABEL_WIDTH, "", text);
}

static void print_texts(FILE *out, struct json_object *why, const char *key, const char *label) {
        for (size_t i = 0; i < status_json_count(why, key); i++) {
                const char *text = json_object_get_string(status_json_item(why, key, i));

                print_line(out, label, i, text ? text : "");
        }
}

static void print_head(FILE *out, struct json_object *why, const TerminalStyle *style, uint64_t now_usec) {
        ServiceState state = status_json_state(why);
        uint64_t since_usec = status_json_number(why, "since_usec");
        char stamp[TIME_TEXT_MAX], ago[TIME_TEXT_MAX];

        time_text_stamp(since_usec, stamp);
        time_text_ago(since_usec, now_usec, ago);
        fprintf(out, "%s%s%s %s is %s%s%s since %s; %s\n", terminal_style_color(style, state),
                terminal_style_sign(style, state), terminal_style_plain(style), status_json_text(why, "name"),
                terminal_style_color(style, state), service_state_to_string(state), terminal_style_plain(style), stamp,
                ago);
}

static void print_rule(FILE *out, struct json_object *why) {
        struct json_object *rule = json_object_object_get(why, "rule");

        if (rule)
                fprintf(out, "%*s: %" PRIu64 ", %s\n", LABEL_WIDTH, "Rule", status_json_number(rule, "number"),
                        status_json_text(rule, "text"));
}

static void print_reasons(FILE *out, struct json_object *why) {
        for (size_t i = 0; i < status_json_count(why, "reasons"); i++)
                print_line(out, "Because", i, status_json_text(status_json_item(why, "reasons", i), "text"));
}

static void print_next(FILE *out, struct json_object *why, uint64_t now_usec) {
        size_t n = status_json_count(why, "next");

        for (size_t i = 0; i < n; i++) {
                struct json_object *next = status_json_item(why, "next", i);
                uint64_t at_usec = status_json_number(next, "at_usec");
                char span[TIME_TEXT_MAX], line[512];

                if (at_usec > now_usec) {
                        time_text_span(at_usec - now_usec, span);
                        (void) snprintf(line, sizeof line, "%s, in %s", status_json_text(next, "text"), span);
                } else {
                        (void) snprintf(line, sizeof line, "%s", status_json_text(next, "text"));
                }
                print_line(out, "Next", i, line);
        }
        if (n == 0)
                print_line(out, "Next", 0, "nothing, until something happens");
}

void why_block_print(FILE *out, struct json_object *why, const TerminalStyle *style, uint64_t now_usec) {
        print_head(out, why, style, now_usec);
        print_rule(out, why);
        print_reasons(out, why);
        print_texts(out, why, "evidence", "Seen");
        print_texts(out, why, "tried", "Tried");
        print_next(out, why, now_usec);
        print_texts(out, why, "commands", "To do");
}

int why_block_print_history(FILE *out, struct json_object *transitions, const TerminalStyle *style, bool headings) {
        static const char *const titles[] = { "STATE", "AT", "BEFORE", "REASON" };
        _cleanup_(plain_table_freep) PlainTable *table =
                plain_table_new(out, style, headings, titles, ELEMENTSOF(titles));
        int r = table ? 0 : -ENOMEM;

        for (size_t i = json_object_array_length(transitions); r >= 0 && i-- > 0;) {
                struct json_object *t = json_object_array_get_idx(transitions, i);
                ServiceState state = service_state_from_string(status_json_text(t, "to"));
                char stamp[TIME_TEXT_MAX], signed_state[64];
                const char *texts[] = { signed_state, stamp, status_json_text(t, "from"), status_json_text(t, "text") };

                if ((int) state < 0)
                        state = SERVICE_UNKNOWN;
                time_text_stamp(status_json_number(t, "at_usec"), stamp);
                (void) snprintf(signed_state, sizeof signed_state, "%s %s", terminal_style_sign(style, state),
                                service_state_to_string(state));
                r = plain_table_add(table, terminal_style_color(style, state), texts);
        }
        return r < 0 ? r : plain_table_print(table);
}
