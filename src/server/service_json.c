/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/service_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "core/json_tree.h"
#include "server/evaluation.h"
#include "server/healing.h"
#include "server/records.h"
#include "server/socket_sighting.h"
#include "server/sockets.h"

enum {
        RECENT_SHOWN_MAX = 64,
};

static void invocation_to_string(const uint8_t id[16], char ret[33]) {
        for (size_t i = 0; i < 16; i++)
                (void) snprintf(ret + 2 * i, 3, "%02x", id[i]);
}

static struct json_object *json_of_action(const Action *a) {
        struct json_object *o = json_object_new_object();
        char invocation[33] = "";

        if (unit_facts_ever_started(&a->facts))
                invocation_to_string(a->facts.invocation, invocation);
        json_tree_add_string(o, "name", a->definition->name);
        json_tree_add_string(o, "unit", a->unit);
        json_tree_add_string(o, "active_state", unit_active_to_string(a->facts.active));
        json_tree_add_string(o, "sub_state", a->facts.sub_state);
        json_tree_add_string(o, "result", unit_result_to_string(a->facts.result));
        json_tree_add_unsigned(o, "main_pid", a->facts.main_pid);
        json_tree_add_string(o, "invocation_id", invocation);
        json_tree_add_unsigned(o, "n_restarts", a->facts.n_restarts);
        json_tree_add_string(o, "status_text", rare_text_get(&a->facts.status_text));
        json_tree_add_string(o, "wanted", a->wanted ? "up" : "down");
        return o;
}

static struct json_object *json_of_socket(const ServiceSocket *k) {
        struct json_object *o = json_object_new_object();
        _cleanup_free_ char *path = sockets_path(k);

        json_tree_add_string(o, "path", k->definition->path);
        json_tree_add_string(o, "state", socket_state_to_string(socket_sighting_state(k)));
        json_tree_add_unsigned(o, "listener_pid", k->listener.pid);
        json_tree_add_string(o, "listener_command", k->listener.command);
        json_tree_add_string(o, "listener_unit", k->listener.unit ? k->listener.unit : "");
        json_tree_add_unsigned(o, "backlog", k->seen.backlog);
        json_tree_add(o, "seen_at", path ? json_object_new_string(path) : NULL);
        return o;
}

static struct json_object *json_of_port(const ServicePort *k) {
        struct json_object *o = json_object_new_object();

        json_tree_add_unsigned(o, "port", k->definition->port);
        json_tree_add_string(o, "state", socket_state_to_string(k->state));
        json_tree_add_unsigned(o, "listener_pid", k->listener_pid);
        json_tree_add_string(o, "listener_command", k->listener_command);
        json_tree_add_string(o, "listener_unit", k->listener_unit ? k->listener_unit : "");
        json_tree_add_unsigned(o, "backlog", k->backlog);
        return o;
}

const char *service_json_probe_word(const ServiceProbe *p) {
        return p->active ? probe_verdict_to_string(p->health.verdict) : "inactive";
}

static struct json_object *json_of_recent(const RecentAnswers *r) {
        struct json_object *strip = json_object_new_array();

        for (size_t i = r->n > RECENT_SHOWN_MAX ? r->n - RECENT_SHOWN_MAX : 0; i < r->n; i++) {
                struct json_object *answer = json_object_new_array();
                uint64_t latency_usec;
                ProbeOutcome outcome = recent_answers_at(r, i, &latency_usec);

                json_tree_append(answer, json_object_new_uint64(latency_usec));
                json_tree_append(answer, json_object_new_int((int) outcome));
                json_tree_append(strip, answer);
        }
        return strip;
}

static struct json_object *json_of_probe(const ServiceProbe *p, bool with_recent) {
        struct json_object *o = json_object_new_object();
        AnswerLatency latency = recent_answers_latency(&p->recent);

        json_tree_add_string(o, "name", p->definition->name);
        json_tree_add_string(o, "role", probe_role_to_string(p->definition->role));
        json_tree_add_string(o, "state", service_json_probe_word(p));
        json_tree_add_unsigned(o, "failures", p->health.failures);
        json_tree_add_string(o, "last_error", rare_text_get(&p->error));
        json_tree_add_string(o, "not_asked", rare_text_get(&p->not_asked));
        json_tree_add_unsigned(o, "last_status", p->status);
        json_tree_add_unsigned(o, "latency_usec", p->latency_usec);
        json_tree_add_unsigned(o, "p50_usec", latency.p50_usec);
        json_tree_add_unsigned(o, "p99_usec", latency.p99_usec);
        json_tree_add_unsigned(o, "max_usec", latency.max_usec);
        json_tree_add_unsigned(o, "checked_usec", p->checked_realtime_usec);
        json_tree_add_unsigned(o, "since_usec", p->since_realtime_usec);
        json_tree_add_string(o, "before",
                             p->health.verdict == PROBE_VERDICT_STALE && p->health.before != PROBE_VERDICT_NONE
                                     ? probe_verdict_to_string(p->health.before)
                                     : "");
        if (with_recent)
                json_tree_add(o, "recent", json_of_recent(&p->recent));
        return o;
}

struct json_object *service_json_reasons(const Service *s) {
        struct json_object *reasons = json_object_new_array();

        for (size_t i = 0; i < s->n_shown; i++) {
                struct json_object *o = json_object_new_object();
                _cleanup_free_ char *text = evaluation_reason_text(s, &s->shown[i]);

                json_tree_add_string(o, "code", reason_code_to_string((ReasonCode) s->shown[i].code));
                json_tree_add(o, "text", text ? json_object_new_string(text) : NULL);
                json_tree_add_string(o, "subject", evaluation_reason_subject(s, &s->shown[i]));
                json_tree_append(reasons, o);
        }
        return reasons;
}

const char *service_json_ready_word(const Service *s) {
        bool required = s->definition->require_ready;
        bool ready = true;

        for (size_t i = 0; i < s->definition->n_actions; i++) {
                const Action *a = &s->actions[i];

                required = required || a->definition->ready != READY_EXEC;
                ready = ready && (a->definition->ready == READY_EXEC || a->facts.active == UNIT_ACTIVE);
        }
        return !required ? "not-required" : ready ? "yes" : "no";
}

static void add_ready(struct json_object *o, const Service *s) {
        const char *word = service_json_ready_word(s);

        if (strcmp(word, "not-required") == 0)
                json_tree_add_null(o, "ready");
        else
                json_tree_add_boolean(o, "ready", strcmp(word, "yes") == 0);
}

static void add_evidence(struct json_object *o, const Service *s, bool with_recent) {
        struct json_object *sockets = json_object_new_array(), *ports = json_object_new_array(),
                           *probes = json_object_new_array();

        for (size_t i = 0; i < s->definition->n_sockets; i++)
                json_tree_append(sockets, json_of_socket(&s->sockets[i]));
        for (size_t i = 0; i < s->definition->n_ports; i++)
                json_tree_append(ports, json_of_port(&s->ports[i]));
        for (size_t i = 0; i < s->definition->n_probes; i++)
                json_tree_append(probes, json_of_probe(&s->probes[i], with_recent));
        json_tree_add(o, "sockets", sockets);
        json_tree_add(o, "ports", ports);
        json_tree_add(o, "probes", probes);
}

struct json_object *service_json_evidence(const Service *s) {
        struct json_object *o = json_object_new_object();

        json_tree_add_string(o, "name", s->definition->name);
        add_evidence(o, s, true);
        return json_tree_finish(o);
}

struct json_object *service_json_row(const Service *s, bool with_recent) {
        struct json_object *o = json_object_new_object(), *actions = json_object_new_array();

        json_tree_add_string(o, "name", s->definition->name);
        json_tree_add_string(o, "description", s->definition->description ? s->definition->description : "");
        json_tree_add_string(o, "state", service_state_to_string(s->shown_state));
        json_tree_add_string(o, "wanted", service_wants_up(s) ? "up" : "down");
        json_tree_add_unsigned(o, "since_usec", s->state_since_realtime_usec);
        json_tree_add_unsigned(o, "observed_usec", clock_realtime_usec());
        add_ready(o, s);
        json_tree_add(o, "reasons", service_json_reasons(s));
        for (size_t i = 0; i < s->definition->n_actions; i++)
                json_tree_append(actions, json_of_action(&s->actions[i]));
        json_tree_add(o, "actions", actions);
        add_evidence(o, s, with_recent);
        if (healing_is_told(s))
                json_tree_add(o, "healing", healing_json(s));
        else
                json_tree_add_null(o, "healing");
        return json_tree_finish(o);
}

char *service_json_rows(Service *const *services, size_t n, bool with_recent) {
        JsonText t = { 0 };
        size_t n_text;

        json_text_open(&t, '[');
        for (size_t i = 0; i < n; i++) {
                struct json_object *row = service_json_row(services[i], with_recent);

                json_tree_write(&t, row);
                json_object_put(row);
        }
        json_text_close(&t, ']');
        return json_text_take(&t, &n_text);
}

static void add_brief_row(JsonText *t, const Service *s) {
        json_text_open(t, '{');
        json_text_add_string(t, "name", s->definition->name);
        json_text_add_string(t, "state", service_state_to_string(s->shown_state));
        json_text_add_unsigned(t, "since_usec", s->state_since_realtime_usec);
        json_text_key(t, "reasons");
        json_text_open(t, '[');
        if (s->n_shown > 0) {
                _cleanup_free_ char *text = evaluation_reason_text(s, &s->shown[0]);

                json_text_open(t, '{');
                json_text_add_string(t, "code", reason_code_to_string((ReasonCode) s->shown[0].code));
                t->failed = t->failed || !text;
                json_text_add_string(t, "text", text);
                json_text_add_string(t, "subject", evaluation_reason_subject(s, &s->shown[0]));
                json_text_close(t, '}');
        }
        json_text_close(t, ']');
        json_text_close(t, '}');
}

char *service_json_brief_rows(Service *const *services, size_t n) {
        JsonText t = { 0 };
        size_t n_text;

        json_text_open(&t, '[');
        for (size_t i = 0; i < n; i++)
                add_brief_row(&t, services[i]);
        json_text_close(&t, ']');
        return json_text_take(&t, &n_text);
}

/* Buckets in which nothing fell are left out. */
static struct json_object *json_of_histogram(const DurationHistogram *h) {
        struct json_object *o = json_object_new_object(), *buckets = json_object_new_array();

        json_tree_add_unsigned(o, "count", h->n);
        json_tree_add_unsigned(o, "p50_usec", duration_histogram_percentile_usec(h, 500));
        json_tree_add_unsigned(o, "p99_usec", duration_histogram_percentile_usec(h, 990));
        json_tree_add_unsigned(o, "max_usec", h->max_usec);
        for (size_t i = 0; i < DURATION_BUCKETS; i++) {
                struct json_object *bucket;

                if (h->counts[i] == 0)
                        continue;
                bucket = json_object_new_array();
                json_tree_append(bucket, json_object_new_uint64(duration_histogram_bound_usec(i)));
                json_tree_append(bucket, json_object_new_uint64(h->counts[i]));
                json_tree_append(buckets, bucket);
        }
        json_tree_add(o, "buckets", buckets); /* [below_usec, count] */
        return o;
}

static struct json_object *json_of_probing(Supervisor *s) {
        const Metrics *m = supervisor_metrics(s);
        struct json_object *o = json_object_new_object();
        unsigned n_in_flight, n_queued;

        prober_count(supervisor_prober(s), &n_in_flight, &n_queued);
        json_tree_add_unsigned(o, "passed", m->n_probe_results[PROBE_PASS]);
        json_tree_add_unsigned(o, "failed", m->n_probe_results[PROBE_FAIL]);
        json_tree_add_unsigned(o, "unknown", m->n_probe_results[PROBE_UNKNOWN]);
        json_tree_add_unsigned(o, "in_flight", n_in_flight);
        json_tree_add_unsigned(o, "queued", n_queued);
        json_tree_add(o, "lateness", json_of_histogram(&m->probe_lateness));
        return o;
}

static void add_tree(JsonText *t, struct json_object *tree) {
        json_tree_write(t, tree);
        json_object_put(tree);
}

static struct json_object *json_of_dumped(const Service *s) {
        struct json_object *row = service_json_row(s, false);

        json_tree_add_unsigned(row, "operation", s->operation);
        json_tree_add_unsigned(row, "intention", s->intention);
        json_tree_add_unsigned(row, "unit_step", s->step);
        json_tree_add_string(row, "fault", s->fault);
        json_tree_add_raw(row, "definition", s->definition->text);
        return row;
}

char *service_json_dump(Supervisor *s) {
        JsonText t = { 0 };
        size_t n, n_owed, n_text;
        Service *const *services = supervisor_services(s, &n);
        bool writable = records_is_writable(supervisor_records(s), &n_owed);

        json_text_open(&t, '{');
        json_text_add_string(&t, "version", HERO_PROC_VERSION);
        json_text_add_unsigned(&t, "systemd_version", systemd_client_version(supervisor_systemd(s)));
        json_text_add_boolean(&t, "systemd_reachable", systemd_client_is_reachable(supervisor_systemd(s)));
        json_text_add_boolean(&t, "synced", supervisor_is_synced(s));
        json_text_add_boolean(&t, "store_writable", writable);
        json_text_add_unsigned(&t, "store_owed", n_owed);
        json_text_add_string(&t, "socket_dir", supervisor_options(s)->socket_dir);
        json_text_key(&t, "probing");
        add_tree(&t, json_of_probing(s));
        json_text_key(&t, "services");
        json_text_open(&t, '[');
        for (size_t i = 0; i < n; i++)
                add_tree(&t, json_of_dumped(services[i]));
        json_text_close(&t, ']');
        json_text_close(&t, '}');
        return json_text_take(&t, &n_text);
}
