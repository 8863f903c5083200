/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/bus_changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/bus_arguments.h"
#include "server/definitions.h"
#include "server/evaluation.h"
#include "server/service_tasks.h"

/* Each member runs only after bus_authority_require(). */

static int reply_apply(sd_bus_message *m, const ApplyResult *result) {
        static const char *const words[] = {
                [APPLY_CREATED] = "created",
                [APPLY_UPDATED] = "updated",
                [APPLY_UNCHANGED] = "unchanged",
                [APPLY_REMOVED] = "removed",
        };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(m, &reply);

        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ss)");
        for (size_t i = 0; r >= 0 && i < result->n_changes; i++)
                r = sd_bus_message_append(reply, "(ss)", result->changes[i].name, words[result->changes[i].outcome]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "s", result->difference);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int apply_definitions(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const BusContext *c = userdata;
        _cleanup_(apply_result_done) ApplyResult result = { 0 };
        _cleanup_free_ char *message = NULL;
        char **texts = NULL;
        uint64_t flags;
        int r = sd_bus_message_read_strv(m, &texts);

        if (r >= 0)
                r = sd_bus_message_read(m, "t", &flags);
        if (r >= 0)
                r = bus_arguments_check_flags(flags, FLAG_NO_WAIT | FLAG_DRY_RUN | FLAG_PRUNE, error);
        if (r >= 0)
                r = bus_arguments_check_reachable(c, error);
        if (r >= 0) {
                static const char *const nothing[] = { NULL };

                r = definitions_apply(c->supervisor, texts ? (const char *const *) texts : nothing,
                                      (flags & FLAG_DRY_RUN ? APPLY_DRY_RUN : 0) |
                                              (flags & FLAG_PRUNE ? APPLY_PRUNE : 0),
                                      &result, &message);
                if (r > 0)
                        r = bus_arguments_fail(error, (Outcome) r,
                                               message ? message : outcome_info((Outcome) r)->code_name);
        }
        for (size_t i = 0; texts && texts[i]; i++)
                free(texts[i]);
        free(texts);
        return r < 0 ? r : reply_apply(m, &result);
}

static int remove_service(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const BusContext *c = userdata;
        _cleanup_free_ char *message = NULL;
        const char *name;
        uint64_t flags;
        Service *s;
        int r = sd_bus_message_read(m, "st", &name, &flags);

        if (r >= 0)
                r = bus_arguments_check_flags(flags, FLAG_NO_WAIT, error);
        if (r >= 0)
                r = bus_arguments_check_reachable(c, error);
        if (r >= 0)
                r = bus_arguments_find_service(c, name, &s, error);
        if (r >= 0 && !(flags & FLAG_NO_WAIT))
                r = bus_arguments_check_room(c, m, WAIT_FOR_REMOVAL, error);
        if (r < 0)
                return r;
        r = definitions_remove(s, &message);
        if (r > 0)
                return bus_arguments_fail(error, (Outcome) r, message ? message : "the store cannot be written");
        if (r < 0)
                return r;
        return flags & FLAG_NO_WAIT ? sd_bus_reply_method_return(m, NULL)
                                    : bus_waiters_add(c->waiters, m, s, WAIT_FOR_REMOVAL);
}

static int read_named(const BusContext *c, sd_bus_message *m, Service **ret, uint64_t *ret_flags, sd_bus_error *error) {
        const char *name;
        int r = sd_bus_message_read(m, "st", &name, ret_flags);

        if (r >= 0)
                r = bus_arguments_check_flags(*ret_flags, FLAG_NO_WAIT, error);
        if (r >= 0)
                r = bus_arguments_check_reachable(c, error);
        if (r >= 0)
                r = bus_arguments_find_service(c, name, ret, error);
        if (r >= 0 && (*ret)->removing)
                r = bus_arguments_fail(error, HERO_E_BUSY, "the service is being removed");
        if (r >= 0 && !(*ret_flags & FLAG_NO_WAIT))
                r = bus_arguments_check_room(c, m, WAIT_FOR_STATE, error);
        return r;
}

static int reply_when_settled(const BusContext *c, sd_bus_message *m, Service *s, uint64_t flags) {
        supervisor_mark(s);
        /* What was asked for stands in the store, and goes to systemd ahead of the answer, on the same connection. A
         * server that is killed right then takes nothing back: where systemd drops the call of a sender that is gone,
         * the next server sees that the process is still the one from before (recovery.c). */
        if (flags & FLAG_NO_WAIT) {
                evaluation_run(s);
                return sd_bus_reply_method_return(m, "s", service_state_to_string(s->shown_state));
        }
        return bus_waiters_add(c->waiters, m, s, WAIT_FOR_STATE);
}

/* Like systemd's Requires=: who asks for a service asks for what it needs. */
static void start_required(Supervisor *supervisor, Service *s) {
        for (char **name = s->definition->requires; name && *name; name++) {
                Service *other = supervisor_find(supervisor, *name);

                if (!other || other->removing || (service_wants_up(other) && other->shown_state != SERVICE_FAILED))
                        continue;
                start_required(supervisor, other);
                service_tasks_start(other, true);
        }
}

static int change_service(sd_bus_message *m, const BusContext *c, void (*change)(Service *s), bool pulls_required,
                          sd_bus_error *error) {
        uint64_t flags;
        Service *s;
        int r = read_named(c, m, &s, &flags, error);

        if (r < 0)
                return r;
        if (pulls_required)
                start_required(c->supervisor, s);
        change(s);
        return reply_when_settled(c, m, s, flags);
}

static void start_by_operator(Service *s) {
        service_tasks_start(s, true);
}

static int start_service(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return change_service(m, userdata, start_by_operator, true, error);
}

static int stop_service(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return change_service(m, userdata, service_tasks_stop, false, error);
}

static void restart_by_operator(Service *s) {
        supervisor_metrics(s->supervisor)->n_restarts[RESTART_BY_OPERATOR]++;
        service_tasks_restart(s);
}

static int restart_service(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return change_service(m, userdata, restart_by_operator, true, error);
}

/* As it was given, with what the property Definition does not show. */
static int get_definition(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name;
        Service *s;
        int r = sd_bus_message_read(m, "s", &name);

        if (r >= 0)
                r = bus_arguments_find_service(userdata, name, &s, error);
        return r < 0 ? r : sd_bus_reply_method_return(m, "s", s->definition->text);
}

static void free_call(void *userdata) {
        sd_bus_message_unref(userdata);
}

static void on_reset_done(const ResetRow *rows, size_t n, void *userdata) {
        sd_bus_message *call = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(call, &reply);

        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sss)");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = sd_bus_message_append(reply, "(sss)", rows[i].name, reset_outcome_to_string(rows[i].outcome),
                                          rows[i].reason ? rows[i].reason : "");
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        if (r < 0)
                (void) sd_bus_reply_method_errno(call, r, NULL);
}

static int reset_failed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const BusContext *c = userdata;
        _cleanup_free_ Service **services = NULL;
        uint64_t flags;
        size_t n;
        int r = bus_arguments_read_services(c, m, &services, &n, error);

        if (r >= 0)
                r = sd_bus_message_read(m, "t", &flags);
        if (r >= 0)
                r = bus_arguments_check_flags(flags, FLAG_DRY_RUN | FLAG_FORCE, error);
        if (r >= 0)
                r = bus_arguments_check_reachable(c, error);
        if (r < 0)
                return r;
        (void) sd_bus_message_ref(m);
        r = resets_start(c->resets, services, n,
                         (flags & FLAG_DRY_RUN ? RESET_DRY_RUN : 0) | (flags & FLAG_FORCE ? RESET_FORCE : 0),
                         on_reset_done, free_call, m);
        if (r < 0)
                sd_bus_message_unref(m);
        return r < 0 ? r : 1;
}

/* -- who may -- */

typedef enum Subject { SUBJECT_NAME, SUBJECT_NAMES, SUBJECT_TEXTS } Subject;

typedef struct Change {
        const char *member, *verb;
        AuthorityAction action;
        Subject subject; /* what the first argument is */
        authority_allowed_t method;
} Change;

static const Change changes[] = {
        { "StartService", "start", AUTHORITY_MANAGE_SERVICES, SUBJECT_NAME, start_service },
        { "StopService", "stop", AUTHORITY_MANAGE_SERVICES, SUBJECT_NAME, stop_service },
        { "RestartService", "restart", AUTHORITY_MANAGE_SERVICES, SUBJECT_NAME, restart_service },
        { "ResetFailed", "reset-failed", AUTHORITY_MANAGE_SERVICES, SUBJECT_NAMES, reset_failed },
        { "ApplyDefinitions", "apply", AUTHORITY_MANAGE_DEFINITIONS, SUBJECT_TEXTS, apply_definitions },
        { "RemoveService", "remove", AUTHORITY_MANAGE_DEFINITIONS, SUBJECT_NAME, remove_service },
        { "GetDefinition", "definition", AUTHORITY_MANAGE_DEFINITIONS, SUBJECT_NAME, get_definition },
};

static int require(const Change *change, sd_bus_message *m, const BusContext *c, sd_bus_error *error) {
        _cleanup_free_ char *service = NULL;
        AuthorityRequest request = {
                .action = change->action,
                .verb = change->verb,
                .allowed = change->method,
                .userdata = (void *) c,
        };
        int r;

        if (change->subject == SUBJECT_NAME)
                r = bus_arguments_read_subject(c, m, &service, error);
        else if (change->subject == SUBJECT_NAMES)
                r = bus_arguments_read_subjects(c, m, &service, error);
        else
                r = bus_arguments_measure_texts(m, &request.n_bytes);
        if (r < 0)
                return r;
        request.service = service ? service : "";
        return bus_authority_require(c->authority, m, &request);
}

int bus_changes_dispatch(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        for (size_t i = 0; i < ELEMENTSOF(changes); i++)
                if (strcmp(changes[i].member, sd_bus_message_get_member(m)) == 0)
                        return require(&changes[i], m, userdata, error);
        return -EOPNOTSUPP;
}
