/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/metrics_text.h"

#include <inttypes.h>
#include <string.h>

#define PREFIX "heroproc_"

/* A name with its help and type. The two formats differ in the name that a counter's and an info's type goes by. */
static void head(FILE *f, const MetricsInput *in, const char *name, const char *type, const char *help) {
        size_t n = strlen(name);

        if (in->is_openmetrics && strcmp(type, "counter") == 0)
                n -= strlen("_total");
        if (in->is_openmetrics && strcmp(type, "info") == 0)
                n -= strlen("_info");
        if (!in->is_openmetrics && strcmp(type, "info") == 0)
                type = "gauge";
        fprintf(f, "# HELP " PREFIX "%.*s %s\n# TYPE " PREFIX "%.*s %s\n", (int) n, name, help, (int) n, name, type);
}

static void print_seconds(FILE *f, uint64_t usec) {
        fprintf(f, "%" PRIu64 ".%06" PRIu64, usec / 1000000, usec % 1000000);
}

static uint64_t number(const JsonValue *v) {
        return v && v->kind == JSON_KIND_INTEGER && v->integer > 0 ? (uint64_t) v->integer : 0;
}

static const JsonValue *first(const JsonValue *list) {
        return list && (list->kind == JSON_KIND_OBJECT || list->kind == JSON_KIND_ARRAY) ? list->first : NULL;
}

/* Of words of the server's own: a label that is none of ours would not be told apart from an escape. */
static bool is_label(const char *s) {
        return s && s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-+~")] == '\0';
}

static const char *text(const JsonValue *v) {
        return v && v->kind == JSON_KIND_STRING && is_label(v->string) ? v->string : "";
}

/* -- services, as the mirror has them -- */

static void write_states(FILE *f, const MetricsInput *in) {
        size_t n;
        const MirrorService *const *services = service_mirror_services(in->mirror, &n);

        head(f, in, "service_state", "gauge", "Whether the service is in this state.");
        for (size_t i = 0; i < n; i++)
                for (int state = 0; state < _SERVICE_STATE_MAX; state++)
                        fprintf(f, PREFIX "service_state{service=\"%s\",state=\"%s\"} %d\n", services[i]->name,
                                service_state_to_string((ServiceState) state),
                                service_mirror_state(in->mirror, services[i]) == (ServiceState) state);
        head(f, in, "service_wanted_up", "gauge", "Whether the service is meant to be up.");
        for (size_t i = 0; service_mirror_is_complete(in->mirror) && i < n; i++)
                fprintf(f, PREFIX "service_wanted_up{service=\"%s\"} %d\n", services[i]->name, services[i]->wanted_up);
}

/* -- what the server counts -- */

static void write_counts(FILE *f, const MetricsInput *in, const char *key, const char *name, const char *label,
                         const char *help) {
        head(f, in, name, "counter", help);
        for (const JsonValue *v = first(json_member(in->server, key)); v; v = v->next)
                if (is_label(v->key))
                        fprintf(f, PREFIX "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, v->key, number(v));
}

static void write_histogram(FILE *f, const MetricsInput *in, const char *key, const char *name, const char *help) {
        const JsonValue *h = json_member(in->server, key);

        head(f, in, name, "histogram", help);
        if (!h)
                return;
        for (const JsonValue *v = first(json_member(h, "buckets")); v; v = v->next) {
                const JsonValue *bound = first(v);

                fprintf(f, PREFIX "%s_bucket{le=\"", name);
                print_seconds(f, number(bound));
                fprintf(f, "\"} %" PRIu64 "\n", number(bound ? bound->next : NULL));
        }
        fprintf(f, PREFIX "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n" PREFIX "%s_sum ", name,
                number(json_member(h, "count")), name);
        print_seconds(f, number(json_member(h, "sum_usec")));
        fprintf(f, "\n" PREFIX "%s_count %" PRIu64 "\n", name, number(json_member(h, "count")));
}

static void write_services(FILE *f, const MetricsInput *in) {
        const JsonValue *services = json_member(in->server, "services");

        head(f, in, "service_evidence_age_seconds", "gauge",
             "Age of the oldest probe answer that the state rests on; absent where nothing is probed.");
        for (const JsonValue *v = first(services); v; v = v->next) {
                const JsonValue *age = json_member(v, "evidence_age_usec");

                if (!age || age->kind != JSON_KIND_INTEGER)
                        continue;
                fprintf(f, PREFIX "service_evidence_age_seconds{service=\"%s\"} ", text(json_member(v, "name")));
                print_seconds(f, number(age));
                fputc('\n', f);
        }
        head(f, in, "service_retries", "gauge",
             "How often systemd has restarted the service's processes since somebody started them.");
        for (const JsonValue *v = first(services); v; v = v->next)
                fprintf(f, PREFIX "service_retries{service=\"%s\"} %" PRIu64 "\n", text(json_member(v, "name")),
                        number(json_member(v, "n_restarts")));
}

static void write_server(FILE *f, const MetricsInput *in) {
        head(f, in, "server_start_time_seconds", "gauge", "When hero_proc_server came up, in seconds since 1970.");
        fputs(PREFIX "server_start_time_seconds ", f);
        print_seconds(f, number(json_member(in->server, "started_usec")));
        fputc('\n', f);
        write_counts(f, in, "reconnects", "server_reconnects_total", "peer",
                     "How often the server has connected anew to the bus and to systemd.");
        write_counts(f, in, "failures", "service_failures_total", "reason",
                     "Services that became failed, by the reason that led.");
        write_counts(f, in, "restarts", "service_restarts_total", "cause",
                     "Restarts of processes, by who or what decided them.");
        write_counts(f, in, "probe_results", "probe_results_total", "result", "Probes that came to an end.");
        write_histogram(f, in, "probe_duration", "probe_duration_seconds", "How long services took to answer probes.");
        write_histogram(f, in, "probe_lateness", "probe_lateness_seconds",
                        "How much later than they were due probes began.");
        write_histogram(f, in, "evaluation_lateness", "evaluation_lateness_seconds",
                        "From an event to the judgement of its service.");
        write_services(f, in);
}

static void write_gateway(FILE *f, const MetricsInput *in) {
        head(f, in, "gateway_reconnects_total", "counter",
             "How often the server or the bus came back after it was lost.");
        fprintf(f, PREFIX "gateway_reconnects_total %" PRIu64 "\n", in->n_reconnects);
        head(f, in, "gateway_connections", "gauge", "Open HTTP connections.");
        fprintf(f, PREFIX "gateway_connections %zu\n", in->n_connections);
        head(f, in, "gateway_streams", "gauge", "Those of them that follow a stream.");
        fprintf(f, PREFIX "gateway_streams %zu\n", in->n_streams);
}

void metrics_text_write(FILE *f, const MetricsInput *in) {
        head(f, in, "build_info", "info", "Versions, as labels.");
        fprintf(f,
                PREFIX "build_info{version=\"" HERO_PROC_VERSION "\",server_version=\"%s\",systemd=\"%" PRIu64
                       "\"} 1\n",
                text(json_member(in->server, "version")), number(json_member(in->server, "systemd_version")));
        head(f, in, "server_up", "gauge", "Whether hero_proc_server is there; without it all states are unknown.");
        fprintf(f, PREFIX "server_up %d\n", service_mirror_is_complete(in->mirror));
        write_states(f, in);
        if (in->server)
                write_server(f, in);
        write_gateway(f, in);
        if (in->is_openmetrics)
                fputs("# EOF\n", f);
}
