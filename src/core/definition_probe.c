/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "core/definition_reader.h"

void definition_probe_done(ProbeDefinition *p) {
        for (size_t i = 0; i < p->n_headers; i++) {
                free(p->headers[i].name);
                free(p->headers[i].value);
        }
        free(p->name);
        free(p->socket);
        free(p->method);
        free(p->path);
        free(p->headers);
        free(p->body);
        free(p->expect_status);
        free(p->expect_body);
}

static int refuse_name(DefinitionReader *r, const JsonValue *object, const char *name) {
        if (!service_name_is_valid(name))
                return definition_refuse_member(r, object, "name",
                                                "expected 1 to 63 letters, digits, '_', '.' or '-', not starting with "
                                                "'.' or '-'");
        for (size_t i = 0; i < r->service->n_probes; i++)
                if (r->service->probes[i].name && strcmp(r->service->probes[i].name, name) == 0)
                        return definition_refuse_member(r, object, "name", "expected a name that no other probe has");
        return 0;
}

static int read_name(DefinitionReader *r, const JsonValue *object, ProbeDefinition *p) {
        const char *name = definition_string(object, "name");
        int ret = name ? refuse_name(r, object, name) : 0;

        return ret != 0 ? ret : definition_copy(name, &p->name);
}

static int read_target(DefinitionReader *r, const JsonValue *object, ProbeDefinition *p) {
        const JsonValue *socket = json_member(object, "socket"), *port = json_member(object, "port");
        size_t mark;
        int ret;

        if (!socket == !port)
                return definition_refuse(r, NULL, "expected either socket or port, and found %s",
                                         socket ? "both" : "neither");
        if (port) {
                p->port = (uint16_t) port->integer;
                return 0;
        }
        mark = definition_enter(r, "socket");
        ret = definition_find_socket(r, socket, &p->socket);
        if (ret != 0)
                return ret;
        definition_leave(r, mark);
        return 0;
}

/* A default that nobody wrote bends to what somebody did write; two written values must agree. */
static int read_intervals(DefinitionReader *r, const JsonValue *object, ProbeDefinition *p) {
        p->interval_usec = definition_usec(object, FIELD_OF_PROBE, "interval_ms");
        p->timeout_usec = definition_usec(object, FIELD_OF_PROBE, "timeout_ms");
        p->fast_interval_usec = definition_usec(object, FIELD_OF_PROBE, "fast_interval_ms");
        p->down_interval_usec = json_member(object, "down_interval_ms")
                                        ? definition_usec(object, FIELD_OF_PROBE, "down_interval_ms")
                                        : p->interval_usec;
        if (p->fast_interval_usec > p->interval_usec) {
                if (json_member(object, "fast_interval_ms"))
                        return definition_refuse_member(r, object, "fast_interval_ms",
                                                        "expected at most interval_ms, which is %" PRIu64,
                                                        p->interval_usec / USEC_PER_MSEC);
                p->fast_interval_usec = p->interval_usec;
        }
        return 0;
}

/* [k, n]: the health keeps the last 64 results. */
static int read_window(DefinitionReader *r, const JsonValue *object, ProbeDefinition *p) {
        const JsonValue *v = json_member(object, "failures_in"), *k, *n;

        if (!v)
                return 0;
        k = v->kind == JSON_KIND_ARRAY && v->n_children == 2 ? v->first : NULL;
        n = k ? k->next : NULL;
        if (!k || k->kind != JSON_KIND_INTEGER || n->kind != JSON_KIND_INTEGER || k->integer < 1 ||
            k->integer > n->integer || n->integer > 64)
                return definition_refuse_member(r, object, "failures_in", "expected %s",
                                                definition_field_find("failures_in", FIELD_OF_PROBE)->expects);
        p->window_failures = (unsigned) k->integer;
        p->window_length = (unsigned) n->integer;
        return 0;
}

static int read_http_or_nothing(DefinitionReader *r, const JsonValue *object, ProbeDefinition *p) {
        static const char *const http_fields[] = {
                "path", "method", "headers", "body", "expect_status", "expect_body"
        };

        if (p->type == PROBE_HTTP)
                return definition_read_http(r, object, p);
        for (size_t i = 0; i < ELEMENTSOF(http_fields); i++)
                if (json_member(object, http_fields[i]))
                        return definition_refuse_member(r, object, http_fields[i], "not for a probe of type connect");
        return 0;
}

static int fill(DefinitionReader *r, const JsonValue *object, ProbeDefinition *p) {
        int ret;

        p->type = (ProbeType) definition_word(object, FIELD_OF_PROBE, "type");
        p->role = (ProbeRole) definition_word(object, FIELD_OF_PROBE, "role");
        p->failures = (unsigned) definition_integer(object, FIELD_OF_PROBE, "failures");
        p->successes = (unsigned) definition_integer(object, FIELD_OF_PROBE, "successes");

        if ((ret = read_name(r, object, p)) != 0 || (ret = read_target(r, object, p)) != 0 ||
            (ret = read_intervals(r, object, p)) != 0 || (ret = read_window(r, object, p)) != 0)
                return ret;
        return read_http_or_nothing(r, object, p);
}

static int read_probe(DefinitionReader *r, const JsonValue *object, int action) {
        ServiceDefinition *d = r->service;
        ProbeDefinition *grown;
        int ret;

        if (d->n_probes >= DEFINITION_PROBES_MAX)
                return definition_refuse(r, NULL, "expected at most %d probes in a service", DEFINITION_PROBES_MAX);
        ret = definition_check_fields(r, object, FIELD_OF_PROBE);
        if (ret != 0)
                return ret;
        grown = reallocarray(d->probes, d->n_probes + 1, sizeof d->probes[0]);
        if (!grown)
                return -ENOMEM;
        d->probes = grown;
        d->probes[d->n_probes] = (ProbeDefinition){ .action = action };
        /* Counted before it is whole, so that what it holds is freed with the rest whatever happens. */
        return fill(r, object, &d->probes[d->n_probes++]);
}

int definition_read_probes(DefinitionReader *r, const JsonValue *object, int action) {
        const JsonValue *one = json_member(object, "probe"), *many = json_member(object, "probes");
        size_t mark, i = 0;
        int ret;

        if (one && many)
                return definition_refuse_member(r, object, "probe", "expected either probe or probes, and not both");
        if (!one && !many)
                return 0;
        mark = definition_enter(r, one ? "probe" : "probes");
        if (one) {
                ret = read_probe(r, one, action);
                if (ret != 0)
                        return ret;
        }
        for (const JsonValue *v = many ? many->first : NULL; v; v = v->next, i++) {
                size_t element = definition_enter_index(r, i);

                ret = read_probe(r, v, action);
                if (ret != 0)
                        return ret;
                definition_leave(r, element);
        }
        definition_leave(r, mark);
        return 0;
}

/* Names for probes without one. "/api/files?x=1" becomes "api_files", "/" becomes "http", a connect probe "connect";
 * where that is taken, "-2", "-3" … is added. So the name says what failed, and stays when probes of other paths come
 * and go. */

static void base_name(const ProbeDefinition *p, char *out, size_t size) {
        size_t n = 0;

        for (const char *s = p->path ? p->path + 1 : ""; *s && *s != '?' && n < size - 1; s++)
                out[n++] = *s;
        out[n] = '\0';
        for (size_t i = 0; i < n; i++)
                if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-", out[i]))
                        out[i] = '_';
        while (n > 1 && out[n - 1] == '_')
                out[--n] = '\0';
        if (!service_name_is_valid(out))
                (void) snprintf(out, size, "%s", probe_type_to_string(p->type));
}

static bool is_taken(const ServiceDefinition *d, const char *name) {
        for (size_t i = 0; i < d->n_probes; i++)
                if (d->probes[i].name && strcmp(d->probes[i].name, name) == 0)
                        return true;
        return false;
}

int definition_name_probes(DefinitionReader *r) {
        for (size_t i = 0; i < r->service->n_probes; i++) {
                ProbeDefinition *p = &r->service->probes[i];
                char base[48], name[DEFINITION_NAME_MAX + 1];
                int ret;

                if (p->name)
                        continue;
                base_name(p, base, sizeof base);
                (void) snprintf(name, sizeof name, "%s", base);
                for (unsigned k = 2; is_taken(r->service, name); k++)
                        (void) snprintf(name, sizeof name, "%s-%u", base, k);
                ret = definition_copy(name, &p->name);
                if (ret < 0)
                        return ret;
        }
        return 0;
}
