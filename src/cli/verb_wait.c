/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "boundary/service_view.h"
#include "cli/exit_code.h"
#include "cli/progress_block.h"
#include "cli/verbs.h"

typedef struct Wait {
        Session *session;
        ServiceView *view;
        bool has_been_live;
        char words[256]; /* "running", "stopped or failed" */
        ProgressBlock progress;
        ProgressItem *items; /* one for each of the verb's arguments; NULL: no progress is shown */
} Wait;

static void wait_done(Wait *w) {
        progress_block_clear(&w->progress);
        service_view_free(w->view);
        free(w->items);
}

static void add_word(Wait *w, const char *word) {
        size_t n = strlen(w->words);

        (void) snprintf(w->words + n, sizeof w->words - n, "%s%s", n > 0 ? " or " : "", word);
}

static void name_states(Wait *w) {
        for (unsigned state = 0; state < _SERVICE_STATE_MAX; state++)
                if (w->session->line->wait_for & WAIT_FOR_STATE(state))
                        add_word(w, service_state_to_string((ServiceState) state));
        if (w->session->line->wait_for & WAIT_FOR_REMOVED)
                add_word(w, "removed");
}

/* While the server is away nothing has been reached: what was so before may not be so now. */
static bool is_reached(const Wait *w, const char *name) {
        const ViewedService *service = service_view_find(w->view, name);
        unsigned is = service ? WAIT_FOR_STATE(service->state) : WAIT_FOR_REMOVED;

        return service_view_is_live(w->view) && (w->session->line->wait_for & is);
}

static bool all_reached(const Wait *w) {
        for (size_t i = 0; i < w->session->line->n_args; i++)
                if (!is_reached(w, w->session->line->args[i]))
                        return false;
        return true;
}

static bool any_is_missing(const Wait *w) {
        for (size_t i = 0; i < w->session->line->n_args; i++)
                if (!service_view_find(w->view, w->session->line->args[i]))
                        return true;
        return false;
}

static const char *what_it_is(const ViewedService *service) {
        return service ? service_state_to_string(service->state) : "not there";
}

static void show_progress(Wait *w) {
        const CommandLine *line = w->session->line;
        char head[320];
        size_t n_reached = 0;

        for (size_t i = 0; w->items && i < line->n_args; i++) {
                const ViewedService *service = service_view_find(w->view, line->args[i]);
                bool live = service_view_is_live(w->view);

                w->items[i] = (ProgressItem){
                        .name = line->args[i],
                        .state = !live     ? SERVICE_UNKNOWN
                                 : service ? service->state
                                           : SERVICE_STATE_INVALID,
                        .reason = !live     ? "hero_proc_server is not running"
                                  : service ? viewed_service_reason(service)
                                            : "",
                        .done = is_reached(w, line->args[i]),
                };
                n_reached += w->items[i].done;
        }
        if (!w->items || !w->has_been_live)
                return;
        (void) snprintf(head, sizeof head, "Waiting for %s: %zu of %zu", w->words, n_reached, line->n_args);
        progress_block_draw(&w->progress, head, w->items, line->n_args);
}

static int tell_timeout(Wait *w) {
        const CommandLine *line = w->session->line;
        const char *why;
        int r = service_view_error(w->view, &why);

        progress_block_clear(&w->progress);
        for (size_t i = 0; i < line->n_args; i++) {
                const ViewedService *service = service_view_find(w->view, line->args[i]);
                const char *reason = service ? viewed_service_reason(service) : "";

                if (is_reached(w, line->args[i]))
                        continue;
                if (!service_view_is_live(w->view))
                        session_say(w->session, "%s: timed out waiting for %s; it is not known: %s", line->args[i],
                                    w->words, r != 0 ? why : "hero_proc_server does not answer");
                else
                        session_say(w->session, "%s: timed out waiting for %s; it is %s%s%s", line->args[i], w->words,
                                    what_it_is(service), *reason ? ": " : "", reason);
        }
        return EX_FAILED;
}

static int fail(Wait *w, int r, const char *text) {
        progress_block_clear(&w->progress);
        return session_fail(w->session, r, NULL, strdup(text));
}

/* EX_DONE: not over yet. */
static int look_at_the_server(Wait *w) {
        const CommandLine *line = w->session->line;
        const char *message;
        int r = service_view_error(w->view, &message);

        w->has_been_live = w->has_been_live || service_view_is_live(w->view);
        /* One that left is waited for: that it comes back will be heard. So is one that cannot answer just now. */
        if (r != 0 && (!w->has_been_live || (r != HERO_E_SERVER_UNREACHABLE && !service_view_asks_again(w->view))))
                return fail(w, r, message);
        if (service_view_is_live(w->view) && !(line->wait_for & WAIT_FOR_REMOVED) && any_is_missing(w)) {
                progress_block_clear(&w->progress);
                return session_fail_names(w->session, HERO_E_NO_SUCH_SERVICE, line->args, NULL);
        }
        return EX_DONE;
}

static int wait_for_all(Wait *w, uint64_t deadline_usec) {
        char *message = NULL;
        int code, r;

        for (;;) {
                code = look_at_the_server(w);
                if (code != EX_DONE)
                        return code;
                if (all_reached(w))
                        return EX_DONE;
                show_progress(w);
                /* The first answer is awaited in any case: with no time at all it is a question. */
                r = hero_proc_connection_wait(w->session->connection, w->has_been_live ? deadline_usec : USEC_NEVER,
                                              &message);
                if (r == -ETIMEDOUT) {
                        free(message);
                        return tell_timeout(w);
                }
                if (r != 0) {
                        progress_block_clear(&w->progress);
                        return session_fail(w->session, r, NULL, message);
                }
        }
}

int verb_wait_run(Session *s) {
        uint64_t deadline = usec_add(clock_monotonic_usec(), s->line->timeout_usec);
        _cleanup_(wait_done) Wait w = { .session = s, .progress = { .f = s->err, .style = &s->err_style } };
        char *message = NULL;
        int code, r;

        code = session_connect(s);
        if (code != EX_DONE)
                return code;
        name_states(&w);
        if (!s->line->quiet && progress_block_wanted(&s->err_style, getenv("TERM")))
                w.items = calloc(s->line->n_args, sizeof *w.items);
        r = service_view_new(s->line->args, NULL, NULL, &w.view);
        if (r == 0)
                r = service_view_attach(w.view, s->connection, &message);
        if (r != 0)
                return session_fail(s, r, NULL, message);
        return wait_for_all(&w, deadline);
}
