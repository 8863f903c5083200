/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "cli/exit_code.h"
#include "cli/status_json.h"
#include "cli/verbs.h"

/* What is known of the services that are waited for. Signals carry it on; a server that came back is asked anew,
 * because what happened in between was told to nobody. */
typedef struct Wait {
        Session *session;
        ServiceState *states; /* one for each of the verb's arguments */
        bool server_present, must_ask, has_asked;
} Wait;

static void on_event(const HeroProcEvent *e, void *userdata) {
        Wait *w = userdata;
        const CommandLine *line = w->session->line;

        if (!e->service) {
                w->server_present = e->server_present;
                w->must_ask = e->server_present;
                return;
        }
        for (size_t i = 0; i < line->n_args; i++)
                if (strcmp(line->args[i], e->service) == 0) {
                        ServiceState state = service_state_from_string(e->new_state);

                        /* A word that is no state: removed perhaps. */
                        w->must_ask = w->must_ask || (int) state < 0;
                        w->states[i] = (int) state < 0 ? SERVICE_UNKNOWN : state;
                }
}

static void take_states(Wait *w, struct json_object *services) {
        const CommandLine *line = w->session->line;

        for (size_t i = 0; i < json_object_array_length(services); i++) {
                struct json_object *service = json_object_array_get_idx(services, i);

                for (size_t k = 0; k < line->n_args; k++)
                        if (strcmp(line->args[k], status_json_text(service, "name")) == 0)
                                w->states[k] = status_json_state(service);
        }
}

static int ask(Wait *w) {
        _cleanup_free_ char *text = NULL;
        struct json_object *services = NULL;
        char *message = NULL;
        int r;

        w->must_ask = false;
        r = hero_proc_client_get_status(w->session->connection, w->session->line->args, &text, &message);
        /* It left again while it was asked. That it comes back will be heard. */
        if (r == HERO_E_SERVER_UNREACHABLE && w->has_asked) {
                free(message);
                w->server_present = w->must_ask;
                return EX_DONE;
        }
        if (r != 0)
                return session_fail_names(w->session, r, w->session->line->args, message);
        r = status_json_parse(text, &services);
        if (r < 0)
                return session_fail(w->session, r, NULL, NULL);
        take_states(w, services);
        json_object_put(services);
        w->has_asked = true;
        return EX_DONE;
}

static bool all_reached(const Wait *w) {
        for (size_t i = 0; i < w->session->line->n_args; i++)
                if (w->states[i] != w->session->line->wait_for)
                        return false;
        return true;
}

static int tell_timeout(const Wait *w) {
        const CommandLine *line = w->session->line;

        for (size_t i = 0; i < line->n_args; i++)
                if (w->states[i] != line->wait_for)
                        session_say(w->session, "%s: timed out waiting for %s; it is %s", line->args[i],
                                    service_state_to_string(line->wait_for),
                                    w->server_present ? service_state_to_string(w->states[i])
                                                      : "not known: hero_proc_server is not running");
        return EX_FAILED;
}

static int wait_for_all(Wait *w, uint64_t deadline_usec) {
        char *message = NULL;
        int code, r;

        for (;;) {
                if (w->must_ask) {
                        code = ask(w);
                        if (code != EX_DONE)
                                return code;
                }
                if (w->server_present && !w->must_ask && all_reached(w))
                        return EX_DONE;
                r = hero_proc_connection_wait(w->session->connection, deadline_usec, &message);
                if (r == -ETIMEDOUT) {
                        free(message);
                        return tell_timeout(w);
                }
                if (r != 0)
                        return session_fail(w->session, r, NULL, message);
        }
}

int verb_wait_run(Session *s) {
        uint64_t deadline = usec_add(clock_monotonic_usec(), s->line->timeout_usec);
        _cleanup_free_ ServiceState *states = calloc(s->line->n_args, sizeof *states);
        Wait w = { .session = s, .states = states, .server_present = true, .must_ask = true };
        char *message = NULL;
        int code, r;

        if (!states)
                return session_fail(s, -ENOMEM, NULL, NULL);
        for (size_t i = 0; i < s->line->n_args; i++)
                states[i] = SERVICE_UNKNOWN;
        code = session_connect(s);
        if (code != EX_DONE)
                return code;
        /* Listen first and ask then: nothing can happen unseen in between. */
        r = hero_proc_connection_observe(s->connection, on_event, &w, &message);
        if (r != 0)
                return session_fail(s, r, NULL, message);
        return wait_for_all(&w, deadline);
}
