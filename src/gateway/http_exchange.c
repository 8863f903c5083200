/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/http_exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text_stream.h"
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
#define POLICY "Content-Security-Policy"
static const char policy_rpc[] = "default-src 'none'; frame-ancestors 'none'; sandbox";
static const char policy_ui[] = "default-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; "
                                "form-action 'self'; frame-ancestors 'none'";

/* -- the request -- */

HttpFace http_exchange_face(const HttpExchange *x) {
        return x->connection->listener->face;
}

const char *http_exchange_method(const HttpExchange *x) {
        return x->head.method;
}

const char *http_exchange_path(const HttpExchange *x) {
        return x->target.path;
}

const char *http_exchange_path_rest(const HttpExchange *x) {
        return x->target.path + x->n_path_prefix;
}

const char *http_exchange_query(const HttpExchange *x, const char *key) {
        for (size_t i = 0; i < x->target.n_parameters; i++)
                if (strcmp(x->target.parameters[i].key, key) == 0)
                        return x->target.parameters[i].value;
        return NULL;
}

const char *http_exchange_header(const HttpExchange *x, const char *name) {
        return http_head_field(&x->head, name);
}

const Peer *http_exchange_peer(const HttpExchange *x) {
        return &x->connection->peer;
}

const char *http_exchange_body(const HttpExchange *x, size_t *ret_n) {
        *ret_n = x->n_body;
        return x->body ? x->body : "";
}

/* -- its head -- */

static const char *text_of_refusal(unsigned status) {
        return status == 404   ? "there is nothing of that name here"
               : status == 405 ? "this is not to be had by that method"
                               : "expected another Content-Type";
}

static unsigned check(HttpExchange *x, HttpGuardHead *guard, const char **ret_text) {
        const HttpServer *s = x->connection->server;
        const HttpNames names = { s->allowed_hosts, x->connection->listener->path };
        unsigned status;

        for (size_t i = 0; i < x->head.n_fields; i++)
                http_guard_add(guard, x->head.fields[i].name, x->head.fields[i].value);
        status = http_guard_check(guard, &names, ret_text);
        if (status == HTTP_STATUS_OK_TO_GO && !http_target_parse((char *) x->head.target, &x->target))
                return *ret_text = "expected a path, and no control characters in it", 400;
        if (status == HTTP_STATUS_OK_TO_GO)
                status = http_server_route(s, x);
        if (status == HTTP_STATUS_OK_TO_GO && x->route->type &&
            !http_guard_is_type(guard->content_type, x->route->type))
                status = 415;
        if (status == HTTP_STATUS_OK_TO_GO && s->n_body_bytes + guard->content_length > HTTP_BODIES_MAX_BYTES)
                return *ret_text = "too many requests with bodies at a time", 503;
        return status;
}

/* Is it one that we deal with? Else it is answered now, and its body never looked at. */
static void receive(HttpExchange *x, size_t n) {
        HttpGuardHead guard = { .version = "" };
        const char *text = NULL;
        unsigned status = n == 0 ? 431 : http_head_parse(x->bytes, n, &x->head, &text);

        if (n == 0)
                text = "expected at most 16 KiB of headers";
        x->n_body_expected = SIZE_MAX; /* nobody knows, unless the head says so */
        if (status == HTTP_STATUS_OK_TO_GO) {
                guard.method = x->head.method;
                guard.version = x->head.version;
                status = check(x, &guard, &text);
                if (!guard.has_transfer_encoding && !guard.bad_length)
                        x->n_body_expected = (size_t) guard.content_length;
        }
        if (status == HTTP_STATUS_OK_TO_GO && x->n_body_expected > 0) {
                x->body = malloc(x->n_body_expected + 1);
                x->connection->server->n_body_bytes += x->body ? x->n_body_expected : 0;
                if (!x->body) {
                        status = 503;
                        text = "out of memory";
                }
        }
        if (status == 405)
                http_exchange_add_header(x, "Allow",
                                         !x->has_get   ? "POST"
                                         : x->has_post ? "GET, HEAD, POST"
                                                       : "GET, HEAD");
        if (status != HTTP_STATUS_OK_TO_GO)
                http_exchange_reply_error(x, status, text ? text : text_of_refusal(status));
}

int http_exchange_new(HttpConnection *c, const char *bytes, size_t n, HttpExchange **ret) {
        HttpExchange *x = calloc(1, sizeof *x);

        if (!x)
                return -ENOMEM;
        x->connection = c;
        x->bytes = malloc(n + 1);
        if (!x->bytes) {
                free(x);
                return -ENOMEM;
        }
        memcpy(x->bytes, bytes, n);
        x->bytes[n] = '\0';
        receive(x, n);
        *ret = x;
        return 0;
}

void http_exchange_dispatch(HttpExchange *x) {
        if (x->body)
                x->body[x->n_body] = '\0';
        x->route->handle(x, x->userdata);
}

void http_exchange_free(HttpExchange *x) {
        if (!x)
                return;
        if (x->body)
                x->connection->server->n_body_bytes -= x->n_body_expected;
        for (size_t i = 0; i < x->n_extra; i++) {
                free(x->extra[i].name);
                free(x->extra[i].value);
        }
        free(x->bytes);
        free(x->body);
        free(x);
}

/* -- the answer -- */

void http_exchange_add_header(HttpExchange *x, const char *name, const char *value) {
        char *name_copy = strdup(name), *value_copy = strdup(value);

        if (!name_copy || !value_copy || x->n_extra == HTTP_EXTRA_HEADERS_MAX || strpbrk(value, "\r\n")) {
                x->lacks_header = x->lacks_header || !name_copy || !value_copy;
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

static const char *reason_phrase(unsigned status) {
        static const struct {
                unsigned status;
                const char *text;
        } phrases[] = {
                { 200, "OK" },
                { 204, "No Content" },
                { 303, "See Other" },
                { 304, "Not Modified" },
                { 400, "Bad Request" },
                { 403, "Forbidden" },
                { 404, "Not Found" },
                { 405, "Method Not Allowed" },
                { 411, "Length Required" },
                { 413, "Content Too Large" },
                { 414, "URI Too Long" },
                { 415, "Unsupported Media Type" },
                { 431, "Request Header Fields Too Large" },
                { 503, "Service Unavailable" },
                { 505, "HTTP Version Not Supported" },
        };

        for (size_t i = 0; i < ELEMENTSOF(phrases); i++)
                if (phrases[i].status == status)
                        return phrases[i].text;
        return "Unspecified";
}

/* Another request may follow where this one was taken in to its end, and nobody asked for the opposite. Who is refused
 * may be somebody whose requests we tell apart otherwise than he does. */
static bool may_keep(const HttpExchange *x, unsigned status) {
        return status < 400 && x->n_body == x->n_body_expected && x->head.version &&
               strcmp(x->head.version, "HTTP/1.1") == 0 && !http_head_lists(&x->head, "Connection", "close");
}

static void print_date(FILE *f) {
        time_t now = time(NULL);
        char date[64];
        struct tm tm;

        if (gmtime_r(&now, &tm) && strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
                fprintf(f, "Date: %s\r\n", date);
}

/* n_body SIZE_MAX: the body ends with the connection. */
static char *compose(const HttpExchange *x, unsigned status, const char *content_type, size_t n_body, size_t *ret_n) {
        char *head = NULL;
        FILE *f = x->lacks_header ? NULL : text_stream_open(&head, ret_n);

        if (!f)
                return NULL;
        fprintf(f, "HTTP/1.1 %u %s\r\n", status, reason_phrase(status));
        print_date(f);
        if (!x->connection->is_kept)
                fputs("Connection: close\r\n", f);
        for (size_t i = 0; i < ELEMENTSOF(every_answer); i++)
                if (!has_extra(x, every_answer[i][0]))
                        fprintf(f, "%s: %s\r\n", every_answer[i][0], every_answer[i][1]);
        if (!has_extra(x, POLICY))
                fprintf(f, POLICY ": %s\r\n", http_exchange_face(x) == HTTP_FACE_UI ? policy_ui : policy_rpc);
        if (content_type)
                fprintf(f, "Content-Type: %s\r\n", content_type);
        if (n_body != SIZE_MAX && status != 204 && status != 304)
                fprintf(f, "Content-Length: %zu\r\n", n_body);
        for (size_t i = 0; i < x->n_extra; i++)
                fprintf(f, "%s: %s\r\n", x->extra[i].name, x->extra[i].value);
        fputs("\r\n", f);
        if (fclose(f) != 0) {
                free(head);
                return NULL;
        }
        return head;
}

static bool is_head(const HttpExchange *x) {
        return x->head.method && strcmp(x->head.method, "HEAD") == 0;
}

static void answer(HttpExchange *x, unsigned status, const char *content_type, char *body, size_t n_body,
                   bool is_static) {
        HttpConnection *c = x->connection;
        x->is_answered = true;
        c->is_kept = n_body != SIZE_MAX && may_keep(x, status);
        c->out_head = compose(x, status, content_type, n_body, &c->n_out_head);
        if (!c->out_head || is_head(x) || n_body == SIZE_MAX) {
                if (!is_static)
                        free(body);
                body = NULL;
                n_body = 0;
        }
        c->out_body = body;
        c->n_out_body = n_body;
        c->out_body_is_static = is_static;
        if (!c->out_head) /* no memory: the connection ends without an answer, which is one too */
                c->is_gone = true;
        http_connection_answer(c);
}

void http_exchange_reply(HttpExchange *x, unsigned status, const char *content_type, char *body, size_t n_body) {
        static const char no_memory[] = "{\"status\":503,\"error\":\"out of memory\"}";

        /* An empty 200 would pass for an answer. */
        if (!body)
                answer(x, 503, JSON, (char *) no_memory, sizeof no_memory - 1, true);
        else
                answer(x, status, content_type, body, n_body, false);
}

void http_exchange_reply_static(HttpExchange *x, unsigned status, const char *content_type, const char *body,
                                size_t n_body) {
        answer(x, status, content_type, (char *) body, n_body, true);
}

void http_exchange_reply_error(HttpExchange *x, unsigned status, const char *text) {
        char *body;
        int n = asprintf(&body, "{\"status\":%u,\"error\":\"%s\"}", status, text);

        http_exchange_reply(x, status, JSON, n < 0 ? NULL : body, n < 0 ? 0 : (size_t) n);
}

HttpStream *http_exchange_reply_stream(HttpExchange *x, const char *content_type, http_stream_closed_t closed,
                                       void *userdata) {
        HttpStream *stream;

        if (is_head(x)) {
                http_exchange_reply_static(x, 200, content_type, "", 0);
                return NULL;
        }
        stream = http_stream_new(x->connection, closed, userdata);
        if (!stream) {
                http_exchange_reply_error(x, 503, "too many streams");
                return NULL;
        }
        x->connection->stream = stream;
        answer(x, 200, content_type, NULL, SIZE_MAX, true);
        return stream;
}
