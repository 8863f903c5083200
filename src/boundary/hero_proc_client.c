/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/hero_proc_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/outcome.h"

#define _cleanup_message_ _cleanup_(sd_bus_message_unrefp)

static int fail_with_bad_reply(int r, char **reterr_message) {
        return r == -ENOMEM ? r : hero_proc_connection_fail_with_bad_reply(reterr_message);
}

static int read_text(sd_bus_message *reply, char **ret, char **reterr_message) {
        const char *text;
        char *copy;
        int r;

        r = sd_bus_message_read(reply, "s", &text);
        if (r <= 0)
                return fail_with_bad_reply(r, reterr_message);
        copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

/* Questions */

static int append_names(sd_bus_message *call, char *const *names) {
        return names ? sd_bus_message_append_strv(call, (char **) names) : sd_bus_message_append(call, "as", 0);
}

static int new_status_call(HeroProcConnection *c, char *const *names, uint64_t flags, sd_bus_message **ret) {
        int r;

        r = hero_proc_connection_new_call(c, "GetStatus", ret);
        if (r >= 0)
                r = append_names(*ret, names);
        return r < 0 ? r : sd_bus_message_append(*ret, "t", flags);
}

static int get_status(HeroProcConnection *c, char *const *names, uint64_t flags, char **ret_json,
                      char **reterr_message) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        int r;

        r = new_status_call(c, names, flags, &call);
        if (r < 0)
                return hero_proc_connection_fail_with_errno(r, reterr_message);
        r = hero_proc_connection_call_promptly(c, call, &reply, reterr_message);
        return r != 0 ? r : read_text(reply, ret_json, reterr_message);
}

int hero_proc_client_get_status(HeroProcConnection *c, char *const *names, char **ret_json, char **reterr_message) {
        return get_status(c, names, 0, ret_json, reterr_message);
}

int hero_proc_client_get_overview(HeroProcConnection *c, char **ret_json, char **reterr_message) {
        int r = get_status(c, NULL, HERO_PROC_FLAG_BRIEF, ret_json, reterr_message);

        if (r != HERO_E_INVALID_ARGUMENT)
                return r;
        free(TAKE_PTR(*reterr_message));
        return get_status(c, NULL, 0, ret_json, reterr_message); /* an older server, on another machine maybe */
}

int hero_proc_client_send_status(HeroProcConnection *c, PendingCall *p, char **reterr_message) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = new_status_call(c, NULL, 0, &call);
        if (r >= 0)
                r = hero_proc_connection_send(c, call, p);
        return r < 0 ? hero_proc_connection_fail_with_errno(r, reterr_message) : 0;
}

static int read_pending_text(PendingCall *p, char **ret, char **reterr_message) {
        if (sd_bus_message_is_method_error(p->reply, NULL))
                return hero_proc_connection_fail_with_error(sd_bus_message_get_error(p->reply), reterr_message);
        return read_text(p->reply, ret, reterr_message);
}

int hero_proc_client_read_status(PendingCall *p, char **ret_json, char **reterr_message) {
        return read_pending_text(p, ret_json, reterr_message);
}

/* A question about one service whose answer is a text. `limit` goes between name and flags, if the member takes one. */
static int ask_about(HeroProcConnection *c, const char *member, const char *name, const uint64_t *limit,
                     char **ret_json, char **reterr_message) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        int r;

        r = hero_proc_connection_new_call(c, member, &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", name);
        if (r >= 0 && limit)
                r = sd_bus_message_append(call, "t", *limit);
        if (r >= 0)
                r = sd_bus_message_append(call, "t", UINT64_C(0));
        if (r < 0)
                return hero_proc_connection_fail_with_errno(r, reterr_message);
        r = hero_proc_connection_call_promptly(c, call, &reply, reterr_message);
        return r != 0 ? r : read_text(reply, ret_json, reterr_message);
}

int hero_proc_client_why(HeroProcConnection *c, const char *name, char **ret_json, char **reterr_message) {
        return ask_about(c, "Why", name, NULL, ret_json, reterr_message);
}

int hero_proc_client_send_why(HeroProcConnection *c, const char *name, PendingCall *p, char **reterr_message) {
        _cleanup_message_ sd_bus_message *call = NULL;
        int r;

        r = hero_proc_connection_new_call(c, "Why", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "st", name, UINT64_C(0));
        if (r >= 0)
                r = hero_proc_connection_send(c, call, p);
        return r < 0 ? hero_proc_connection_fail_with_errno(r, reterr_message) : 0;
}

int hero_proc_client_read_why(PendingCall *p, char **ret_json, char **reterr_message) {
        return read_pending_text(p, ret_json, reterr_message);
}

int hero_proc_client_history(HeroProcConnection *c, const char *name, uint64_t limit, char **ret_json,
                             char **reterr_message) {
        return ask_about(c, "History", name, &limit, ret_json, reterr_message);
}

int hero_proc_client_dump(HeroProcConnection *c, uint64_t timeout_usec, char **ret_json, char **reterr_message) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        int r;

        r = hero_proc_connection_new_call(c, "Dump", &call);
        if (r < 0)
                return hero_proc_connection_fail_with_errno(r, reterr_message);
        r = hero_proc_connection_call(c, call, timeout_usec, &reply, reterr_message);
        return r != 0 ? r : read_text(reply, ret_json, reterr_message);
}

char **hero_proc_client_free_names(char **names) {
        for (char **n = names; n && *n; n++)
                free(*n);
        free(names);
        return NULL;
}

static int names_append(char ***names, size_t n, const char *name) {
        char **grown = realloc(*names, (n + 2) * sizeof *grown);

        if (!grown)
                return -ENOMEM;
        *names = grown;
        grown[n] = strdup(name);
        grown[n + 1] = NULL;
        return grown[n] ? 0 : -ENOMEM;
}

static int read_names(sd_bus_message *reply, char ***ret) {
        _cleanup_(hero_proc_client_free_namesp) char **names = calloc(1, sizeof *names);
        const char *name;
        size_t n = 0;
        int r;

        if (!names)
                return -ENOMEM;
        r = sd_bus_message_enter_container(reply, 'a', "(sssso)");
        while (r >= 0) {
                r = sd_bus_message_read(reply, "(sssso)", &name, NULL, NULL, NULL, NULL);
                if (r == 0) {
                        *ret = TAKE_PTR(names);
                        return 0;
                }
                if (r > 0)
                        r = names_append(&names, n++, name);
        }
        return r;
}

int hero_proc_client_list_names(HeroProcConnection *c, char ***ret, char **reterr_message) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        int r;

        r = hero_proc_connection_new_call(c, "ListServices", &call);
        if (r < 0)
                return hero_proc_connection_fail_with_errno(r, reterr_message);
        r = hero_proc_connection_call_promptly(c, call, &reply, reterr_message);
        if (r != 0)
                return r;
        r = read_names(reply, ret);
        return r < 0 ? fail_with_bad_reply(r, reterr_message) : 0;
}

void service_brief_free_list(ServiceBrief *list, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(list[i].name);
                free(list[i].state);
        }
        free(list);
}

static int read_briefs(sd_bus_message *reply, ServiceBrief **list, size_t *n) {
        const char *name, *state;
        int r = sd_bus_message_enter_container(reply, 'a', "(sssso)");

        while (r >= 0) {
                ServiceBrief *grown;

                r = sd_bus_message_read(reply, "(sssso)", &name, &state, NULL, NULL, NULL);
                if (r <= 0)
                        return r;
                grown = reallocarray(*list, *n + 1, sizeof *grown);
                if (!grown)
                        return -ENOMEM;
                *list = grown;
                grown[*n] = (ServiceBrief){ strdup(name), strdup(state) };
                (*n)++;
                r = grown[*n - 1].name && grown[*n - 1].state ? 0 : -ENOMEM;
        }
        return r;
}

int hero_proc_client_peek(HeroProcConnection *c, uint64_t timeout_usec, ServiceBrief **ret, size_t *ret_n) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_free_ char *message = NULL;
        ServiceBrief *list = NULL;
        size_t n = 0;
        int r;

        r = hero_proc_connection_new_call(c, "ListServices", &call);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, false);
        if (r >= 0)
                r = hero_proc_connection_call(c, call, timeout_usec, &reply, &message);
        if (r == 0)
                r = read_briefs(reply, &list, &n);
        if (r != 0) {
                service_brief_free_list(list, n);
                return r;
        }
        *ret = list;
        *ret_n = n;
        return 0;
}

/* Changes of the whole */

void service_results_done(ServiceResults *results) {
        for (size_t i = 0; i < results->n; i++) {
                free(results->items[i].service);
                free(results->items[i].outcome);
                free(results->items[i].reason);
        }
        free(results->items);
        free(results->difference);
        *results = (ServiceResults){ 0 };
}

static int results_append(ServiceResults *results, const char *service, const char *outcome, const char *reason) {
        ServiceResult *grown, *item;

        grown = realloc(results->items, (results->n + 1) * sizeof *grown);
        if (!grown)
                return -ENOMEM;
        results->items = grown;
        item = &grown[results->n++];
        *item = (ServiceResult){ .service = strdup(service), .outcome = strdup(outcome) };
        if (reason)
                item->reason = strdup(reason);
        return item->service && item->outcome && (!reason || item->reason) ? 0 : -ENOMEM;
}

/* An array of (ss) or (sss). */
static int read_results(sd_bus_message *reply, const char *item_type, ServiceResults *results) {
        const char *service, *outcome, *reason = NULL;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', item_type);
        while (r >= 0) {
                r = sd_bus_message_read(reply, item_type, &service, &outcome, &reason);
                if (r == 0)
                        return sd_bus_message_exit_container(reply);
                if (r > 0)
                        r = results_append(results, service, outcome, reason);
        }
        return r;
}

static int append_definitions(sd_bus_message *call, char *const *texts, size_t n, char **reterr_message) {
        int r;

        r = sd_bus_message_open_container(call, 'a', "s");
        for (size_t i = 0; r >= 0 && i < n; i++) {
                r = sd_bus_message_append_basic(call, 's', texts[i]);
                if (r == -EINVAL)
                        return hero_proc_connection_fail(HERO_E_INVALID_DEFINITION, "not valid UTF-8 text",
                                                         reterr_message);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        return r < 0 ? hero_proc_connection_fail_with_errno(r, reterr_message) : 0;
}

int hero_proc_client_apply(HeroProcConnection *c, char *const *texts, size_t n, uint64_t flags, uint64_t timeout_usec,
                           ServiceResults *ret, char **reterr_message) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_(service_results_done) ServiceResults results = { 0 };
        int r;

        r = hero_proc_connection_new_call(c, "ApplyDefinitions", &call);
        if (r < 0)
                return hero_proc_connection_fail_with_errno(r, reterr_message);
        r = append_definitions(call, texts, n, reterr_message);
        if (r != 0)
                return r;
        r = sd_bus_message_append(call, "t", flags);
        if (r < 0)
                return hero_proc_connection_fail_with_errno(r, reterr_message);
        r = hero_proc_connection_call(c, call, timeout_usec, &reply, reterr_message);
        if (r != 0)
                return r;

        r = read_results(reply, "(ss)", &results);
        if (r < 0)
                return fail_with_bad_reply(r, reterr_message);
        r = read_text(reply, &results.difference, reterr_message);
        if (r != 0)
                return r;
        *ret = results;
        results = (ServiceResults){ 0 };
        return 0;
}

int hero_proc_client_reset_failed(HeroProcConnection *c, char *const *names, uint64_t flags, uint64_t timeout_usec,
                                  ServiceResults *ret, char **reterr_message) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_(service_results_done) ServiceResults results = { 0 };
        int r;

        r = hero_proc_connection_new_call(c, "ResetFailed", &call);
        if (r >= 0)
                r = append_names(call, names);
        if (r >= 0)
                r = sd_bus_message_append(call, "t", flags);
        if (r < 0)
                return hero_proc_connection_fail_with_errno(r, reterr_message);
        r = hero_proc_connection_call(c, call, timeout_usec, &reply, reterr_message);
        if (r != 0)
                return r;

        r = read_results(reply, "(sss)", &results);
        if (r < 0)
                return fail_with_bad_reply(r, reterr_message);
        *ret = results;
        results = (ServiceResults){ 0 };
        return 0;
}

/* Changes of single services */

static const char *const change_member[_SERVICE_CHANGE_MAX] = {
        [SERVICE_CHANGE_START] = "StartService",
        [SERVICE_CHANGE_STOP] = "StopService",
        [SERVICE_CHANGE_RESTART] = "RestartService",
        [SERVICE_CHANGE_REMOVE] = "RemoveService",
};

void service_change_call_done(ServiceChangeCall *call) {
        free(call->state);
        free(call->message);
        *call = (ServiceChangeCall){ .name = call->name };
}

static int change_send(HeroProcConnection *c, ServiceChange change, const ServiceChangeCall *call, uint64_t flags,
                       PendingCall *p) {
        _cleanup_message_ sd_bus_message *m = NULL;
        int r;

        r = hero_proc_connection_new_call(c, change_member[change], &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "st", call->name, flags);
        return r < 0 ? r : hero_proc_connection_send(c, m, p);
}

static int change_read(ServiceChange change, PendingCall *p, ServiceChangeCall *call) {
        if (sd_bus_message_is_method_error(p->reply, NULL))
                return hero_proc_connection_fail_with_error(sd_bus_message_get_error(p->reply), &call->message);
        if (change != SERVICE_CHANGE_REMOVE)
                return read_text(p->reply, &call->state, &call->message);
        call->state = strdup("");
        return call->state ? 0 : -ENOMEM;
}

/* Sends while fewer than the limit are unanswered, and handles what comes in, until all are answered. */
static int change_run(HeroProcConnection *c, ServiceChange change, ServiceChangeCall *calls, PendingCall *pending,
                      size_t n, uint64_t flags, uint64_t deadline_usec) {
        size_t n_sent = 0, n_answered = 0;
        int r;

        for (;;) {
                for (; n_sent < n && n_sent - n_answered < HERO_PROC_CALLS_IN_FLIGHT_MAX; n_sent++) {
                        pending[n_sent].answered = &calls[n_sent].answered;
                        r = change_send(c, change, &calls[n_sent], flags, &pending[n_sent]);
                        if (r < 0)
                                return r;
                }
                if (n_answered == n)
                        return 0;
                r = hero_proc_connection_turn(c, deadline_usec);
                if (r < 0)
                        return r;
                n_answered = 0;
                for (size_t i = 0; i < n_sent; i++)
                        n_answered += calls[i].answered;
        }
}

int hero_proc_client_change(HeroProcConnection *c, ServiceChange change, ServiceChangeCall *calls, size_t n,
                            uint64_t flags, uint64_t timeout_usec) {
        _cleanup_free_ PendingCall *pending = calloc(n, sizeof *pending);
        int r;

        if (!pending)
                return -ENOMEM;
        r = change_run(c, change, calls, pending, n, flags, usec_add(clock_monotonic_usec(), timeout_usec));
        for (size_t i = 0; i < n; i++) {
                if (pending[i].reply)
                        calls[i].r = change_read(change, &pending[i], &calls[i]);
                else
                        calls[i].r = hero_proc_connection_fail_with_errno(r, &calls[i].message);
                pending_call_done(&pending[i]);
        }
        return r == -ENOMEM ? r : 0;
}
