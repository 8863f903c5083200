/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/json_strict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/json_scan.h"

/* A key as it stands in the text, between its quotes: keys are compared without a copy. */
typedef struct Key {
        const char *raw;
        size_t length;
} Key;

/* The text is walked twice by the same functions. The first walk checks and counts; the second, over text known to be
 * good, fills in arrays of exactly the size counted, so that building cannot fail half way. */
typedef struct Parser {
        JsonScanner scan;
        Key *keys; /* of all objects open at this point, innermost last */
        size_t n_keys, n_keys_allocated;
        JsonSpan *elements; /* of the top-level array */
        size_t n_elements, n_elements_allocated;
        bool want_elements;
        JsonValue *values; /* NULL in the first walk */
        size_t n_values;
        char *strings;
        size_t n_string_bytes;
} Parser;

static int grow(void **array, size_t *n_allocated, size_t n, size_t size) {
        size_t wanted = *n_allocated ? *n_allocated * 2 : 16;
        void *grown;

        if (n < *n_allocated)
                return 0;
        grown = reallocarray(*array, wanted, size);
        if (!grown)
                return -ENOMEM;
        *array = grown;
        *n_allocated = wanted;
        return 0;
}

/* Keys */

static int compare_keys(const Key *a, const Key *b) {
        JsonScanner sa = { .text = a->raw, .length = a->length }, sb = { .text = b->raw, .length = b->length };

        while (sa.at < sa.length && sb.at < sb.length) {
                uint32_t ca = 0, cb = 0;

                /* Both were walked before: they cannot fail. */
                (void) json_scan_character(&sa, &ca);
                (void) json_scan_character(&sb, &cb);
                if (ca != cb)
                        return ca < cb ? -1 : 1;
        }
        return (sa.at < sa.length) - (sb.at < sb.length);
}

static int compare_keys_then_places(const void *a, const void *b) {
        const Key *ka = a, *kb = b;
        int r = compare_keys(ka, kb);

        return r != 0 ? r : (ka->raw > kb->raw) - (ka->raw < kb->raw);
}

/* Sorting, not comparing each with each: an object of a hundred thousand keys must not stop the server. */
static int refuse_duplicate_keys(Parser *p, size_t first) {
        const char *second = NULL;

        qsort(p->keys + first, p->n_keys - first, sizeof p->keys[0], compare_keys_then_places);
        for (size_t i = first + 1; i < p->n_keys; i++)
                if (compare_keys(&p->keys[i - 1], &p->keys[i]) == 0 && (!second || p->keys[i].raw < second))
                        second = p->keys[i].raw;
        p->n_keys = first;
        return second ? json_scan_fail_at(&p->scan, (size_t) (second - p->scan.text) - 1, "each key once in an object")
                      : 0;
}

/* Strings go one after the other into the document's one buffer. */
static int take_string(Parser *p, const char **ret) {
        char *start = p->strings ? p->strings + p->n_string_bytes : NULL, *end = start;
        int r;

        r = json_scan_string(&p->scan, start, &end);
        if (r < 0)
                return r;
        p->n_string_bytes += (size_t) (end - start);
        *ret = start;
        return 0;
}

static int take_number(Parser *p, JsonValue *v) {
        int64_t integer;
        bool real;
        int r;

        r = json_scan_number(&p->scan, &integer, &real);
        if (r < 0)
                return r;
        if (v) {
                v->kind = real ? JSON_KIND_REAL : JSON_KIND_INTEGER;
                v->integer = integer;
        }
        return 0;
}

static int take_key(Parser *p, const char **ret) {
        size_t start = p->scan.at;
        int r;

        if (json_scan_peek(&p->scan) != '"')
                return json_scan_fail(&p->scan, "a key in double quotes");
        r = take_string(p, ret);
        if (r < 0 || p->values)
                return r;
        r = grow((void **) &p->keys, &p->n_keys_allocated, p->n_keys, sizeof p->keys[0]);
        if (r < 0)
                return r;
        p->keys[p->n_keys++] = (Key){ p->scan.text + start + 1, p->scan.at - start - 2 };
        return 0;
}

/* Values */

static int take_value(Parser *p, unsigned depth, JsonValue *v);

static JsonValue *new_value(Parser *p) {
        size_t i = p->n_values++;

        return p->values ? &p->values[i] : NULL;
}

static int note_element(Parser *p, size_t start) {
        int r;

        r = grow((void **) &p->elements, &p->n_elements_allocated, p->n_elements, sizeof p->elements[0]);
        if (r < 0)
                return r;
        p->elements[p->n_elements++] = (JsonSpan){ start, p->scan.at - start };
        return 0;
}

/* One element or member with the blanks around it, appended to `parent`. */
static int take_child(Parser *p, unsigned depth, JsonValue *parent, JsonValue **last, bool in_object) {
        const char *key = NULL;
        JsonValue *v;
        size_t start;
        int r;

        json_scan_space(&p->scan);
        if (in_object) {
                r = take_key(p, &key);
                if (r < 0)
                        return r;
                json_scan_space(&p->scan);
                if (json_scan_peek(&p->scan) != ':')
                        return json_scan_fail(&p->scan, "':'");
                p->scan.at++;
                json_scan_space(&p->scan);
        }
        start = p->scan.at;
        v = new_value(p);
        r = take_value(p, depth + 1, v);
        if (r < 0)
                return r;
        if (v) {
                v->key = key;
                if (*last)
                        (*last)->next = v;
                else
                        parent->first = v;
                *last = v;
                parent->n_children++;
        }
        r = depth == 1 && !in_object && p->want_elements ? note_element(p, start) : 0;
        if (r < 0)
                return r;
        json_scan_space(&p->scan);
        return 0;
}

static int take_container(Parser *p, unsigned depth, JsonValue *v, bool in_object) {
        const char closing = in_object ? '}' : ']';
        size_t first_key = p->n_keys;
        JsonValue *last = NULL;
        int r;

        if (depth > JSON_STRICT_DEPTH_MAX)
                return json_scan_fail(&p->scan, "at most 31 levels of nesting");
        if (v)
                v->kind = in_object ? JSON_KIND_OBJECT : JSON_KIND_ARRAY;
        p->scan.at++;
        json_scan_space(&p->scan);
        if (json_scan_peek(&p->scan) == closing) {
                p->scan.at++;
                return 0;
        }
        for (;;) {
                r = take_child(p, depth, v, &last, in_object);
                if (r < 0)
                        return r;
                if (json_scan_peek(&p->scan) == closing)
                        break;
                if (json_scan_peek(&p->scan) != ',')
                        return json_scan_fail(&p->scan, in_object ? "',' or '}'" : "',' or ']'");
                p->scan.at++;
        }
        p->scan.at++;
        return in_object && !p->values ? refuse_duplicate_keys(p, first_key) : 0;
}

static int take_literal(Parser *p, JsonValue *v) {
        static const struct {
                const char *word;
                JsonKind kind;
                bool boolean;
        } literals[] = { { "true", JSON_KIND_BOOLEAN, true },
                         { "false", JSON_KIND_BOOLEAN, false },
                         { "null", JSON_KIND_NULL, false } };

        for (size_t i = 0; i < ELEMENTSOF(literals); i++) {
                size_t n = strlen(literals[i].word);

                if (p->scan.length - p->scan.at < n || memcmp(p->scan.text + p->scan.at, literals[i].word, n) != 0)
                        continue;
                p->scan.at += n;
                if (v) {
                        v->kind = literals[i].kind;
                        v->boolean = literals[i].boolean;
                }
                return 0;
        }
        return json_scan_fail(&p->scan, "a JSON value");
}

static int take_value(Parser *p, unsigned depth, JsonValue *v) {
        size_t start = p->scan.at;
        const char *string = NULL;
        char c = json_scan_peek(&p->scan);
        int r;

        if (c == '{' || c == '[')
                r = take_container(p, depth, v, c == '{');
        else if (c == '"') {
                r = take_string(p, &string);
                if (v) {
                        v->kind = JSON_KIND_STRING;
                        v->string = string;
                }
        } else if (c == '-' || (c >= '0' && c <= '9'))
                r = take_number(p, v);
        else
                r = take_literal(p, v);
        if (r < 0)
                return r;
        if (v) {
                v->source = p->scan.text + start;
                v->source_length = p->scan.at - start;
        }
        return 0;
}

static int take_text(Parser *p) {
        bool is_array;
        size_t start;
        int r;

        json_scan_space(&p->scan);
        start = p->scan.at;
        is_array = json_scan_peek(&p->scan) == '[';
        r = take_value(p, 1, new_value(p));
        if (r < 0)
                return r;
        if (p->want_elements && !is_array) {
                r = note_element(p, start);
                if (r < 0)
                        return r;
        }
        json_scan_space(&p->scan);
        return p->scan.at < p->scan.length ? json_scan_fail(&p->scan, "nothing after the value") : 0;
}

static void parser_done(Parser *p) {
        free(p->scan.message);
        free(p->keys);
        free(p->elements);
}

int json_strict_check(const char *text, size_t length, JsonSpan **ret_elements, size_t *ret_n, char **reterr_message) {
        _cleanup_(parser_done)
                Parser p = { .scan = { .text = text, .length = length }, .want_elements = ret_elements != NULL };
        int r;

        r = take_text(&p);
        if (r < 0) {
                if (r == -EBADMSG)
                        *reterr_message = TAKE_PTR(p.scan.message);
                return r;
        }
        if (ret_elements) {
                *ret_elements = TAKE_PTR(p.elements);
                *ret_n = p.n_elements;
        }
        return 0;
}

int json_strict_parse(const char *text, size_t length, JsonDocument **ret, char **reterr_message) {
        _cleanup_(parser_done) Parser p = { .scan = { .text = text, .length = length } };
        _cleanup_(json_document_freep) JsonDocument *d = NULL;
        int r;

        r = take_text(&p);
        if (r < 0) {
                if (r == -EBADMSG)
                        *reterr_message = TAKE_PTR(p.scan.message);
                return r;
        }
        d = calloc(1, sizeof *d);
        if (!d)
                return -ENOMEM;
        d->values = calloc(p.n_values, sizeof d->values[0]);
        d->strings = malloc(length);
        if (!d->values || !d->strings)
                return -ENOMEM;

        p.values = d->values;
        p.strings = d->strings;
        p.scan.at = p.n_values = 0;
        r = take_text(&p);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}

JsonDocument *json_document_free(JsonDocument *d) {
        if (!d)
                return NULL;
        free(d->values);
        free(d->strings);
        free(d);
        return NULL;
}

const JsonValue *json_member(const JsonValue *object, const char *key) {
        if (!object || object->kind != JSON_KIND_OBJECT)
                return NULL;
        for (const JsonValue *v = object->first; v; v = v->next)
                if (strcmp(v->key, key) == 0)
                        return v;
        return NULL;
}
