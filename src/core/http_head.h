/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The head of a request, taken apart as RFC 9112 has it and no other way: lines end in CR LF, nothing is folded,
 * nothing stands before a colon. Where readers are known to differ it is an error here, so that no request can mean one
 * thing to a router in front and another to us. Pure; works in place. */

#include <stddef.h>

enum {
        HTTP_HEAD_MAX_BYTES = 16 * 1024,
        HTTP_TARGET_MAX_BYTES = 8 * 1024,
        HTTP_FIELDS_MAX = 64,
};

typedef struct HttpField {
        const char *name, *value; /* without blanks around it */
} HttpField;

typedef struct HttpRequestHead {
        const char *method, *target, *version;
        HttpField fields[HTTP_FIELDS_MAX];
        size_t n_fields;
} HttpRequestHead;

/* Where the first head in `bytes` ends: the number of bytes up to behind its empty line, or up to a line end that makes
 * it none; 0 while it is not all there. */
size_t http_head_length(const char *bytes, size_t n);

/* Takes apart what http_head_length() found. The strings of *ret point into `bytes`, which is written to. 0, or the
 * status to refuse it with, and *ret_text (static) says why. */
unsigned http_head_parse(char *bytes, size_t n, HttpRequestHead *ret, const char **ret_text);

/* The value of a field, by its name in any case; of several the first. NULL: there is none. */
const char *http_head_field(const HttpRequestHead *head, const char *name);
/* Whether the comma-separated list that a field is holds that word. */
int http_head_lists(const HttpRequestHead *head, const char *name, const char *word);
