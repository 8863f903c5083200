/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/service_why.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "core/json_tree.h"
#include "core/unit_plan.h"
#include "server/evaluation.h"
#include "server/ports.h"
#include "server/service_evidence.h"
#include "server/service_json.h"
#include "server/socket_sighting.h"
#include "server/sockets.h"
#include "server/supervisor.h"

static void add_text(struct json_object *array, const char *format, ...) _printf_(2, 3);

static void add_text(struct json_object *array, const char *format, ...) {
        char text[1024];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof text, format, ap);
        va_end(ap);
        json_tree_append_string(array, text);
}

static uint64_t to_realtime_usec(uint64_t monotonic_usec) {
        uint64_t now_usec = clock_monotonic_usec(), real_usec = clock_realtime_usec();

        return monotonic_usec > now_usec ? real_usec + (monotonic_usec - now_usec) : real_usec;
}

static void add_next(struct json_object *array, uint64_t at_usec, const char *before, const char *name,
                     const char *after) {
        struct json_object *o = json_object_new_object();
        char text[256];

        (void) snprintf(text, sizeof text, "%s%s%s", before, name, after);
        json_tree_add_string(o, "text", text);
        json_tree_add_unsigned(o, "at_usec", at_usec);
        json_tree_append(array, o);
}

/* -- what has been tried -- */

/* NRestarts counts the restart that the start limit refused as well. */
static void add_systemds_tries(struct json_object *tries, const Action *a) {
        const RestartRule *rule = &a->definition->restart;
        bool gave_up = unit_facts_gave_up(&a->facts, rule->max_attempts);
        unsigned n = a->facts.n_restarts - (gave_up ? 1 : 0);

        if (n > 0)
                add_text(tries, "systemd has restarted %s %u time%s (%s %u in %" PRIu64 " s)", a->definition->name, n,
                         n == 1 ? "" : "s", gave_up ? "and gave up, after" : "it gives up after", rule->max_attempts,
                         rule->window_usec / USEC_PER_SEC);
}

static struct json_object *json_of_tries(const Service *s) {
        struct json_object *tries = json_object_new_array();

        for (size_t i = 0; i < s->definition->n_actions; i++)
                add_systemds_tries(tries, &s->actions[i]);
        if (s->healing.n_attempts > 0)
                add_text(tries, "hero_proc has restarted it %u time%s", s->healing.n_attempts,
                         s->healing.n_attempts == 1 ? "" : "s");
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (s->actions[i].evicted)
                        add_text(tries, "kill_others: %s", s->actions[i].evicted);
        if (s->fault)
                add_text(tries, "%s", s->fault);
        return tries;
}

/* -- what happens next -- */

static void add_next_of_action(struct json_object *next, const Action *a, uint64_t now_usec) {
        ActionJudgement j = action_judge(a, now_usec);
        uint64_t pause_usec = unit_plan_pause_usec(&a->definition->restart, a->facts.n_restarts,
                                                   systemd_client_version(supervisor_systemd(a->service->supervisor)));

        if (a->task == TASK_STOP)
                add_next(next, 0, "", a->definition->name, " is being stopped");
        else if (a->eviction && a->task != TASK_NONE)
                add_next(next, 0, "", a->definition->name,
                         " is started when those who hold its sockets and ports are gone");
        else if (a->task != TASK_NONE && !a->task_issued)
                add_next(next, 0, "", a->definition->name, " is started as soon as it may");
        else if (j.phase == ACTION_STARTING)
                add_next(next,
                         to_realtime_usec(usec_add(a->facts.exec_main_start_usec, a->definition->start_timeout_usec)),
                         "", a->definition->name, " is given up, unless it is ready");
        else if (j.phase == ACTION_BACKOFF)
                add_next(next, to_realtime_usec(usec_add(a->facts.inactive_enter_usec, pause_usec)),
                         "systemd restarts ", a->definition->name, "");
}

/* hero_proc's own restart, or what stands against it. */
static void add_next_of_healing(struct json_object *next, const Service *s) {
        const char *held = healing_hold_to_string(s->healing_hold);

        if (s->healing.sign != HEALING_ILL && s->healing.sign != HEALING_GIVEN_UP)
                return;
        if (s->healing_at_usec == USEC_NEVER)
                add_next(next, 0, "it is not restarted: ", held, "");
        else if (s->healing_hold == HEALING_HOLD_DEPENDENCY)
                add_next(next, 0, "it is not restarted yet: ", held, "");
        else
                add_next(next, to_realtime_usec(s->healing_at_usec), "hero_proc restarts it (", held, ")");
}

static struct json_object *json_of_next(const Service *s) {
        struct json_object *next = json_object_new_array();

        add_next_of_healing(next, s);
        for (size_t i = 0; i < s->definition->n_actions; i++)
                add_next_of_action(next, &s->actions[i], clock_monotonic_usec());
        for (size_t i = 0; i < s->definition->n_probes; i++) {
                const ServiceProbe *p = &s->probes[i];
                uint64_t at_usec = probe_next_start_usec(p->probe);

                if (!p->active)
                        continue;
                if (at_usec == USEC_NEVER)
                        add_next(next, 0, "probe ", p->definition->name, " is being asked");
                else
                        add_next(next, to_realtime_usec(at_usec), "probe ", p->definition->name, " is asked again");
        }
        return next;
}

/* -- what to do about it -- */

/* Two reasons may lead to the same command. */
static void add_once(struct json_object *commands, const char *format, ...) _printf_(2, 3);

static void add_once(struct json_object *commands, const char *format, ...) {
        char text[1024];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof text, format, ap);
        va_end(ap);
        for (size_t i = 0; commands && i < json_object_array_length(commands); i++)
                if (strcmp(json_object_get_string(json_object_array_get_idx(commands, i)), text) == 0)
                        return;
        add_text(commands, "%s", text);
}

/* A file that is not there, or one with nobody or a stranger behind it. */
static void add_socket_command(struct json_object *commands, const ServiceSocket *k, ReasonCode code) {
        _cleanup_free_ char *path = sockets_path(k);

        if (code == REASON_SOCKET_FOREIGN && k->listener.pid == 1)
                add_once(commands, "systemctl list-sockets");
        else if (code == REASON_SOCKET_FOREIGN && k->listener.pid > 0)
                add_once(commands, "systemctl status %" PRIu32, k->listener.pid);
        else if (socket_sighting_state(k) == SOCKET_LINK)
                add_once(commands, "ls -l %s", path ? path : k->definition->path);
        else if (code == REASON_SOCKET_FOREIGN || code == REASON_SOCKET_NOT_ACCEPTING || code == REASON_SOCKET_UNLINKED)
                add_once(commands, "ss -lxp src %s", k->definition->path);
        else
                add_once(commands, "ls -l %s", path ? path : k->definition->path);
}

static void say_port_address(const ServiceProbe *probe, char *ret, size_t n) {
        char text[INET6_ADDRSTRLEN] = "::ffff:127.0.0.1";
        struct in6_addr address;

        if (probe->port >= 0) {
                address = ports_address(&probe->service->ports[probe->port]);
                (void) inet_ntop(AF_INET6, &address, text, sizeof text);
        }
        if (strncmp(text, "::ffff:", strlen("::ffff:")) == 0)
                (void) snprintf(ret, n, "http://%s:%u", text + strlen("::ffff:"), probe->definition->port);
        else
                (void) snprintf(ret, n, "http://[%s]:%u", text, probe->definition->port);
}

/* What a person would type to ask what the probe asks. */
static void add_probe_command(struct json_object *commands, const ServiceProbe *probe) {
        const ProbeDefinition *p = probe->definition;
        _cleanup_free_ char *path = NULL;
        char where[256];

        if (p->type == PROBE_CONNECT)
                return;
        if (probe->socket >= 0)
                path = sockets_path(&probe->service->sockets[probe->socket]);
        if (p->socket)
                (void) snprintf(where, sizeof where, "--unix-socket %s http://localhost", path ? path : p->socket);
        else
                say_port_address(probe, where, sizeof where);
        if (p->body) /* which may be a secret, and this is for everyone: who may see it finds it in the definition */
                add_once(commands, "curl -i -X %s --json \"$BODY\" %s%s", p->method, where, p->path);
        else
                add_once(commands, "curl -i %s%s", where, p->path);
}

/* What is typed is for the manager that the server serves. */
static const char *option_of(const Service *s) {
        return supervisor_options(s->supervisor)->is_user ? "--user " : "";
}

static void add_command(struct json_object *commands, const Service *s, const Reason *reason) {
        const char *option = option_of(s), *name = s->definition->name, *subject = evaluation_reason_subject(s, reason);

        switch ((ReasonSubject) reason->subject) {
        case SUBJECT_PROBE:
                add_probe_command(commands, &s->probes[reason->index]);
                break;
        case SUBJECT_SOCKET:
                add_socket_command(commands, &s->sockets[reason->index], (ReasonCode) reason->code);
                break;
        case SUBJECT_PORT:
                add_once(commands, "ss -ltnp 'sport = :%u'", s->definition->ports[reason->index].port);
                break;
        case SUBJECT_DEPENDENCY:
                add_once(commands, "hero_proc %swhy %s", option, subject);
                return;
        case SUBJECT_ACTION:
                if (reason->code == REASON_STOPPED_BY_OPERATOR)
                        add_once(commands, "hero_proc %sstart %s", option, name);
                else
                        add_once(commands, "systemctl %sstatus %s", option, s->actions[reason->index].unit);
                break;
        case SUBJECT_SERVICE:
                if (reason->code == REASON_STOPPED_BY_OPERATOR || reason->code == REASON_EXITED)
                        add_once(commands, "hero_proc %sstart %s", option, name);
                else if (reason->code == REASON_SYSTEMD_UNREACHABLE)
                        add_once(commands, "systemctl %sis-system-running", option);
                break;
        }
}

static struct json_object *json_of_commands(const Service *s) {
        struct json_object *commands = json_object_new_array();

        for (size_t i = 0; i < s->n_shown; i++)
                add_command(commands, s, &s->shown[i]);
        if (s->shown_state == SERVICE_FAILED || s->shown_state == SERVICE_RESTARTING) {
                add_once(commands, "hero_proc %slogs %s", option_of(s), s->definition->name);
                add_once(commands, "hero_proc %sreset-failed %s", option_of(s), s->definition->name);
        }
        return commands;
}

static struct json_object *json_of_rule(const Service *s) {
        struct json_object *rule = json_object_new_object();

        json_tree_add(rule, "number", json_object_new_int((int) s->shown_rule));
        json_tree_add_string(rule, "text", service_status_rule_text(s->shown_rule));
        return rule;
}

struct json_object *service_why_json(const Service *s) {
        struct json_object *o = json_object_new_object();

        json_tree_add_string(o, "name", s->definition->name);
        json_tree_add_string(o, "state", service_state_to_string(s->shown_state));
        json_tree_add_string(o, "wanted", service_wants_up(s) ? "up" : "down");
        json_tree_add_unsigned(o, "since_usec", s->state_since_realtime_usec);
        json_tree_add_unsigned(o, "observed_usec", clock_realtime_usec());
        json_tree_add(o, "rule", json_of_rule(s));
        json_tree_add(o, "reasons", service_json_reasons(s));
        json_tree_add(o, "evidence", service_evidence_json(s));
        json_tree_add(o, "tried", json_of_tries(s));
        json_tree_add(o, "next", json_of_next(s));
        json_tree_add(o, "commands", json_of_commands(s));
        return json_tree_finish(o);
}

int service_why_history(const Service *s, unsigned limit, struct json_object **ret) {
        struct json_object *list;
        StoredTransition *rows = NULL;
        size_t n = 0;
        int r = store_load_transitions(supervisor_store(s->supervisor), s->definition->name, limit, &rows, &n);

        if (r != 0)
                return r;
        list = json_object_new_array();
        for (size_t i = 0; i < n; i++) {
                struct json_object *o = json_object_new_object();

                json_tree_add_unsigned(o, "at_usec", rows[i].realtime_usec);
                json_tree_add_string(o, "from", rows[i].old_state);
                json_tree_add_string(o, "to", rows[i].new_state);
                json_tree_add_string(o, "code", rows[i].reason_code);
                json_tree_add_string(o, "text", rows[i].reason_text);
                json_tree_append(list, o);
        }
        stored_transition_free_list(rows, n);
        *ret = json_tree_finish(list);
        return *ret ? 0 : -ENOMEM;
}
