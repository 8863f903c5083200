/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/outcome.h"
#include "core/definition_reader.h"
#include "core/definition_value.h"

enum {
        HEADERS_MAX = 32,
        HEADER_VALUE_BYTES_MAX = 4096,
        STATUS_RANGES_MAX = 32,
};

/* It stands in the request line as it is: no blanks, no line ends, nothing that a server might read in two ways. */
static int read_path(DefinitionReader *r, const JsonValue *object, ProbeDefinition *p) {
        const char *s = definition_string(object, "path");
        bool printable = true;

        if (!s)
                s = definition_field_find("path", FIELD_OF_PROBE)->standard;
        for (const char *c = s; *c; c++)
                printable = printable && *c > ' ' && *c < 0x7f && *c != '#';
        if (s[0] != '/' || !printable)
                return definition_refuse_member(
                        r, object, "path",
                        "expected a path that starts with '/', of printable ASCII without blanks or '#'");
        return definition_copy(s, &p->path);
}

static int check_header(DefinitionReader *r, const JsonValue *v, const ProbeDefinition *p) {
        if (!definition_header_name_is_valid(v->key))
                return definition_refuse(r, NULL, "expected a header's name that hero_proc does not send itself");
        if (definition_has_control(v->string, "\t") || strlen(v->string) > HEADER_VALUE_BYTES_MAX)
                return definition_refuse(r, v, "expected at most %d bytes without control characters",
                                         HEADER_VALUE_BYTES_MAX);
        for (size_t i = 0; i < p->n_headers; i++)
                if (strcasecmp(p->headers[i].name, v->key) == 0)
                        return definition_refuse(r, v, "expected each header once, in capitals or not");
        return 0;
}

static int read_headers(DefinitionReader *r, const JsonValue *object, ProbeDefinition *p) {
        const JsonValue *map = json_member(object, "headers");
        size_t mark;

        if (!map || map->n_children == 0)
                return 0;
        mark = definition_enter(r, "headers");
        if (map->n_children > HEADERS_MAX)
                return definition_refuse(r, map, "expected at most %d headers", HEADERS_MAX);
        p->headers = calloc(map->n_children, sizeof p->headers[0]);
        if (!p->headers)
                return -ENOMEM;
        for (const JsonValue *v = map->first; v; v = v->next) {
                size_t member = definition_enter(r, v->key);
                int ret = check_header(r, v, p);

                if (ret != 0)
                        return ret;
                p->n_headers++;
                if (definition_copy(v->key, &p->headers[p->n_headers - 1].name) < 0 ||
                    definition_copy(v->string, &p->headers[p->n_headers - 1].value) < 0)
                        return -ENOMEM;
                definition_leave(r, member);
        }
        definition_leave(r, mark);
        return 0;
}

/* A JSON value is sent byte for byte as it stands in the definition. */
static int read_body(DefinitionReader *r, const JsonValue *object, ProbeDefinition *p) {
        const JsonValue *v = json_member(object, "body");

        if (!v)
                return 0;
        if (strcmp(p->method, "POST") != 0)
                return definition_refuse_member(r, object, "body", "only a POST has a body, and method is %s",
                                                p->method);
        if (v->kind == JSON_KIND_NULL)
                return definition_refuse_member(r, object, "body", "expected %s",
                                                definition_field_find("body", FIELD_OF_PROBE)->expects);
        p->body_is_json = v->kind != JSON_KIND_STRING;
        p->body = p->body_is_json ? strndup(v->source, v->source_length) : strdup(v->string);
        return p->body ? 0 : -ENOMEM;
}

static int append_range(ProbeDefinition *p, uint16_t first, uint16_t last) {
        StatusRange *grown = reallocarray(p->expect_status, p->n_expect_status + 1, sizeof *grown);

        if (!grown)
                return -ENOMEM;
        p->expect_status = grown;
        p->expect_status[p->n_expect_status++] = (StatusRange){ first, last };
        return 0;
}

static int refuse_status(DefinitionReader *r, const JsonValue *v) {
        return definition_refuse(r, v, "expected %s", definition_field_find("expect_status", FIELD_OF_PROBE)->expects);
}

/* "200,204-299"; `v` is where it came from, NULL for the default. */
static int read_ranges(DefinitionReader *r, const JsonValue *v, const char *s, ProbeDefinition *p) {
        do {
                uint16_t first, last;
                int ret;

                if (p->n_expect_status >= STATUS_RANGES_MAX || !definition_next_status_range(&s, &first, &last))
                        return refuse_status(r, v);
                ret = append_range(p, first, last);
                if (ret < 0)
                        return ret;
        } while (*s);
        return 0;
}

static int read_one_status(DefinitionReader *r, const JsonValue *v, ProbeDefinition *p) {
        if (v->kind == JSON_KIND_STRING)
                return read_ranges(r, v, v->string, p);
        if (v->kind != JSON_KIND_INTEGER || v->integer < 100 || v->integer > 599 ||
            p->n_expect_status >= STATUS_RANGES_MAX)
                return refuse_status(r, v);
        return append_range(p, (uint16_t) v->integer, (uint16_t) v->integer);
}

static int read_expect_status(DefinitionReader *r, const JsonValue *object, ProbeDefinition *p) {
        const JsonValue *v = json_member(object, "expect_status");
        size_t mark = definition_enter(r, "expect_status"), i = 0;
        int ret = 0;

        if (!v)
                ret = read_ranges(r, NULL, definition_field_find("expect_status", FIELD_OF_PROBE)->standard, p);
        else if (v->kind != JSON_KIND_ARRAY)
                ret = read_one_status(r, v, p);
        else if (v->n_children == 0)
                ret = refuse_status(r, v);
        else
                for (const JsonValue *child = v->first; child && ret == 0; child = child->next, i++) {
                        size_t element = definition_enter_index(r, i);

                        ret = read_one_status(r, child, p);
                        if (ret == 0)
                                definition_leave(r, element);
                }
        if (ret != 0)
                return ret;
        definition_leave(r, mark);
        return 0;
}

static int read_expect_body(DefinitionReader *r, const JsonValue *object, ProbeDefinition *p) {
        const char *s = definition_string(object, "expect_body");

        if (s && strcmp(p->method, "HEAD") == 0)
                return definition_refuse_member(r, object, "expect_body", "the answer to HEAD has no body");
        return definition_copy(s, &p->expect_body);
}

int definition_read_http(DefinitionReader *r, const JsonValue *object, ProbeDefinition *p) {
        const DefinitionField *method = definition_field_find("method", FIELD_OF_PROBE);
        int ret;

        ret = definition_copy(method->words[definition_word(object, FIELD_OF_PROBE, "method")], &p->method);
        if (ret < 0)
                return ret;
        if ((ret = read_path(r, object, p)) != 0 || (ret = read_headers(r, object, p)) != 0 ||
            (ret = read_body(r, object, p)) != 0 || (ret = read_expect_status(r, object, p)) != 0)
                return ret;
        return read_expect_body(r, object, p);
}
