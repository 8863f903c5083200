/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/http_server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gateway/http_connection.h"

enum {
        /* Of one connection, in the library: the head of a request and that of its answer. */
        CONNECTION_MEMORY_BYTES = HTTP_HEAD_MAX_BYTES + 8 * 1024,
        /* Who is refused may be sending still, and hears nothing when we hang up meanwhile. So it may finish, up to
           here. */
        DRAIN_MAX_BYTES = 1024 * 1024,
};

/* -- the library's loop within ours -- */

static void run(HttpServer *s) {
        MHD_UNSIGNED_LONG_LONG msec;

        (void) MHD_run(s->daemon);
        /* It has no time-outs of its own here: it either has more to do at once, or waits for its sockets. */
        if (MHD_get_timeout(s->daemon, &msec) == MHD_YES && msec == 0)
                http_server_kick(s);
}

static int on_epoll(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        (void) source;
        (void) fd;
        (void) events;
        run(userdata);
        return 0;
}

static int on_kick(sd_event_source *source, void *userdata) {
        (void) source;
        run(userdata);
        return 0;
}

void http_server_kick(HttpServer *s) {
        (void) sd_event_source_set_enabled(s->kick, SD_EVENT_ONESHOT);
}

static void on_library_log(void *userdata, const char *format, va_list ap) _printf_(2, 0);

static void on_library_log(void *userdata, const char *format, va_list ap) {
        char text[256];

        (void) userdata;
        (void) vsnprintf(text, sizeof text, format, ap);
        log_debug("libmicrohttpd: %s", text);
}

/* -- routes -- */

static bool route_fits(const HttpRoute *r, const char *path, size_t *ret_n_prefix) {
        size_t n = strlen(r->path);

        if (n > 0 && r->path[n - 1] == '*') {
                *ret_n_prefix = n - 1;
                return strncmp(r->path, path, n - 1) == 0;
        }
        *ret_n_prefix = n;
        return strcmp(r->path, path) == 0;
}

/* The status to refuse with where there is none: 404, or 405 where another method would do. */
static unsigned find_route(const HttpServer *s, HttpExchange *x) {
        size_t n_prefix, n_best = 0;
        unsigned status = 404;

        for (size_t i = 0; i < s->n_tables; i++)
                for (size_t j = 0; j < s->tables[i].n; j++) {
                        const HttpRoute *r = &s->tables[i].routes[j];

                        if (!(r->faces & x->connection->listener->face) || !route_fits(r, x->path, &n_prefix))
                                continue;
                        if (strcmp(r->method, x->method) != 0 &&
                            (strcmp(x->method, "HEAD") != 0 || strcmp(r->method, "GET") != 0)) {
                                status = x->route ? status : 405;
                                continue;
                        }
                        if (x->route && n_prefix <= n_best)
                                continue;
                        x->route = r;
                        x->userdata = s->tables[i].userdata;
                        x->n_path_prefix = n_best = n_prefix;
                }
        return x->route ? 0 : status;
}

static const char *status_text(unsigned status) {
        return status == 404   ? "there is nothing of that name here"
               : status == 405 ? "this is not to be had by that method"
                               : "expected another Content-Type";
}

/* -- one request -- */

static enum MHD_Result add_header(void *userdata, enum MHD_ValueKind kind, const char *name, size_t n_name,
                                  const char *value, size_t n_value) {
        (void) kind;
        http_head_add(userdata, name, n_name, value ? value : "", n_value);
        return MHD_YES;
}

/* The head is there: is it one that we deal with? Else there is an answer now, and its body is never looked at. */
static void receive_head(HttpExchange *x, const char *version) {
        HttpServer *s = x->connection->server;
        const HttpNames names = { s->allowed_hosts, x->connection->listener->path };
        HttpHead head = { .method = x->method, .version = version, .n_bytes = strlen(x->path) };
        const char *text = NULL;
        unsigned status;

        (void) MHD_get_connection_values_n(x->mhd, MHD_HEADER_KIND, add_header, &head);
        status = x->bad_path ? 400 : http_guard_check(&head, &names, &text);
        if (status == HTTP_STATUS_OK_TO_GO)
                status = find_route(s, x);
        if (status == HTTP_STATUS_OK_TO_GO && x->route->type && !http_guard_is_type(head.content_type, x->route->type))
                status = 415;
        if (status == HTTP_STATUS_OK_TO_GO && s->n_body_bytes + head.content_length > HTTP_BODIES_MAX_BYTES) {
                status = 503;
                text = "too many requests with bodies at a time";
        }
        if (status != HTTP_STATUS_OK_TO_GO) {
                http_exchange_reply_error(x, status, text ? text : status_text(status));
                x->must_drain = !head.has_transfer_encoding && !head.bad_length && head.content_length > 0 &&
                                head.content_length <= DRAIN_MAX_BYTES;
                http_connection_set_deadline(x->connection, HTTP_BODY_USEC);
                return;
        }
        x->n_body_expected = (size_t) head.content_length;
        x->body = malloc(x->n_body_expected + 1);
        if (!x->body) {
                x->n_body_expected = 0;
                http_exchange_reply_error(x, 503, "out of memory");
                return;
        }
        s->n_body_bytes += x->n_body_expected;
        http_connection_set_deadline(x->connection, HTTP_BODY_USEC);
}

static enum MHD_Result receive_body(HttpExchange *x, const char *data, size_t *n) {
        if (x->response || x->is_sent) { /* refused: what still comes is dropped */
                *n = 0;
                return MHD_YES;
        }
        if (*n > x->n_body_expected - x->n_body)
                return MHD_NO;
        memcpy(x->body + x->n_body, data, *n);
        x->n_body += *n;
        *n = 0;
        return MHD_YES;
}

static enum MHD_Result send_answer(HttpExchange *x) {
        enum MHD_Result result = MHD_queue_response(x->mhd, x->status, x->response);

        http_connection_set_deadline(x->connection, x->stream ? USEC_NEVER : HTTP_ANSWER_USEC);
        MHD_destroy_response(TAKE_PTR(x->response)); /* it is the library's now */
        x->is_sent = true;
        return result;
}

void http_exchange_resume(HttpExchange *x) {
        if (!x->suspended)
                return;
        x->suspended = false;
        MHD_resume_connection(x->mhd);
        http_server_kick(x->connection->server);
}

/* The library's: called for the head, for each part of the body, and, until there is an answer, with nothing new. */
static enum MHD_Result on_request(void *userdata, struct MHD_Connection *mhd, const char *path, const char *method,
                                  const char *version, const char *data, size_t *n_data, void **request) {
        HttpExchange *x = *request;

        (void) userdata;
        (void) mhd;
        if (!x)
                return MHD_NO;
        if (!x->path) {
                if (http_exchange_begin(x, path, method) < 0)
                        return MHD_NO;
                receive_head(x, version);
                return x->response && !x->must_drain ? send_answer(x) : MHD_YES;
        }
        if (*n_data > 0)
                return receive_body(x, data, n_data);
        if (!x->response && !x->dispatched) {
                x->dispatched = true;
                x->body[x->n_body] = '\0';
                http_connection_set_deadline(x->connection, USEC_NEVER);
                x->route->handle(x, x->userdata);
        }
        if (x->response)
                return send_answer(x);
        if (x->is_sent)
                return MHD_YES;
        x->suspended = true;
        MHD_suspend_connection(x->mhd);
        return MHD_YES;
}

static HttpConnection *connection_of(struct MHD_Connection *mhd) {
        return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* The library's: a request line is there. Seen here as it was sent: what comes later is unescaped, and ends at a "%00".
 */
static void *on_request_line(void *userdata, const char *uri, struct MHD_Connection *mhd) {
        HttpConnection *c = connection_of(mhd);

        (void) userdata;
        if (!c)
                return NULL;
        http_exchange_free(c->exchange);
        c->exchange = http_exchange_new(c, mhd);
        if (c->exchange)
                c->exchange->bad_path = uri[0] != '/' || strstr(uri, "%00");
        c->n_requests++;
        return c->exchange;
}

static void on_completed(void *userdata, struct MHD_Connection *mhd, void **request,
                         enum MHD_RequestTerminationCode how) {
        HttpExchange *x = *request;
        HttpConnection *c;

        (void) userdata;
        (void) mhd;
        (void) how;
        if (!x)
                return;
        *request = NULL;
        c = x->connection;
        c->exchange = NULL;
        http_exchange_free(x);
        http_connection_set_deadline(c, HTTP_HEAD_USEC);
}

static void on_connection(void *userdata, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode how) {
        HttpServer *s = userdata;
        int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;

        if (how == MHD_CONNECTION_NOTIFY_CLOSED) {
                if (*context)
                        http_connection_free(*context);
                *context = NULL;
                return;
        }
        for (HttpConnection *c = LIST_FIRST(&s->connections); c; c = LIST_NEXT(c, entry))
                if (c->peer.fd == fd)
                        *context = c;
}

/* -- life -- */

static int start_daemon(HttpServer *s) {
        const union MHD_DaemonInfo *info;
        int r;

        s->daemon = MHD_start_daemon(
                MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
                on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL, MHD_OPTION_CONNECTION_LIMIT,
                (unsigned) HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) CONNECTION_MEMORY_BYTES,
                MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
                on_request_line, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION,
                on_connection, s, MHD_OPTION_END);
        if (!s->daemon)
                return -EIO;
        info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        if (!info)
                return -EIO;
        r = sd_event_add_io(s->event, &s->epoll, info->epoll_fd, EPOLLIN, on_epoll, s);
        if (r >= 0)
                r = sd_event_add_defer(s->event, &s->kick, on_kick, s);
        return r;
}

int http_server_new(sd_event *event, const char *const *allowed_hosts, HttpServer **ret) {
        _cleanup_(http_server_freep) HttpServer *s = calloc(1, sizeof *s);
        int r;

        if (!s)
                return -ENOMEM;
        s->event = event;
        s->allowed_hosts = allowed_hosts;
        LIST_INIT(&s->connections);
        r = start_daemon(s);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

HttpServer *http_server_free(HttpServer *s) {
        if (!s)
                return NULL;
        while (s->n_listeners > 0)
                http_listener_done(&s->listeners[--s->n_listeners]);
        for (HttpConnection *c = LIST_FIRST(&s->connections); c; c = LIST_NEXT(c, entry)) {
                HttpExchange *x = c->exchange;

                if (x && x->stream)
                        http_stream_end(x->stream);
                else if (x && x->dispatched && !x->response && !x->is_sent)
                        http_exchange_reply_error(x, 503, "the gateway is being stopped");
        }
        if (s->daemon) {
                (void) MHD_run(s->daemon); /* whoever reads gets its answer */
                MHD_stop_daemon(s->daemon);
        }
        sd_event_source_disable_unref(s->epoll);
        sd_event_source_disable_unref(s->kick);
        free(s);
        return NULL;
}

int http_server_listen(HttpServer *s, int fd, HttpFace face) {
        int r;

        if (s->n_listeners == HTTP_LISTENERS_MAX)
                return -E2BIG;
        r = http_listener_init(&s->listeners[s->n_listeners], s, fd, face);
        if (r >= 0)
                s->n_listeners++;
        return r;
}

void http_server_open(HttpServer *s) {
        s->is_open = true;
        http_listeners_follow(s);
}

void http_server_count(const HttpServer *s, size_t *ret_n_connections, size_t *ret_n_streams) {
        *ret_n_connections = s->n_connections;
        *ret_n_streams = s->n_streams;
}

int http_server_add_routes(HttpServer *s, const HttpRoute *routes, size_t n, void *userdata) {
        if (s->n_tables == HTTP_ROUTE_TABLES_MAX)
                return -E2BIG;
        s->tables[s->n_tables].routes = routes;
        s->tables[s->n_tables].n = n;
        s->tables[s->n_tables++].userdata = userdata;
        return 0;
}
