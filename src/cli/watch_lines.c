/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/watch_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "boundary/service_view.h"
#include "cli/safe_text.h"
#include "cli/time_text.h"

typedef struct WatchLines {
        Session *session;
        ServiceView *view;
} WatchLines;

/* -- as JSON -- */

static void add_text(struct json_object *o, const char *key, const char *text) {
        json_object_object_add(o, key, text ? json_object_new_string(text) : NULL);
}

static struct json_object *json_of_reasons(const ViewedService *s) {
        struct json_object *list = json_object_new_array();

        for (size_t i = 0; i < s->n_reasons; i++) {
                struct json_object *o = json_object_new_object();

                add_text(o, "code", s->reasons[i].code);
                add_text(o, "text", s->reasons[i].text);
                add_text(o, "subject", s->reasons[i].subject);
                json_object_array_add(list, o);
        }
        return list;
}

static void print_json(const WatchLines *w, const ViewEvent *e) {
        static const char *const events[] = {
                [VIEW_SERVICE_CHANGED] = "service",
                [VIEW_SERVICE_REMOVED] = "removed",
                [VIEW_SERVER_GONE] = "server-gone",
                [VIEW_SERVER_BACK] = "server-back",
        };
        struct json_object *o = json_object_new_object();

        if (!o)
                return;
        json_object_object_add(o, "at_usec", json_object_new_uint64(clock_realtime_usec()));
        add_text(o, "event", events[e->kind]);
        if (e->service)
                add_text(o, "name", e->service->name);
        if (e->kind == VIEW_SERVICE_CHANGED) {
                add_text(o, "from", (int) e->old_state < 0 ? NULL : service_state_to_string(e->old_state));
                add_text(o, "to", service_state_to_string(e->service->state));
                add_text(o, "wanted", e->service->wanted_up ? "up" : "down");
                json_object_object_add(o, "since_usec", json_object_new_uint64(e->service->since_usec));
                json_object_object_add(o, "reasons", json_of_reasons(e->service));
        }
        session_print_json(w->session, o, JSON_SHORT);
        json_object_put(o);
}

/* -- for people -- */

static void print_service(const WatchLines *w, const ViewEvent *e) {
        const TerminalStyle *style = &w->session->out_style;
        const ViewedService *service = e->service;
        _cleanup_free_ char *reason = safe_text_dup(viewed_service_reason(service), style->utf8, false);
        bool is_step = (int) e->old_state >= 0 && e->old_state != service->state;

        fprintf(w->session->out, "%s%s%s %s: %s%s%s%s%s\n", terminal_style_color(style, service->state),
                terminal_style_sign(style, service->state), terminal_style_plain(style), service->name,
                is_step ? service_state_to_string(e->old_state) : "", is_step ? " -> " : "",
                service_state_to_string(service->state), reason && *reason ? ": " : "", reason ? reason : "");
}

static void print_line(const WatchLines *w, const ViewEvent *e) {
        const TerminalStyle *style = &w->session->out_style;
        FILE *out = w->session->out;
        char stamp[TIME_TEXT_MAX];
        const char *message;

        time_text_stamp(clock_realtime_usec(), stamp);
        fprintf(out, "%s  ", stamp);
        switch (e->kind) {
        case VIEW_SERVICE_CHANGED:
                print_service(w, e);
                break;
        case VIEW_SERVICE_REMOVED:
                fprintf(out, "- %s: removed\n", e->service->name);
                break;
        case VIEW_SERVER_GONE:
                (void) service_view_error(w->view, &message);
                fprintf(out, "%s %s: nothing is known of its services\n", terminal_style_sign(style, SERVICE_UNKNOWN),
                        message);
                break;
        case VIEW_SERVER_BACK:
                fputs("- hero_proc_server is back\n", out);
                break;
        }
}

static void on_event(const ViewEvent *e, void *userdata) {
        WatchLines *w = userdata;

        if (e->service && !session_matches_patterns(w->session, e->service->name))
                return;
        if (w->session->line->json != JSON_OFF)
                print_json(w, e);
        else
                print_line(w, e);
        (void) fflush(w->session->out);
}

/* -- */

/* A dead connection, where it can be had again without asking anybody for a password. */
static int reconnect(WatchLines *w) {
        const HeroProcTarget *target = &w->session->line->target;
        char *message = NULL;
        int r = HERO_E_SERVER_UNREACHABLE;

        service_view_detach(w->view, "the connection to the bus is lost");
        w->session->connection = hero_proc_connection_free(w->session->connection);
        if (target->host || target->machine)
                return session_fail(w->session, r, NULL, strdup("lost the connection to the bus"));
        while (r != 0) {
                (void) sleep(1); /* there is no bus that could tell when there is one */
                r = hero_proc_connection_open(target, &w->session->connection, &message);
                if (r == 0)
                        r = service_view_attach(w->view, w->session->connection, &message);
                if (r != 0)
                        w->session->connection = hero_proc_connection_free(w->session->connection);
                free(TAKE_PTR(message));
        }
        return EX_DONE;
}

static int run(WatchLines *w) {
        char *message = NULL;
        int r = service_view_attach(w->view, w->session->connection, &message), code;

        if (r != 0)
                return session_fail(w->session, r, NULL, message);
        for (;;) {
                r = hero_proc_connection_wait(w->session->connection, USEC_NEVER, &message);
                free(TAKE_PTR(message));
                if (ferror(w->session->out))
                        return EX_FAILED;
                code = r != 0 ? reconnect(w) : EX_DONE;
                if (code != EX_DONE)
                        return code;
        }
}

int watch_lines_run(Session *s) {
        WatchLines w = { .session = s };
        int r = service_view_new(NULL, on_event, &w, &w.view), code;

        if (r < 0)
                return session_fail(s, r, NULL, NULL);
        code = run(&w);
        service_view_free(w.view);
        return code;
}
