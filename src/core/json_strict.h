/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A strict JSON reader (RFC 8259), for text that must mean the same thing to everyone. Pure.
 *
 * json-c 0.16 takes 'single quotes', NaN, duplicate keys and integers beyond 64 bits even in its strict mode, says only
 * "parse error" with a byte offset, and drops members without a word when memory runs out while it builds the tree. So
 * definitions are read here. Others may call json_strict_check() first and json-c afterwards.
 *
 * Beyond RFC 8259, refused are: duplicate keys in one object (compared after their escapes are undone), text that is
 * not UTF-8 or starts with a byte order mark, lone surrogates, "\u0000" (strings become C strings), integers outside
 * int64, numbers of 1e308 and more, and nesting deeper than JSON_STRICT_DEPTH_MAX. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

enum {
        /* Of objects and arrays; also bounds this reader's recursion. json-c's default limit of 32 counts the scalar
         * inside the innermost one too, and must take what was taken here. */
        JSON_STRICT_DEPTH_MAX = 31,
};

typedef enum JsonKind {
        JSON_KIND_NULL,
        JSON_KIND_BOOLEAN,
        JSON_KIND_INTEGER, /* no fraction, no exponent */
        JSON_KIND_REAL,    /* any other number; only its source is kept */
        JSON_KIND_STRING,
        JSON_KIND_ARRAY,
        JSON_KIND_OBJECT,
} JsonKind;

/* One value of a document, which owns it. `source` is the value exactly as it stands in the text, and borrows that. */
typedef struct JsonValue {
        JsonKind kind;
        const char *key; /* of a member of an object, escapes undone; else NULL */
        const char *source;
        size_t source_length;
        const struct JsonValue *next; /* the next element or member of the same array or object */
        union {
                bool boolean;
                int64_t integer;
                const char *string; /* escapes undone, UTF-8 */
                struct {
                        const struct JsonValue *first; /* of an array or object, in the text's order */
                        size_t n_children;
                };
        };
} JsonValue;

typedef struct JsonDocument {
        JsonValue *values; /* the root first */
        char *strings;
} JsonDocument;

typedef struct JsonSpan {
        size_t offset, length;
} JsonSpan;

/* Checks the whole text. Where `ret_elements` is not NULL it gets the byte range of each element of a top-level array,
 * or of the one value where there is no array; free it (NULL for an empty array).
 *
 * -EBADMSG: *reterr_message says "line 3, column 7: expected ',' or '}', found 'x'"; columns count characters from 1.
 * -ENOMEM. */
int json_strict_check(const char *text, size_t length, JsonSpan **ret_elements, size_t *ret_n, char **reterr_message);

/* Checks, then gives the document; `text` must outlive it. Errors as above. */
int json_strict_parse(const char *text, size_t length, JsonDocument **ret, char **reterr_message);

JsonDocument *json_document_free(JsonDocument *d);
DEFINE_CLEANUP(JsonDocument *, json_document_free)

/* The member of that name, or NULL; also where `object` is NULL. */
const JsonValue *json_member(const JsonValue *object, const char *key);
