/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/http_exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http_connection.h"

#define JSON "application/json"

/* For pages of ours to run nothing but what we sent, nowhere but on their own, and to tell nobody. */
static const char *const every_answer[][2] = {
        { "Cache-Control", "no-store" },
        { "X-Content-Type-Options", "nosniff" },
        { "Referrer-Policy", "same-origin" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
        { "Cross-Origin-Opener-Policy", "same-origin" },
};
static const char policy_rpc[] = "default-src 'none'; frame-ancestors 'none'; sandbox";
static const char policy_ui[] = "default-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; "
                                "form-action 'self'; frame-ancestors 'none'";

/* -- life -- */

HttpExchange *http_exchange_new(HttpConnection *c, struct MHD_Connection *mhd) {
        HttpExchange *x = calloc(1, sizeof *x);

        if (x)
                *x = (HttpExchange){ .connection = c, .mhd = mhd };
        return x;
}

int http_exchange_begin(HttpExchange *x, const char *path, const char *method) {
        x->path = strdup(path);
        x->method = method;
        return x->path ? 0 : -ENOMEM;
}

void http_exchange_free(HttpExchange *x) {
        if (!x)
                return;
        if (x->stream)
                http_stream_close(x->stream);
        if (x->body)
                x->connection->server->n_body_bytes -= x->n_body_expected;
        for (size_t i = 0; i < x->n_extra; i++) {
                free(x->extra[i].name);
                free(x->extra[i].value);
        }
        if (x->response)
                MHD_destroy_response(x->response);
        free(x->path);
        free(x->body);
        free(x);
}

/* -- the request -- */

HttpFace http_exchange_face(const HttpExchange *x) {
        return x->connection->listener->face;
}

const char *http_exchange_method(const HttpExchange *x) {
        return x->method;
}

const char *http_exchange_path(const HttpExchange *x) {
        return x->path;
}

const char *http_exchange_path_rest(const HttpExchange *x) {
        return x->path + x->n_path_prefix;
}

const char *http_exchange_query(const HttpExchange *x, const char *key) {
        return MHD_lookup_connection_value(x->mhd, MHD_GET_ARGUMENT_KIND, key);
}

const char *http_exchange_header(const HttpExchange *x, const char *name) {
        return MHD_lookup_connection_value(x->mhd, MHD_HEADER_KIND, name);
}

const Peer *http_exchange_peer(const HttpExchange *x) {
        return &x->connection->peer;
}

const char *http_exchange_body(const HttpExchange *x, size_t *ret_n) {
        *ret_n = x->n_body;
        return x->body;
}

/* -- the answer -- */

void http_exchange_add_header(HttpExchange *x, const char *name, const char *value) {
        char *name_copy = strdup(name), *value_copy = strdup(value);

        if (!name_copy || !value_copy || x->n_extra == HTTP_EXTRA_HEADERS_MAX) {
                free(name_copy);
                free(value_copy);
                return;
        }
        x->extra[x->n_extra].name = name_copy;
        x->extra[x->n_extra++].value = value_copy;
}

static bool has_extra(const HttpExchange *x, const char *name) {
        for (size_t i = 0; i < x->n_extra; i++)
                if (strcmp(x->extra[i].name, name) == 0)
                        return true;
        return false;
}

static void answer(HttpExchange *x, unsigned status, const char *content_type, struct MHD_Response *response) {
        if (!response) { /* no memory: the connection ends without an answer, which is one too */
                http_connection_cut(x->connection);
                return;
        }
        for (size_t i = 0; i < ELEMENTSOF(every_answer); i++)
                if (!has_extra(x, every_answer[i][0]))
                        (void) MHD_add_response_header(response, every_answer[i][0], every_answer[i][1]);
        if (!has_extra(x, "Content-Security-Policy"))
                (void) MHD_add_response_header(response, "Content-Security-Policy",
                                               x->connection->listener->face == HTTP_FACE_UI ? policy_ui : policy_rpc);
        if (content_type)
                (void) MHD_add_response_header(response, "Content-Type", content_type);
        for (size_t i = 0; i < x->n_extra; i++)
                (void) MHD_add_response_header(response, x->extra[i].name, x->extra[i].value);
        x->status = status;
        x->response = response;
        http_exchange_resume(x);
}

void http_exchange_reply(HttpExchange *x, unsigned status, const char *content_type, char *body, size_t n_body) {
        struct MHD_Response *response = MHD_create_response_from_buffer(n_body, body, MHD_RESPMEM_MUST_FREE);

        if (!response)
                free(body);
        answer(x, status, content_type, response);
}

void http_exchange_reply_static(HttpExchange *x, unsigned status, const char *content_type, const char *body,
                                size_t n_body) {
        answer(x, status, content_type, MHD_create_response_from_buffer(n_body, (char *) body, MHD_RESPMEM_PERSISTENT));
}

void http_exchange_reply_error(HttpExchange *x, unsigned status, const char *text) {
        char *body;
        int n = asprintf(&body, "{\"status\":%u,\"error\":\"%s\"}", status, text);

        http_exchange_reply(x, status, JSON, n < 0 ? NULL : body, n < 0 ? 0 : (size_t) n);
}

HttpStream *http_exchange_reply_stream(HttpExchange *x, const char *content_type, http_stream_closed_t closed,
                                       void *userdata) {
        struct MHD_Response *response = NULL;
        HttpStream *stream = http_stream_new(x, closed, userdata, &response);

        if (!stream) {
                http_exchange_reply_error(x, 503, "too many streams");
                return NULL;
        }
        x->stream = stream;
        answer(x, 200, content_type, response);
        return stream;
}
