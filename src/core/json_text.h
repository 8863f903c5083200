/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Writes JSON text, value after value, into one growing string: no tree is built for what is only to be sent. Commas
 * come by themselves. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

typedef struct JsonText {
        char *text; /* NUL-terminated; NULL: nothing yet */
        size_t n, n_allocated;
        bool failed; /* memory ran out: what is there is not to be used */
} JsonText;

void json_text_done(JsonText *t);
/* The text, to be freed; NULL where it failed or is empty. */
char *json_text_take(JsonText *t, size_t *ret_n);

/* '{' or '['. */
void json_text_open(JsonText *t, char bracket);
void json_text_close(JsonText *t, char bracket);
void json_text_key(JsonText *t, const char *key); /* then comes its value */

/* Bytes that are not UTF-8 become U+FFFD; NULL becomes null. */
void json_text_string(JsonText *t, const char *s);
void json_text_bytes(JsonText *t, const char *s, size_t n);
void json_text_integer(JsonText *t, int64_t value);
void json_text_unsigned(JsonText *t, uint64_t value);
void json_text_boolean(JsonText *t, bool value);
/* A value that is JSON already. */
void json_text_raw(JsonText *t, const char *json, size_t n);

/* Key and value. */
void json_text_add_string(JsonText *t, const char *key, const char *value);
void json_text_add_unsigned(JsonText *t, const char *key, uint64_t value);
void json_text_add_boolean(JsonText *t, const char *key, bool value);
void json_text_add_raw(JsonText *t, const char *key, const char *json);
