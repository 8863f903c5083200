/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/mirror_row.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The one block: the service, its lists, then all strings. */
typedef struct Block {
        MirrorService *service;
        char *strings;
} Block;

static const char *take_text(Block *b, const JsonValue *object, const char *key) {
        const JsonValue *v = json_member(object, key);
        const char *text = v && v->kind == JSON_KIND_STRING ? v->string : "";
        char *copy = b->strings;

        b->strings = stpcpy(copy, text) + 1;
        return copy;
}

static uint64_t number(const JsonValue *object, const char *key) {
        const JsonValue *v = json_member(object, key);

        return v && v->kind == JSON_KIND_INTEGER && v->integer > 0 ? (uint64_t) v->integer : 0;
}

static size_t count(const JsonValue *row, const char *key) {
        const JsonValue *v = json_member(row, key);

        return v && v->kind == JSON_KIND_ARRAY ? v->n_children : 0;
}

static const JsonValue *first(const JsonValue *row, const char *key) {
        return count(row, key) > 0 ? json_member(row, key)->first : NULL;
}

/* [[latency in µs, outcome]…] */
static size_t read_recent(const JsonValue *probe, MirrorAnswer **answers) {
        const MirrorAnswer *begin = *answers;

        for (const JsonValue *v = first(probe, "recent"); v; v = v->next) {
                const JsonValue *latency = v->kind == JSON_KIND_ARRAY && v->n_children == 2 ? v->first : NULL;
                const JsonValue *outcome = latency ? latency->next : NULL;

                if (!outcome || latency->kind != JSON_KIND_INTEGER || outcome->kind != JSON_KIND_INTEGER)
                        continue;
                *(*answers)++ = (MirrorAnswer){
                        .latency_usec = latency->integer > UINT32_MAX ? UINT32_MAX : (uint32_t) latency->integer,
                        .outcome = (uint8_t) outcome->integer,
                };
        }
        return (size_t) (*answers - begin);
}

static size_t count_recent(const JsonValue *row) {
        size_t n = 0;

        for (const JsonValue *v = first(row, "probes"); v; v = v->next)
                n += count(v, "recent");
        return n;
}

static void read_lists(Block *b, const JsonValue *row, MirrorReason *reasons, MirrorAction *actions,
                       MirrorSocket *sockets, MirrorPort *ports, MirrorProbe *probes, MirrorAnswer *answers) {
        for (const JsonValue *v = first(row, "reasons"); v; v = v->next)
                *reasons++ = (MirrorReason){ .code = take_text(b, v, "code"),
                                             .text = take_text(b, v, "text"),
                                             .subject = take_text(b, v, "subject") };
        for (const JsonValue *v = first(row, "actions"); v; v = v->next)
                *actions++ = (MirrorAction){ .name = take_text(b, v, "name"),
                                             .unit = take_text(b, v, "unit"),
                                             .active_state = take_text(b, v, "active_state"),
                                             .sub_state = take_text(b, v, "sub_state"),
                                             .result = take_text(b, v, "result"),
                                             .invocation_id = take_text(b, v, "invocation_id"),
                                             .status_text = take_text(b, v, "status_text"),
                                             .main_pid = number(v, "main_pid"),
                                             .n_restarts = number(v, "n_restarts") };
        for (const JsonValue *v = first(row, "sockets"); v; v = v->next)
                *sockets++ = (MirrorSocket){ .path = take_text(b, v, "path"),
                                             .state = take_text(b, v, "state"),
                                             .listener_unit = take_text(b, v, "listener_unit"),
                                             .listener_pid = number(v, "listener_pid"),
                                             .backlog = number(v, "backlog") };
        for (const JsonValue *v = first(row, "ports"); v; v = v->next)
                *ports++ = (MirrorPort){ .state = take_text(b, v, "state"),
                                         .listener_unit = take_text(b, v, "listener_unit"),
                                         .listener_command = take_text(b, v, "listener_command"),
                                         .port = number(v, "port"),
                                         .listener_pid = number(v, "listener_pid"),
                                         .backlog = number(v, "backlog") };
        for (const JsonValue *v = first(row, "probes"); v; v = v->next) {
                const MirrorAnswer *recent = answers;

                *probes++ = (MirrorProbe){ .name = take_text(b, v, "name"),
                                           .state = take_text(b, v, "state"),
                                           .last_error = take_text(b, v, "last_error"),
                                           .failures = number(v, "failures"),
                                           .last_status = number(v, "last_status"),
                                           .latency_usec = number(v, "latency_usec"),
                                           .checked_usec = number(v, "checked_usec"),
                                           .p50_usec = number(v, "p50_usec"),
                                           .p99_usec = number(v, "p99_usec"),
                                           .recent = recent,
                                           .n_recent = read_recent(v, &answers) };
        }
}

static void read_service(Block *b, const JsonValue *row) {
        const JsonValue *ready = json_member(row, "ready"), *wanted = json_member(row, "wanted");
        const JsonValue *state = json_member(row, "state");
        MirrorService *s = b->service;
        ServiceState known = state && state->kind == JSON_KIND_STRING ? service_state_from_string(state->string)
                                                                      : SERVICE_STATE_INVALID;

        s->name = take_text(b, row, "name");
        s->description = take_text(b, row, "description");
        s->state = known == SERVICE_STATE_INVALID ? SERVICE_UNKNOWN : known; /* of a newer server, perhaps */
        s->wanted_up = wanted && wanted->kind == JSON_KIND_STRING && strcmp(wanted->string, "up") == 0;
        s->ready = ready && ready->kind == JSON_KIND_BOOLEAN ? ready->boolean : -1;
        s->since_usec = number(row, "since_usec");
        s->observed_usec = number(row, "observed_usec");
}

int mirror_row_read(const JsonValue *row, MirrorService **ret) {
        const JsonValue *name = json_member(row, "name");
        size_t n_reasons = count(row, "reasons"), n_actions = count(row, "actions"), n_sockets = count(row, "sockets"),
               n_ports = count(row, "ports"), n_probes = count(row, "probes"), n_recent = count_recent(row);
        size_t n = sizeof(MirrorService) + n_reasons * sizeof(MirrorReason) + n_actions * sizeof(MirrorAction) +
                   n_sockets * sizeof(MirrorSocket) + n_ports * sizeof(MirrorPort) + n_probes * sizeof(MirrorProbe) +
                   n_recent * sizeof(MirrorAnswer);
        MirrorReason *reasons;
        MirrorAction *actions;
        MirrorSocket *sockets;
        MirrorPort *ports;
        MirrorProbe *probes;
        MirrorAnswer *answers;
        Block b;

        if (!name || name->kind != JSON_KIND_STRING)
                return -EBADMSG;
        /* A string never outgrows its spelling; what is missing is a NUL each, for which absent keys make no room. */
        b.service =
                calloc(1, n + row->source_length + 8 * (1 + n_reasons + n_actions + n_sockets + n_ports + n_probes));
        if (!b.service)
                return -ENOMEM;
        reasons = (MirrorReason *) (b.service + 1);
        actions = (MirrorAction *) (reasons + n_reasons);
        sockets = (MirrorSocket *) (actions + n_actions);
        ports = (MirrorPort *) (sockets + n_sockets);
        probes = (MirrorProbe *) (ports + n_ports);
        answers = (MirrorAnswer *) (probes + n_probes);
        b.strings = (char *) (answers + n_recent);
        *b.service = (MirrorService){ .n_reasons = n_reasons,
                                      .reasons = reasons,
                                      .n_actions = n_actions,
                                      .actions = actions,
                                      .n_sockets = n_sockets,
                                      .sockets = sockets,
                                      .n_ports = n_ports,
                                      .ports = ports,
                                      .n_probes = n_probes,
                                      .probes = probes };
        read_service(&b, row);
        read_lists(&b, row, reasons, actions, sockets, ports, probes, answers);
        *ret = b.service;
        return 0;
}

/* -- comparing -- */

static bool same(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

static bool reasons_differ(const MirrorReason *a, const MirrorReason *b) {
        return !same(a->code, b->code) || !same(a->text, b->text) || !same(a->subject, b->subject);
}

static bool actions_differ(const MirrorAction *a, const MirrorAction *b) {
        return a->main_pid != b->main_pid || a->n_restarts != b->n_restarts || !same(a->name, b->name) ||
               !same(a->unit, b->unit) || !same(a->active_state, b->active_state) ||
               !same(a->sub_state, b->sub_state) || !same(a->result, b->result) ||
               !same(a->invocation_id, b->invocation_id) || !same(a->status_text, b->status_text);
}

static bool sockets_differ(const MirrorSocket *a, const MirrorSocket *b) {
        return a->listener_pid != b->listener_pid || a->backlog != b->backlog || !same(a->path, b->path) ||
               !same(a->state, b->state) || !same(a->listener_unit, b->listener_unit);
}

static bool ports_differ(const MirrorPort *a, const MirrorPort *b) {
        return a->port != b->port || a->listener_pid != b->listener_pid || a->backlog != b->backlog ||
               !same(a->state, b->state) || !same(a->listener_unit, b->listener_unit) ||
               !same(a->listener_command, b->listener_command);
}

static bool probes_differ(const MirrorProbe *a, const MirrorProbe *b) {
        return a->failures != b->failures || a->last_status != b->last_status || a->latency_usec != b->latency_usec ||
               a->checked_usec != b->checked_usec || !same(a->name, b->name) || !same(a->state, b->state) ||
               !same(a->last_error, b->last_error);
}

bool mirror_row_differs(const MirrorService *a, const MirrorService *b) {
        bool differ = a->state != b->state || a->wanted_up != b->wanted_up || a->ready != b->ready ||
                      a->since_usec != b->since_usec || a->n_reasons != b->n_reasons || a->n_actions != b->n_actions ||
                      a->n_sockets != b->n_sockets || a->n_ports != b->n_ports || a->n_probes != b->n_probes ||
                      !same(a->description, b->description);

        for (size_t i = 0; !differ && i < a->n_reasons; i++)
                differ = reasons_differ(&a->reasons[i], &b->reasons[i]);
        for (size_t i = 0; !differ && i < a->n_actions; i++)
                differ = actions_differ(&a->actions[i], &b->actions[i]);
        for (size_t i = 0; !differ && i < a->n_sockets; i++)
                differ = sockets_differ(&a->sockets[i], &b->sockets[i]);
        for (size_t i = 0; !differ && i < a->n_ports; i++)
                differ = ports_differ(&a->ports[i], &b->ports[i]);
        for (size_t i = 0; !differ && i < a->n_probes; i++)
                differ = probes_differ(&a->probes[i], &b->probes[i]);
        return differ;
}
