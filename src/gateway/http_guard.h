/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a request must be before anybody looks at what it asks for. Pure: the head of a request in, a verdict out.
 *
 * Whatever two readers could understand differently is refused, so that nothing can be smuggled past a router in front
 * of us (how lines and names are written is core/http_head.h's); and whatever a page of somebody else's could have a
 * browser send is. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        HTTP_BODY_MAX_BYTES = 256 * 1024,
        HTTP_STATUS_OK_TO_GO = 0,
};

/* What of a head matters here: filled by http_guard_add(), one header at a time; strings are borrowed. Zeroed, but for
 * method and version, at first. */
typedef struct HttpGuardHead {
        const char *method, *version;
        const char *host, *origin, *content_type, *fetch_site; /* NULL: not there */
        uint64_t content_length;
        unsigned n_hosts, n_origins, n_content_types, n_lengths;
        bool has_transfer_encoding, bad_length;
} HttpGuardHead;

void http_guard_add(HttpGuardHead *head, const char *name, const char *value);

/* What a Host may be besides the loopback's names. */
typedef struct HttpNames {
        const char *const *allowed; /* NULL at the end; NULL: none */
        const char *socket_path;    /* of the socket it came by, which clients of unix sockets put there, some in
                                     * hexadecimal;    NULL: TCP. No browser can mean that by a name */
} HttpNames;

/* The status to refuse it with, and why in *ret_text (static), or HTTP_STATUS_OK_TO_GO. */
unsigned http_guard_check(const HttpGuardHead *head, const HttpNames *names, const char **ret_text);

/* Whether the body is of that type: "application/json", with or without parameters. */
bool http_guard_is_type(const char *content_type, const char *wanted);
