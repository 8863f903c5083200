/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/outcome.h"
#include "boundary/service_view.h"
#include "cli/exit_code.h"
#include "cli/progress_block.h"
#include "cli/safe_text.h"
#include "cli/status_json.h"
#include "cli/verbs.h"

static bool waits(const Session *s) {
        return !(s->line->flags & HERO_PROC_FLAG_NO_BLOCK);
}

/* Whether the change came out as it should. `code` is that of the leading reason: a oneshot that was started is soon
 * stopped (exited), and that is fine. */
static bool is_good(ServiceChange change, const char *state, const char *code) {
        switch (change) {
        case SERVICE_CHANGE_START:
        case SERVICE_CHANGE_RESTART:
                return strcmp(state, "running") == 0 || strcmp(state, "degraded") == 0 ||
                       (strcmp(state, "stopped") == 0 && strcmp(code, "exited") == 0);
        case SERVICE_CHANGE_STOP:
                return strcmp(state, "stopped") == 0;
        case SERVICE_CHANGE_REMOVE:
        case _SERVICE_CHANGE_MAX:
                break;
        }
        return true;
}

/* Why a service is not plainly up or down. *ret is an array with its status object, to be put; NULL: it cannot be had
 * any more. 0 or -ENOMEM. */
static int ask_why(Session *s, const char *name, struct json_object **ret) {
        _cleanup_free_ char *text = NULL, *message = NULL;
        char *const names[] = { (char *) name, NULL };
        struct json_object *services = NULL;
        int r = hero_proc_client_get_status(s->connection, names, &text, &message);

        if (r == 0)
                r = status_json_parse(text, &services);
        if (r == 0)
                r = safe_text_json(services, s->err_style.utf8);
        *ret = r == 0 && json_object_array_length(services) == 1 ? services : NULL;
        if (!*ret)
                json_object_put(services);
        return r == -ENOMEM ? r : 0;
}

static int tell_state(Session *s, ServiceChange change, const ServiceChangeCall *call) {
        struct json_object *why = NULL, *service = NULL;
        const char *code, *reason;
        int r = 0;
        bool good;

        if (change != SERVICE_CHANGE_STOP && strcmp(call->state, "running") != 0)
                r = ask_why(s, call->name, &why);
        if (r < 0)
                return session_fail(s, r, call->name, NULL);
        if (why)
                service = json_object_array_get_idx(why, 0);
        code = status_json_reason_code(service);
        reason = status_json_reason_text(service);

        good = is_good(change, call->state, code);
        if (!good)
                session_say(s, "%s: %s%s%s", call->name, call->state, *reason ? ": " : "", reason);
        else if (!s->line->quiet)
                fprintf(s->out, *reason ? "%s: %s (%s)\n" : "%s: %s\n", call->name, call->state, reason);
        json_object_put(why);
        return good ? EX_DONE : EX_FAILED;
}

static int tell_timeout(Session *s, const ServiceChangeCall *call) {
        struct json_object *why = NULL, *service;

        (void) ask_why(s, call->name, &why); /* that it timed out is what counts */
        service = why ? json_object_array_get_idx(why, 0) : NULL;
        if (service)
                session_say(s, "%s: timed out; it is %s, and hero_proc_server goes on with it", call->name,
                            status_json_text(service, "state"));
        else
                session_say(s, "%s: timed out", call->name);
        json_object_put(why);
        return EX_FAILED;
}

/* Nobody has waited, so all that is known is that the server took it. */
static int tell_request(Session *s, ServiceChange change, const char *name) {
        static const char *const words[_SERVICE_CHANGE_MAX] = {
                [SERVICE_CHANGE_START] = "start requested",
                [SERVICE_CHANGE_STOP] = "stop requested",
                [SERVICE_CHANGE_RESTART] = "restart requested",
                [SERVICE_CHANGE_REMOVE] = "removal requested",
        };

        if (!s->line->quiet)
                fprintf(s->out, "%s: %s\n", name, words[change]);
        return EX_DONE;
}

static int tell(Session *s, ServiceChange change, ServiceChangeCall *call) {
        if (call->r == -ETIMEDOUT)
                return tell_timeout(s, call);
        if (call->r != 0)
                return session_fail(s, call->r, call->name, TAKE_PTR(call->message));
        if (!waits(s))
                return tell_request(s, change, call->name);
        if (change != SERVICE_CHANGE_REMOVE)
                return tell_state(s, change, call);
        if (!s->line->quiet)
                fprintf(s->out, "%s: removed\n", call->name);
        return EX_DONE;
}

/* What is seen on a terminal while the calls are not answered. */
typedef struct Progress {
        ProgressBlock block;
        ServiceView *view;
        const char *verb;
        const ServiceChangeCall *calls;
        ProgressItem *items;
        size_t n;
} Progress;

static void progress_done(Progress *p) {
        progress_block_clear(&p->block);
        service_view_free(p->view);
        free(p->items);
}

static void on_event(const ViewEvent *e, void *userdata) {
        Progress *p = userdata;
        size_t n_done = 0;
        char head[64];

        (void) e;
        for (size_t i = 0; i < p->n; i++) {
                const ViewedService *service = service_view_find(p->view, p->calls[i].name);

                p->items[i] = (ProgressItem){
                        .name = p->calls[i].name,
                        .state = service ? service->state : SERVICE_STATE_INVALID,
                        .reason = service ? viewed_service_reason(service) : "",
                        .done = p->calls[i].answered,
                };
                n_done += p->calls[i].answered;
        }
        (void) snprintf(head, sizeof head, "%s: %zu of %zu done", p->verb, n_done, p->n);
        progress_block_draw(&p->block, head, p->items, p->n);
}

static int begin_progress(Session *s, Progress *p, char *const *names, char **reterr_message) {
        int r;

        /* Progress would write over the agent's question. */
        if (!waits(s) || s->line->quiet || s->password_agent != 0 ||
            !progress_block_wanted(&s->err_style, getenv("TERM")))
                return 0;
        p->items = calloc(p->n, sizeof *p->items);
        if (!p->items)
                return -ENOMEM;
        r = service_view_new(names, on_event, p, &p->view);
        return r < 0 ? r : service_view_attach(p->view, s->connection, reterr_message);
}

static int run_calls(Session *s, ServiceChange change, ServiceChangeCall *calls, size_t n) {
        _cleanup_(progress_done) Progress progress = {
                .block = { .f = s->err, .style = &s->err_style },
                .verb = s->line->verb->name,
                .calls = calls,
                .n = n,
        };
        char *message = NULL;
        int r = begin_progress(s, &progress, s->line->args, &message);

        if (r == 0)
                r = hero_proc_client_change(s->connection, change, calls, n, s->line->flags, session_timeout(s));
        progress_block_clear(&progress.block);
        return r != 0 ? session_fail(s, r, NULL, message) : EX_DONE;
}

static int verb_change_run(Session *s, ServiceChange change) {
        size_t n = s->line->n_args;
        _cleanup_free_ ServiceChangeCall *calls = calloc(n, sizeof *calls);
        bool is_asked;
        int code;

        if (!calls)
                return session_fail(s, -ENOMEM, NULL, NULL);
        code = session_connect_to_change(s);
        if (code != EX_DONE)
                return code;
        for (size_t i = 0; i < n; i++)
                calls[i].name = s->line->args[i];

        code = run_calls(s, change, calls, n);
        is_asked = code == EX_DONE;
        for (size_t i = 0; i < n; i++) {
                /* One word about an absent server is enough, and about what none of them could do without. */
                if (code != EX_SERVER_UNREACHABLE && (is_asked || calls[i].answered))
                        code = exit_code_worst(code, tell(s, change, &calls[i]));
                service_change_call_done(&calls[i]);
        }
        return code;
}

int verb_change_run_start(Session *s) {
        return verb_change_run(s, SERVICE_CHANGE_START);
}

int verb_change_run_stop(Session *s) {
        return verb_change_run(s, SERVICE_CHANGE_STOP);
}

int verb_change_run_restart(Session *s) {
        return verb_change_run(s, SERVICE_CHANGE_RESTART);
}

int verb_change_run_remove(Session *s) {
        return verb_change_run(s, SERVICE_CHANGE_REMOVE);
}
