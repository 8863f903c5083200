/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text_stream.h"
#include "server/eviction.h"
#include "server/port_network.h"
#include "server/ports.h"
#include "server/probing.h"
#include "server/records.h"
#include "server/service_live.h"
#include "server/sockets.h"
#include "server/supervisor.h"

#define RETRY_USEC (500 * USEC_PER_MSEC)

static int find_socket(const ServiceDefinition *d, const char *path) {
        for (size_t i = 0; path && i < d->n_sockets; i++)
                if (strcmp(d->sockets[i].path, path) == 0)
                        return (int) i;
        return -1;
}

static int find_port(const ServiceDefinition *d, uint16_t port) {
        for (size_t i = 0; port > 0 && i < d->n_ports; i++)
                if (d->ports[i].port == port)
                        return (int) i;
        return -1;
}

static int make_probe(Service *s, size_t index, ServiceProbe *p) {
        const ProbeDefinition *d = &s->definition->probes[index];
        int r;

        *p = (ServiceProbe){ .service = s,
                             .definition = d,
                             .action = d->action,
                             .socket = find_socket(s->definition, d->socket),
                             .port = find_port(s->definition, d->port) };
        /* A probe of a socket or port stands and falls with the action that holds it. */
        if (p->action < 0 && p->socket >= 0)
                p->action = s->definition->sockets[p->socket].action;
        else if (p->action < 0 && p->port >= 0)
                p->action = s->definition->ports[p->port].action;
        r = probe_new(supervisor_prober(s->supervisor), d, probing_on_done, p, &p->probe);
        if (r >= 0 && p->socket >= 0)
                probe_set_reach(p->probe,
                                &(ProbeReach){ .connect = sockets_connect_probe, .userdata = &s->sockets[p->socket] });
        else if (r >= 0 && p->port >= 0)
                probe_set_reach(p->probe, &(ProbeReach){ .find = ports_find, .userdata = &s->ports[p->port] });
        return r;
}

static void free_parts(Service *s) {
        for (size_t i = 0; s->actions && i < s->definition->n_actions; i++) {
                systemd_client_forget(supervisor_systemd(s->supervisor), &s->actions[i]);
                eviction_drop(&s->actions[i]);
                port_network_drop(&s->actions[i]);
                unit_facts_forget(&s->actions[i].facts, UNIT_NOT_LOADED);
                free(s->actions[i].evicted);
                free(s->actions[i].unit);
        }
        for (size_t i = 0; s->probes && i < s->definition->n_probes; i++) {
                records_forget_verdict(supervisor_records(s->supervisor), &s->probes[i]);
                rare_text_done(&s->probes[i].error);
                rare_text_done(&s->probes[i].not_asked);
                probe_free(s->probes[i].probe);
        }
        for (size_t i = 0; s->sockets && i < s->definition->n_sockets; i++)
                sockets_release(&s->sockets[i]);
        for (size_t i = 0; s->ports && i < s->definition->n_ports; i++)
                free(s->ports[i].listener_unit);
        free(s->probes);
        free(s->ports);
        free(s->sockets);
        free(s->actions);
        s->probes = NULL;
        s->ports = NULL;
        s->sockets = NULL;
        s->actions = NULL;
}

static int name_unit(const ServiceDefinition *d, size_t action, char **ret) {
        char name[UNIT_NAME_MAX];

        unit_name_of_action(d, action, name);
        *ret = strdup(name);
        return *ret ? 0 : -ENOMEM;
}

static int make_parts(Service *s) {
        const ServiceDefinition *d = s->definition;
        int r = 0;

        s->actions = calloc(d->n_actions, sizeof *s->actions);
        s->sockets = calloc(d->n_sockets, sizeof *s->sockets);
        s->ports = calloc(d->n_ports, sizeof *s->ports);
        s->probes = calloc(d->n_probes, sizeof *s->probes);
        /* What is freed after a failure is as free of files as what was made. */
        for (size_t i = 0; s->sockets && i < d->n_sockets; i++)
                s->sockets[i] = (ServiceSocket){ .service = s, .definition = &d->sockets[i], .file = -1 };
        if (!s->actions || (!s->sockets && d->n_sockets > 0) || (!s->ports && d->n_ports > 0) ||
            (!s->probes && d->n_probes > 0))
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < d->n_actions; i++) {
                s->actions[i] = (Action){ .service = s, .definition = &d->actions[i] };
                r = name_unit(d, i, &s->actions[i].unit);
        }
        for (size_t i = 0; i < d->n_ports; i++)
                s->ports[i].definition = &d->ports[i];
        for (size_t i = 0; r >= 0 && i < d->n_probes; i++)
                r = make_probe(s, i, &s->probes[i]);
        return r;
}

static bool has_word(const char *words, const char *word) {
        size_t n = strlen(word);

        for (const char *p = words; p && *p; p += strcspn(p, " "), p += strspn(p, " "))
                if (strcspn(p, " ") == n && strncmp(p, word, n) == 0)
                        return true;
        return false;
}

int service_new(Supervisor *supervisor, ServiceDefinition *definition, bool wanted_up, const char *actions_down,
                Service **ret) {
        _cleanup_(service_freep) Service *s = NULL;
        Service *unfinished = calloc(1, sizeof *unfinished);
        int r;

        if (!unfinished || waiters_join(supervisor_rechecks(supervisor), &unfinished->recheck) < 0) {
                free(unfinished);
                service_definition_free(definition);
                return -ENOMEM;
        }
        s = unfinished;
        s->supervisor = supervisor;
        s->definition = definition;
        s->shown_state = s->told_state = SERVICE_UNKNOWN;
        s->state_since_realtime_usec = clock_realtime_usec();
        r = make_parts(s);
        if (r < 0)
                return r;
        for (size_t i = 0; i < definition->n_actions; i++)
                s->actions[i].wanted = wanted_up && !has_word(actions_down, definition->actions[i].name);
        *ret = TAKE_PTR(s);
        return 0;
}

Service *service_free(Service *s) {
        if (!s)
                return NULL;
        free_parts(s);
        systemd_client_forget(supervisor_systemd(s->supervisor), s);
        service_live_drop(s);
        hands_call_free(s->gift);
        sd_event_source_disable_unref(s->step_timer);
        waiters_leave(supervisor_rechecks(s->supervisor), &s->recheck);
        service_definition_free(s->definition);
        free(s->fault);
        free(s->shown);
        free(s->shown_text);
        free(s);
        return NULL;
}

Service *service_prepared_free(Service *next) {
        if (!next)
                return NULL;
        free_parts(next);
        service_definition_free(next->definition);
        free(next);
        return NULL;
}

int service_prepare(const Service *s, ServiceDefinition *definition, Service **ret) {
        _cleanup_(service_prepared_freep) Service *next = calloc(1, sizeof *next);
        int r;

        if (!next) {
                service_definition_free(definition);
                return -ENOMEM;
        }
        next->supervisor = s->supervisor;
        next->definition = definition;
        r = make_parts(next);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(next);
        return 0;
}

void service_become(Service *s, Service *next) {
        const ServiceDefinition *definition = next->definition;
        bool wanted = service_wants_up(s);

        for (size_t i = 0; i < definition->n_actions; i++) {
                Action *new = &next->actions[i];
                Action *old = service_find_action_by_unit(s, new->unit);

                new->service = s;
                new->wanted = wanted;
                if (!old)
                        continue;
                new->facts = old->facts;
                old->facts.status_text = (RareText){ 0 };
                new->known_active = old->known_active;
                new->start_limit = old->start_limit;
                new->known_main_pid = old->known_main_pid;
                new->by_operator = old->by_operator;
                /* Its call was forgotten with the old object: it is made again, which for a start or stop is nothing.
                 */
                new->task = old->task == TASK_RESTART && old->task_issued ? TASK_START
                            : old->task == TASK_HEAL                      ? TASK_NONE
                                                                          : old->task;
                new->task_may_be_done = new->task == TASK_RESTART && old->task_may_be_done;
                new->is_to_be_read = new->task_may_be_done && old->is_to_be_read;
                memcpy(new->known_invocation, old->known_invocation, sizeof new->known_invocation);
                new->wanted = old->wanted;
        }
        for (size_t i = 0; i < definition->n_sockets; i++)
                next->sockets[i].service = s;
        for (size_t i = 0; i < definition->n_probes; i++)
                next->probes[i].service = s;
        probing_carry_over(s, next);

        free_parts(s);
        service_definition_free(s->definition);
        s->definition = next->definition;
        s->actions = next->actions;
        s->sockets = next->sockets;
        s->ports = next->ports;
        s->probes = next->probes;
        free(next);
        for (size_t i = 0; i < definition->n_probes; i++)
                records_save_verdict(supervisor_records(s->supervisor), &s->probes[i]);
        /* What was shown points into the old definition. */
        s->n_shown = 0;
        free(TAKE_PTR(s->shown_text));
}

Action *service_find_action(Service *s, const char *name) {
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (strcmp(s->definition->actions[i].name, name) == 0)
                        return &s->actions[i];
        return NULL;
}

Action *service_find_action_by_unit(Service *s, const char *unit) {
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (strcmp(s->actions[i].unit, unit) == 0)
                        return &s->actions[i];
        return NULL;
}

bool service_wants_up(const Service *s) {
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (s->actions[i].wanted)
                        return true;
        return false;
}

void service_put_off(Service *s) {
        s->retry_at_usec = usec_add(clock_monotonic_usec(), RETRY_USEC);
}

bool service_step_may_pass(int r) {
        return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

bool service_call_may_pass(int r) {
        return service_step_may_pass(r) || r == -ETIMEDOUT;
}

void service_retry_later(Service *s, const char *what, int r) {
        /* Said once where it is tried again and again: a thousand services would flood the journal by the half second.
         */
        if (clock_monotonic_usec() > usec_add(s->retry_at_usec, RETRY_USEC))
                log_warning("%s: the next step is tried again until it succeeds: %s", what, strerror(-r));
        service_put_off(s);
        supervisor_mark(s);
}

void service_set_wanted(Service *s, bool up) {
        for (size_t i = 0; i < s->definition->n_actions; i++)
                s->actions[i].wanted = up;
}

char *service_actions_down(const Service *s) {
        char *words = NULL;
        size_t n;
        FILE *f = text_stream_open(&words, &n);
        bool any_up = service_wants_up(s);

        if (!f)
                return NULL;
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (any_up && !s->actions[i].wanted)
                        fprintf(f, "%s ", s->definition->actions[i].name);
        if (fclose(f) != 0) {
                free(words);
                return NULL;
        }
        return words;
}

ActionPolicy action_policy(const Action *a) {
        return (ActionPolicy){
                .is_oneshot = a->definition->kind == ACTION_KIND_ONESHOT,
                .restarts = a->definition->restart.policy != RESTART_NEVER,
                .max_attempts = a->definition->restart.max_attempts,
        };
}

ActionJudgement action_judge(const Action *a, uint64_t now_usec) {
        ActionPolicy policy = action_policy(a);

        return unit_facts_judge(&a->facts, &policy, now_usec);
}

bool action_is_older_than_asked(const Action *a) {
        return a->facts.exec_main_start_usec > 0 && a->facts.exec_main_start_usec < a->service->asked_usec;
}

uint64_t action_start_deadline_usec(const Action *a) {
        if (a->facts.active != UNIT_ACTIVE && a->facts.active != UNIT_RELOADING)
                return 0;
        return usec_add(a->facts.exec_main_start_usec, a->definition->start_timeout_usec);
}
