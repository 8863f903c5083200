/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A connection and the request that it is at: what the files http_*.c share, for nobody else. */

#include <stdint.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include "core/http_head.h"
#include "core/http_target.h"
#include "gateway/http_server.h"

enum {
        HTTP_ROUTE_TABLES_MAX = 8,
        HTTP_EXTRA_HEADERS_MAX = 8,
};

typedef struct HttpConnection HttpConnection;

struct HttpExchange {
        HttpConnection *connection;
        char *bytes; /* of the head, which the next two point into */
        HttpRequestHead head;
        HttpTarget target;
        char *body; /* NULL: none */
        size_t n_body, n_body_expected;
        const HttpRoute *route;
        size_t n_path_prefix; /* of a route that ends with '*' */
        void *userdata;
        struct {
                char *name, *value;
        } extra[HTTP_EXTRA_HEADERS_MAX];
        size_t n_extra;
        bool is_answered;
        bool lacks_header;      /* there was no memory for one */
        bool has_get, has_post; /* routes of that path */
};

typedef struct HttpListener {
        HttpServer *server;
        HttpFace face;
        int fd;
        char *path; /* NULL: TCP */
        sd_event_source *source;
} HttpListener;

/* What a connection is about. One thing after the other, and round again where it is kept. */
typedef enum HttpPhase {
        HTTP_PHASE_HEAD,   /* the head of a request comes in, or is awaited */
        HTTP_PHASE_BODY,   /* its body comes in */
        HTTP_PHASE_HANDLE, /* its handler has it; nothing is read meanwhile */
        HTTP_PHASE_ANSWER, /* the answer goes out */
        HTTP_PHASE_STREAM, /* the same, and it has no end */
        HTTP_PHASE_LINGER, /* refused while it was sending still: what comes is dropped, so that it hears us out */
} HttpPhase;

struct HttpConnection {
        HttpServer *server;
        const HttpListener *listener;
        Peer peer;
        HttpPhase phase;
        sd_event_source *io, *deadline;
        char *in; /* of the next head and what came behind it; NULL: nothing */
        size_t n_in;
        HttpExchange *exchange; /* the request of the moment */
        char *out_head;
        char *out_body;
        bool out_body_is_static;
        size_t n_out_head, n_out_body, n_out_sent;
        HttpStream *stream;
        size_t n_lingered;
        bool is_kept;   /* another request may follow */
        bool is_gone;   /* the other side; its handler has not answered yet */
        bool has_begun; /* a byte of the request has come */
        LIST_ENTRY(HttpConnection) entry;
};

struct HttpServer {
        sd_event *event;
        const char *const *allowed_hosts;
        HttpListener listeners[HTTP_LISTENERS_MAX];
        size_t n_listeners;
        struct {
                const HttpRoute *routes;
                size_t n;
                void *userdata;
        } tables[HTTP_ROUTE_TABLES_MAX];
        size_t n_tables;
        LIST_HEAD(, HttpConnection) connections;
        size_t n_connections, n_streams, n_body_bytes;
        bool is_open; /* http_server_open() was called */
        bool is_full; /* nobody is accepted until somebody goes */
};

/* -- http_connection.c -- */

/* Takes `fd`, also where it fails. */
int http_connection_new(const HttpListener *l, int fd, const Peer *peer);
void http_connection_free(HttpConnection *c);
/* Sends what is in out_head and out_body: now as far as it goes, the rest when it can. */
void http_connection_answer(HttpConnection *c);
/* There is something in the stream, or it is over. */
void http_connection_pull(HttpConnection *c);
/* Ends it soon, from the event loop: whoever calls may go on with it for the moment. */
void http_connection_cut(HttpConnection *c);

/* -- http_listener.c -- */

int http_listener_init(HttpListener *l, HttpServer *s, int fd, HttpFace face);
void http_listener_done(HttpListener *l);
/* Lets those in who wait, or not, by whether there is room. */
void http_listeners_follow(HttpServer *s);

/* -- http_exchange.c -- */

/* A request from its head, which is copied: refused, to be dispatched, or with a body still to come (n_body_expected).
 */
int http_exchange_new(HttpConnection *c, const char *bytes, size_t n, HttpExchange **ret);
void http_exchange_dispatch(HttpExchange *x);
void http_exchange_free(HttpExchange *x);

/* -- http_server.c -- */

/* The route for it, or the status to refuse with where there is none: 404, or 405 where another method would do. */
unsigned http_server_route(const HttpServer *s, HttpExchange *x);

/* -- http_stream.c -- */

/* NULL: no memory, or too many. */
HttpStream *http_stream_new(HttpConnection *c, http_stream_closed_t closed, void *userdata);
/* The connection ends: closed() is told, and the stream is no more. */
void http_stream_close(HttpStream *s);
/* What is to be sent next. False: nothing at the moment; *ret_ended: nor later. */
bool http_stream_peek(const HttpStream *s, struct iovec *ret, bool *ret_ended);
void http_stream_sent(HttpStream *s, size_t n);
