/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/metrics.h"

#include "base/clock.h"
#include "core/json_tree.h"
#include "server/supervisor.h"

/* Wide steps, each a power of two: 256 us, 1 ms, 4 ms, … 17 s. They are bounds of the histogram's own, finer buckets.
 */
enum {
        FIRST_BOUND_USEC = 256,
        BOUND_FACTOR = 4,
        N_BOUNDS = 9,
};

static const char *const cause_words[_RESTART_CAUSE_MAX] = {
        [RESTART_BY_SYSTEMD] = "systemd",
        [RESTART_BY_HEALING] = "healing",
        [RESTART_BY_OPERATOR] = "operator",
        [RESTART_BY_RESET] = "reset-failed",
};

static const char *const result_words[_PROBE_OUTCOME_MAX] = {
        [PROBE_PASS] = "pass",
        [PROBE_FAIL] = "fail",
        [PROBE_UNKNOWN] = "unknown",
};

/* {count, sum_usec, max_usec, buckets: [[below_usec, how many took less], …]} */
static struct json_object *json_of_histogram(const DurationHistogram *h) {
        struct json_object *o = json_object_new_object(), *buckets = json_object_new_array();
        uint64_t bound_usec = FIRST_BOUND_USEC, n = 0;
        size_t i = 0;

        for (int b = 0; b < N_BOUNDS; b++, bound_usec *= BOUND_FACTOR) {
                struct json_object *bucket = json_object_new_array();

                while (i < DURATION_BUCKETS && duration_histogram_bound_usec(i) <= bound_usec)
                        n += h->counts[i++];
                json_tree_append(bucket, json_object_new_uint64(bound_usec));
                json_tree_append(bucket, json_object_new_uint64(n));
                json_tree_append(buckets, bucket);
        }
        json_tree_add_unsigned(o, "count", h->n);
        json_tree_add_unsigned(o, "sum_usec", h->sum_usec);
        json_tree_add_unsigned(o, "max_usec", h->max_usec);
        json_tree_add(o, "buckets", buckets);
        return o;
}

/* The oldest of what its state rests on; none where nothing is probed. */
static struct json_object *json_of_service(const Service *s, uint64_t now_usec) {
        struct json_object *o = json_object_new_object();
        uint64_t oldest_usec = USEC_NEVER, n_restarts = 0;

        for (size_t i = 0; i < s->definition->n_probes; i++)
                if (s->probes[i].active && s->probes[i].answered_usec < oldest_usec)
                        oldest_usec = s->probes[i].answered_usec;
        for (size_t i = 0; i < s->definition->n_actions; i++)
                n_restarts += s->actions[i].facts.n_restarts;
        json_tree_add_string(o, "name", s->definition->name);
        if (oldest_usec == USEC_NEVER || oldest_usec == 0)
                json_tree_add_null(o, "evidence_age_usec");
        else
                json_tree_add_unsigned(o, "evidence_age_usec", now_usec - oldest_usec);
        json_tree_add_unsigned(o, "n_restarts", n_restarts);
        return o;
}

static void add_counts(struct json_object *o, const char *key, const uint64_t *counts, const char *const *words,
                       size_t n) {
        struct json_object *list = json_object_new_object();

        for (size_t i = 0; i < n; i++)
                json_tree_add_unsigned(list, words[i], counts[i]);
        json_tree_add(o, key, list);
}

static void add_reconnects(struct json_object *o, const Metrics *m) {
        struct json_object *list = json_object_new_object();

        json_tree_add_unsigned(list, "bus", m->n_bus_connections > 0 ? m->n_bus_connections - 1 : 0);
        json_tree_add_unsigned(list, "systemd", m->n_systemd_connections > 0 ? m->n_systemd_connections - 1 : 0);
        json_tree_add(o, "reconnects", list);
}

struct json_object *metrics_json(Supervisor *s) {
        const Metrics *m = supervisor_metrics(s);
        struct json_object *o = json_object_new_object(), *list = json_object_new_array();
        const char *reasons[_REASON_MAX];
        uint64_t now_usec = clock_monotonic_usec();
        size_t n;
        Service *const *services = supervisor_services(s, &n);

        for (int i = 0; i < _REASON_MAX; i++)
                reasons[i] = i == REASON_NONE ? "none" : reason_code_to_string((ReasonCode) i);
        json_tree_add_string(o, "version", HERO_PROC_VERSION);
        json_tree_add_unsigned(o, "systemd_version", systemd_client_version(supervisor_systemd(s)));
        json_tree_add_unsigned(o, "started_usec", m->started_realtime_usec);
        add_counts(o, "probe_results", m->n_probe_results, result_words, _PROBE_OUTCOME_MAX);
        json_tree_add(o, "probe_duration", json_of_histogram(&m->probe_duration));
        json_tree_add(o, "probe_lateness", json_of_histogram(&m->probe_lateness));
        json_tree_add(o, "evaluation_lateness", json_of_histogram(&m->evaluation_lateness));
        add_counts(o, "failures", m->n_failures, reasons, _REASON_MAX);
        add_counts(o, "restarts", m->n_restarts, cause_words, _RESTART_CAUSE_MAX);
        add_reconnects(o, m);
        for (size_t i = 0; i < n; i++)
                json_tree_append(list, json_of_service(services[i], now_usec));
        json_tree_add(o, "services", list);
        return json_tree_finish(o);
}
