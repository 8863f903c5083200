/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One request and its answer. A handler (http_server.h) gets it when the request is there in full and has passed
 * http_guard.h, and answers it exactly once, now or later: until then it is its handler's, and does not go away. */

#include <stdbool.h>
#include <stddef.h>

#include "gateway/authority.h"
#include "gateway/http_stream.h"

typedef enum HttpFace {
        HTTP_FACE_RPC = 1 << 0, /* rpc.sock: for programs; never HTML */
        HTTP_FACE_UI = 1 << 1,  /* ui.sock, admin.sock and TCP: for browsers; never POST /rpc */
} HttpFace;

typedef struct HttpExchange HttpExchange;

HttpFace http_exchange_face(const HttpExchange *x);
const char *http_exchange_method(const HttpExchange *x);
/* Unescaped, without the query; "/" at its start. */
const char *http_exchange_path(const HttpExchange *x);
/* What follows the part of the path that the route ends with '*' after; "" where it does not. */
const char *http_exchange_path_rest(const HttpExchange *x);
/* A parameter of the query, unescaped; NULL: not there. */
const char *http_exchange_query(const HttpExchange *x, const char *key);
/* NULL: not there. Says nothing about who is asking: anybody can write anything there. */
const char *http_exchange_header(const HttpExchange *x, const char *name);
/* Who is asking, by the kernel's word. */
const Peer *http_exchange_peer(const HttpExchange *x);
/* NUL follows the last byte, and may stand among them. */
const char *http_exchange_body(const HttpExchange *x, size_t *ret_n);

/* Before the answer; both strings are copied. */
void http_exchange_add_header(HttpExchange *x, const char *name, const char *value);

/* Answers. `body` is taken, and freed also where it cannot be sent; NULL: there was no memory for it, and 503 is said.
 */
void http_exchange_reply(HttpExchange *x, unsigned status, const char *content_type, char *body, size_t n_body);
/* The same with bytes that last as long as the program. */
void http_exchange_reply_static(HttpExchange *x, unsigned status, const char *content_type, const char *body,
                                size_t n_body);
/* {"status": …, "error": "text"} as JSON; a text that needs no escapes. */
void http_exchange_reply_error(HttpExchange *x, unsigned status, const char *text);

/* Answers with a body that has no end yet. `closed` is told when the client is gone or was cut off, whether or not the
 * stream was ended; after it the stream is no more. NULL where there is none to write to, and the answer was given: 503
 * where there are too many, and to HEAD. */
HttpStream *http_exchange_reply_stream(HttpExchange *x, const char *content_type, http_stream_closed_t closed,
                                       void *userdata);
