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
#include "core/json_tree.h"

typedef struct WatchLines {
        Session *session;
        ServiceView *view;
        bool failed; /* a line could not be made for want of memory */
} WatchLines;

/* -- as JSON -- */

static struct json_object *json_of_reasons(const ViewedService *s) {
        struct json_object *list = json_object_new_array();

        for (size_t i = 0; i < s->n_reasons; i++) {
                struct json_object *o = json_object_new_object();

                json_tree_add_string(o, "code", s->reasons[i].code);
                json_tree_add_string(o, "text", s->reasons[i].text);
                json_tree_add_string(o, "subject", s->reasons[i].subject);
                json_tree_append(list, o);
        }
        return list;
}

static void print_json(WatchLines *w, const ViewEvent *e) {
        static const char *const events[] = {
                [VIEW_SERVICE_CHANGED] = "service",
                [VIEW_SERVICE_REMOVED] = "removed",
                [VIEW_SERVER_GONE] = "server-gone",
                [VIEW_SERVER_BACK] = "server-back",
        };
        struct json_object *o = json_object_new_object();

        json_tree_add_unsigned(o, "at_usec", clock_realtime_usec());
        json_tree_add_string(o, "event", events[e->kind]);
        if (e->service)
                json_tree_add_string(o, "name", e->service->name);
        if (e->kind == VIEW_SERVICE_CHANGED) {
                json_tree_add_string(o, "from", (int) e->old_state < 0 ? NULL : service_state_to_string(e->old_state));
                json_tree_add_string(o, "to", service_state_to_string(e->service->state));
                json_tree_add_string(o, "wanted", e->service->wanted_up ? "up" : "down");
                json_tree_add_unsigned(o, "since_usec", e->service->since_usec);
                json_tree_add(o, "reasons", json_of_reasons(e->service));
        }
        w->failed = session_print_json(w->session, o, JSON_SHORT) != EX_DONE || w->failed;
        json_object_put(o);
}

/* -- for people -- */

static void print_service(WatchLines *w, const ViewEvent *e) {
        const TerminalStyle *style = &w->session->out_style;
        const ViewedService *service = e->service;
        _cleanup_free_ char *reason = safe_text_dup(viewed_service_reason(service), style->utf8, false);
        bool is_step = (int) e->old_state >= 0 && e->old_state != service->state;

        if (!reason) {
                session_say(w->session, "out of memory");
                w->failed = true;
                return;
        }
        fprintf(w->session->out, "%s%s%s %s: %s%s%s%s%s\n", terminal_style_color(style, service->state),
                terminal_style_sign(style, service->state), terminal_style_plain(style), service->name,
                is_step ? service_state_to_string(e->old_state) : "", is_step ? " -> " : "",
                service_state_to_string(service->state), *reason ? ": " : "", reason);
}

static void print_line(WatchLines *w, const ViewEvent *e) {
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

/* EX_DONE: it goes on. */
static int look_at_what_was_told(WatchLines *w) {
        const char *message;

        if (ferror(w->session->out) || w->failed)
                return EX_FAILED;
        return service_view_error(w->view, &message) == -ENOMEM ? session_fail(w->session, -ENOMEM, NULL, NULL)
                                                                : EX_DONE;
}

static int run(WatchLines *w) {
        char *message = NULL;
        int r = service_view_attach(w->view, w->session->connection, &message), code;

        if (r != 0)
                return session_fail(w->session, r, NULL, message);
        for (code = look_at_what_was_told(w); code == EX_DONE;) {
                r = hero_proc_connection_wait(w->session->connection, USEC_NEVER, &message);
                free(TAKE_PTR(message));
                code = look_at_what_was_told(w);
                if (code == EX_DONE && r == -ENOMEM)
                        code = session_fail(w->session, r, NULL, NULL);
                else if (code == EX_DONE && r != 0)
                        code = reconnect(w);
        }
        return code;
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
