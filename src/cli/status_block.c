/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/status_block.h"

#include <inttypes.h>
#include <string.h>

#include "cli/status_json.h"
#include "cli/time_text.h"

enum {
        LABEL_WIDTH = 11,
};

/* The label stands before the first of several lines of a kind. */
static void print_label(FILE *out, const char *label, size_t i) {
        if (i == 0)
                fprintf(out, "%*s: ", LABEL_WIDTH, label);
        else
                fprintf(out, "%*s  ", LABEL_WIDTH, "");
}

static void print_head(FILE *out, struct json_object *service, const TerminalStyle *style) {
        ServiceState state = status_json_state(service);
        const char *description = status_json_text(service, "description");

        fprintf(out, "%s%s%s %s", terminal_style_color(style, state), terminal_style_sign(style, state),
                terminal_style_plain(style), status_json_text(service, "name"));
        if (*description)
                fprintf(out, " - %s", description);
        fputs("\n", out);
}

static void print_state(FILE *out, struct json_object *service, const TerminalStyle *style, uint64_t now_usec) {
        uint64_t since = status_json_number(service, "since_usec");
        ServiceState state = status_json_state(service);
        const char *code = status_json_reason_code(service);
        char stamp[TIME_TEXT_MAX], ago[TIME_TEXT_MAX];

        print_label(out, "State", 0);
        fprintf(out, "%s%s%s", terminal_style_color(style, state), service_state_to_string(state),
                terminal_style_plain(style));
        if (*code)
                fprintf(out, " (%s)", code);
        if (since > 0) {
                time_text_stamp(since, stamp);
                time_text_ago(since, now_usec, ago);
                fprintf(out, " since %s; %s", stamp, ago);
        }
        fputs("\n", out);
}

static void print_reasons(FILE *out, struct json_object *service) {
        for (size_t i = 0; i < status_json_count(service, "reasons"); i++) {
                struct json_object *reason = status_json_item(service, "reasons", i);
                const char *text = status_json_text(reason, "text"), *subject = status_json_text(reason, "subject");

                print_label(out, "Reason", i);
                fputs(status_json_text(reason, "code"), out);
                if (*text)
                        fprintf(out, ": %s\n", text);
                else
                        fprintf(out, "%s%s\n", *subject ? ": " : "", subject);
        }
}

static void print_wish(FILE *out, struct json_object *service) {
        struct json_object *ready = json_object_object_get(service, "ready");
        const char *wanted = status_json_text(service, "wanted");

        if (*wanted) {
                print_label(out, "Wanted", 0);
                fprintf(out, "%s\n", wanted);
        }
        print_label(out, "Ready", 0);
        if (!json_object_is_type(ready, json_type_boolean))
                fputs("not required\n", out);
        else
                fprintf(out, "%s\n", json_object_get_boolean(ready) ? "yes" : "no");
}

static void print_action(FILE *out, struct json_object *action) {
        const char *result = status_json_text(action, "result"), *said = status_json_text(action, "status_text");
        uint64_t pid = status_json_number(action, "main_pid"), restarts = status_json_number(action, "n_restarts");

        fprintf(out, "%s (%s): %s (%s)", status_json_text(action, "name"), status_json_text(action, "unit"),
                status_json_text(action, "active_state"), status_json_text(action, "sub_state"));
        if (pid > 0)
                fprintf(out, ", PID %" PRIu64, pid);
        if (*result && strcmp(result, "success") != 0)
                fprintf(out, ", result %s", result);
        if (restarts > 0)
                fprintf(out, ", %" PRIu64 " restart%s", restarts, restarts == 1 ? "" : "s");
        if (*said)
                fprintf(out, ", says \"%s\"", said);
        fputs("\n", out);
}

static void print_listener(FILE *out, struct json_object *socket) {
        const char *command = status_json_text(socket, "listener_command"),
                   *unit = status_json_text(socket, "listener_unit");
        uint64_t pid = status_json_number(socket, "listener_pid");

        fputs(status_json_text(socket, "state"), out);
        if (pid > 0)
                fprintf(out, ", PID %" PRIu64, pid);
        if (*command)
                fprintf(out, " (%s)", command);
        if (*unit)
                fprintf(out, " in %s", unit);
}

static void print_socket(FILE *out, struct json_object *socket) {
        const char *path = status_json_text(socket, "path"), *seen_at = status_json_text(socket, "seen_at");

        fprintf(out, "%s: ", path);
        print_listener(out, socket);
        if (*seen_at && strcmp(seen_at, path) != 0)
                fprintf(out, ", seen at %s", seen_at);
        fputs("\n", out);
}

static void print_port(FILE *out, struct json_object *port) {
        fprintf(out, "%" PRIu64 ": ", status_json_number(port, "port"));
        print_listener(out, port);
        fputs("\n", out);
}

/* Of the last answer, and of most and nearly all of those before it. */
static void print_latency(FILE *out, struct json_object *probe) {
        uint64_t latency = status_json_number(probe, "latency_usec"), p50 = status_json_number(probe, "p50_usec"),
                 p99 = status_json_number(probe, "p99_usec");
        char span[TIME_TEXT_MAX];

        if (latency == 0)
                return;
        time_text_span(latency, span);
        fprintf(out, ", in %s", span);
        if (p50 == 0)
                return;
        time_text_span(p50, span);
        fprintf(out, " (p50 %s", span);
        time_text_span(p99, span);
        fprintf(out, ", p99 %s)", span);
}

static void print_probe(FILE *out, struct json_object *probe, uint64_t now_usec) {
        uint64_t failures = status_json_number(probe, "failures"), status = status_json_number(probe, "last_status"),
                 checked = status_json_number(probe, "checked_usec");
        const char *error = status_json_text(probe, "last_error"), *role = status_json_text(probe, "role"),
                   *not_asked = status_json_text(probe, "not_asked"), *before = status_json_text(probe, "before");
        char span[TIME_TEXT_MAX];

        fprintf(out, "%s", status_json_text(probe, "name"));
        if (*role && strcmp(role, "liveness") != 0)
                fprintf(out, " (%s)", role);
        fprintf(out, ": %s", status_json_text(probe, "state"));
        if (*before) {
                time_text_ago(status_json_number(probe, "since_usec"), now_usec, span);
                fprintf(out, ", recorded as %s %s", before, span);
        }
        if (failures > 0)
                fprintf(out, ", %" PRIu64 " in a row", failures);
        if (*error)
                fprintf(out, failures > 0 || *before ? ", %s" : ", before: %s", error);
        if (status > 0 && strncmp(error, "status ", strlen("status ")) != 0)
                fprintf(out, ", HTTP %" PRIu64, status);
        print_latency(out, probe);
        time_text_ago(checked, now_usec, span);
        fprintf(out, ", %s", checked > 0 ? span : "not answered yet");
        if (*not_asked)
                fprintf(out, "%s: %s", checked > 0 ? "; not asked since" : "", not_asked);
        fputs("\n", out);
}

static void print_healing(FILE *out, struct json_object *service, uint64_t now_usec) {
        struct json_object *healing = json_object_object_get(service, "healing");
        const char *held;
        uint64_t next_usec, attempts = status_json_number(healing, "attempts");
        char span[TIME_TEXT_MAX];

        if (!healing)
                return;
        print_label(out, "Healing", 0);
        held = status_json_text(healing, "held");
        next_usec = status_json_number(healing, "next_usec");
        if (next_usec == 0 && *held) {
                fprintf(out, "no restart: %s\n", held);
                return;
        }
        fprintf(out, "restarted %" PRIu64 " time%s by hero_proc, %" PRIu64 " left", attempts, attempts == 1 ? "" : "s",
                status_json_number(healing, "attempts_left"));
        if (next_usec > now_usec) {
                time_text_span(next_usec - now_usec, span);
                fprintf(out, "; the next in %s", span);
        }
        fprintf(out, "%s%s\n", *held ? ": " : "", held);
}

void status_block_print(FILE *out, struct json_object *service, const TerminalStyle *style, uint64_t now_usec) {
        print_head(out, service, style);
        print_state(out, service, style, now_usec);
        print_reasons(out, service);
        print_healing(out, service, now_usec);
        print_wish(out, service);
        for (size_t i = 0; i < status_json_count(service, "actions"); i++) {
                print_label(out, "Action", i);
                print_action(out, status_json_item(service, "actions", i));
        }
        for (size_t i = 0; i < status_json_count(service, "sockets"); i++) {
                print_label(out, "Socket", i);
                print_socket(out, status_json_item(service, "sockets", i));
        }
        for (size_t i = 0; i < status_json_count(service, "ports"); i++) {
                print_label(out, "Port", i);
                print_port(out, status_json_item(service, "ports", i));
        }
        for (size_t i = 0; i < status_json_count(service, "probes"); i++) {
                print_label(out, "Probe", i);
                print_probe(out, status_json_item(service, "probes", i), now_usec);
        }
}
