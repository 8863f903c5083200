/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A JSON text for the strict reader. What it takes, json-c takes too, and both see the same; written anew and read
 * again it is the same; what it refuses, it names a place for. */
#include "fuzz_target.h"

#include <errno.h>
#include <json-c/json.h>

#include "core/json_strict.h"

static void write_string(FILE *f, const char *s) {
        fputc('"', f);
        for (; *s; s++)
                if (*s == '"' || *s == '\\' || (unsigned char) *s < 0x20)
                        fprintf(f, "\\u%04x", (unsigned) *s);
                else
                        fputc(*s, f);
        fputc('"', f);
}

static void write_value(FILE *f, const JsonValue *v);

static void write_children(FILE *f, const JsonValue *v) {
        for (const JsonValue *c = v->first; c; c = c->next) {
                if (c != v->first)
                        fputs(" ,", f);
                if (c->key) {
                        write_string(f, c->key);
                        fputs("\t:", f);
                }
                write_value(f, c);
        }
}

static void write_value(FILE *f, const JsonValue *v) {
        switch (v->kind) {
        case JSON_KIND_NULL:
                fputs("null", f);
                break;
        case JSON_KIND_BOOLEAN:
                fputs(v->boolean ? "true" : "false", f);
                break;
        case JSON_KIND_INTEGER:
                fprintf(f, "%lld", (long long) v->integer);
                break;
        case JSON_KIND_REAL:
                fwrite(v->source, 1, v->source_length, f);
                break;
        case JSON_KIND_STRING:
                write_string(f, v->string);
                break;
        case JSON_KIND_ARRAY:
        case JSON_KIND_OBJECT:
                fputc(v->kind == JSON_KIND_ARRAY ? '[' : '{', f);
                write_children(f, v);
                fputc(v->kind == JSON_KIND_ARRAY ? ']' : '}', f);
                break;
        }
}

static void claim_same(const JsonValue *a, const JsonValue *b) {
        const JsonValue *c, *d;

        CLAIM(a->kind == b->kind, "%d and %d", (int) a->kind, (int) b->kind);
        CLAIM(!a->key == !b->key && (!a->key || strcmp(a->key, b->key) == 0), "%s", a->key);
        switch (a->kind) {
        case JSON_KIND_NULL:
                break;
        case JSON_KIND_BOOLEAN:
                CLAIM(a->boolean == b->boolean, "boolean");
                break;
        case JSON_KIND_INTEGER:
                CLAIM(a->integer == b->integer, "%lld", (long long) a->integer);
                break;
        case JSON_KIND_REAL:
                CLAIM(a->source_length == b->source_length && memcmp(a->source, b->source, a->source_length) == 0,
                      "%.*s", (int) a->source_length, a->source);
                break;
        case JSON_KIND_STRING:
                CLAIM(strcmp(a->string, b->string) == 0, "%s", a->string);
                break;
        case JSON_KIND_ARRAY:
        case JSON_KIND_OBJECT:
                CLAIM(a->n_children == b->n_children, "%zu", a->n_children);
                for (c = a->first, d = b->first; c && d; c = c->next, d = d->next)
                        claim_same(c, d);
                CLAIM(!c && !d, "as many as are counted");
                break;
        }
}

static void claim_reads_again(const JsonValue *v) {
        _cleanup_(json_document_freep) JsonDocument *d = NULL;
        _cleanup_free_ char *text = NULL, *message = NULL;
        size_t n;
        FILE *f = open_memstream(&text, &n);

        write_value(f, v);
        fclose(f);
        CLAIM(json_strict_parse(text, n, &d, &message) == 0, "%s: %s", text, message);
        claim_same(v, d->values);
}

static void claim_json_c_sees(const JsonValue *v, struct json_object *o) {
        size_t i = 0;

        switch (v->kind) {
        case JSON_KIND_NULL:
                CLAIM(!o, "null");
                break;
        case JSON_KIND_BOOLEAN:
                CLAIM(json_object_is_type(o, json_type_boolean) && json_object_get_boolean(o) == v->boolean, "boolean");
                break;
        case JSON_KIND_INTEGER:
                CLAIM(json_object_is_type(o, json_type_int) && json_object_get_int64(o) == v->integer, "%lld",
                      (long long) v->integer);
                break;
        case JSON_KIND_REAL:
                CLAIM(json_object_is_type(o, json_type_double), "%.*s", (int) v->source_length, v->source);
                break;
        case JSON_KIND_STRING:
                CLAIM(json_object_is_type(o, json_type_string) && strcmp(json_object_get_string(o), v->string) == 0,
                      "%s", v->string);
                break;
        case JSON_KIND_ARRAY:
                CLAIM(json_object_is_type(o, json_type_array) && json_object_array_length(o) == v->n_children, "array");
                for (const JsonValue *c = v->first; c; c = c->next)
                        claim_json_c_sees(c, json_object_array_get_idx(o, i++));
                break;
        case JSON_KIND_OBJECT:
                CLAIM(json_object_is_type(o, json_type_object) &&
                              (size_t) json_object_object_length(o) == v->n_children,
                      "object");
                for (const JsonValue *c = v->first; c; c = c->next) {
                        struct json_object *member;

                        CLAIM(json_object_object_get_ex(o, c->key, &member), "%s", c->key);
                        CLAIM(json_member(v, c->key) == c, "%s", c->key);
                        claim_json_c_sees(c, member);
                }
                break;
        }
}

static void claim_json_c_takes(const char *text, size_t n, const JsonValue *v) {
        struct json_tokener *tokener = json_tokener_new();
        struct json_object *o;

        o = json_tokener_parse_ex(tokener, text, (int) n);
        if (!o && json_tokener_get_error(tokener) == json_tokener_continue) /* a number may go on */
                o = json_tokener_parse_ex(tokener, "", -1);
        CLAIM(json_tokener_get_error(tokener) == json_tokener_success, "%.*s: %s", (int) n, text,
              json_tokener_error_desc(json_tokener_get_error(tokener)));
        claim_json_c_sees(v, o);
        json_object_put(o);
        json_tokener_free(tokener);
}

/* The spans of a top-level array are its elements. */
static void claim_spans(const char *text, const JsonValue *v, const JsonSpan *spans, size_t n) {
        const JsonValue *c = v->kind == JSON_KIND_ARRAY ? v->first : v;

        for (size_t i = 0; i < n; i++, c = c->next) {
                CLAIM(c, "as many spans as values");
                CLAIM(text + spans[i].offset == c->source && spans[i].length == c->source_length, "span %zu", i);
                if (v->kind != JSON_KIND_ARRAY)
                        return;
        }
        CLAIM(!c, "as many spans as values");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        /* Without a NUL behind it: the reader is given a length. */
        _cleanup_free_ char *text = malloc(size ? size : 1), *message = NULL, *check_message = NULL;
        _cleanup_(json_document_freep) JsonDocument *d = NULL;
        _cleanup_free_ JsonSpan *spans = NULL;
        size_t n_spans = 0;
        int r, q;

        memcpy(text, data, size);
        r = json_strict_parse(text, size, &d, &message);
        q = json_strict_check(text, size, &spans, &n_spans, &check_message);
        CLAIM(r == q, "%d and %d", r, q);
        if (r < 0) {
                CLAIM(r == -EBADMSG && message && strcmp(message, check_message) == 0, "%d", r);
                CLAIM(strncmp(message, "line ", 5) == 0 && strstr(message, ": expected ") &&
                              strstr(message, ", found "),
                      "%s", message);
                CLAIM(is_printable_line(message), "%s", message);
                return 0;
        }
        claim_spans(text, d->values, spans, n_spans);
        claim_reads_again(d->values);
        claim_json_c_takes(text, size, d->values);
        return 0;
}
