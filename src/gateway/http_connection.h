/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What http_server.c, http_exchange.c and http_stream.c share; for nobody else. */

#include <microhttpd.h>
#include <stdint.h>
#include <sys/queue.h>

#include "gateway/http_server.h"

enum {
        HTTP_ROUTE_TABLES_MAX = 8,
        HTTP_EXTRA_HEADERS_MAX = 8,
};

typedef struct HttpConnection HttpConnection;

struct HttpExchange {
        HttpConnection *connection;
        struct MHD_Connection *mhd;
        char *path, *body;    /* NULL: not there yet */
        size_t n_path_prefix; /* of a route that ends with '*' */
        const char *method;
        size_t n_body, n_body_expected;
        const HttpRoute *route;
        void *userdata;
        struct MHD_Response *response; /* until it is sent; NULL: not answered yet, or sent */
        unsigned status;
        HttpStream *stream;
        struct {
                char *name, *value;
        } extra[HTTP_EXTRA_HEADERS_MAX];
        size_t n_extra;
        bool bad_path, must_drain, dispatched, suspended, is_sent;
};

typedef struct HttpListener {
        HttpServer *server;
        HttpFace face;
        int fd;
        char *path; /* NULL: TCP */
        sd_event_source *source;
} HttpListener;

struct HttpConnection {
        HttpServer *server;
        const HttpListener *listener;
        Peer peer;
        HttpExchange *exchange; /* the request of the moment */
        sd_event_source *deadline;
        unsigned n_requests;
        LIST_ENTRY(HttpConnection) entry;
};

struct HttpServer {
        sd_event *event;
        struct MHD_Daemon *daemon;
        sd_event_source *epoll, *kick;
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

/* -- http_server.c -- */

/* Has the library look again: something was done to a connection from outside of its callbacks. */
void http_server_kick(HttpServer *s);
/* From now on the client has that long; USEC_NEVER: no limit. */
void http_connection_set_deadline(HttpConnection *c, uint64_t usec);
void http_connection_cut(HttpConnection *c);
/* Takes up a connection that was handed to MHD_suspend_connection(). */
void http_exchange_resume(HttpExchange *x);

/* -- http_listener.c -- */

int http_listener_init(HttpListener *l, HttpServer *s, int fd, HttpFace face);
void http_listener_done(HttpListener *l);
/* Lets those in who wait, or not, by whether there is room. */
void http_listeners_follow(HttpServer *s);
void http_connection_free(HttpConnection *c);

/* -- http_exchange.c -- */

HttpExchange *http_exchange_new(HttpConnection *c, struct MHD_Connection *mhd);
/* The head is there; `method` lasts as long as the request. */
int http_exchange_begin(HttpExchange *x, const char *path, const char *method);
void http_exchange_free(HttpExchange *x);

/* -- http_stream.c -- */

/* NULL: no memory, or too many. */
HttpStream *http_stream_new(HttpExchange *x, http_stream_closed_t closed, void *userdata, struct MHD_Response **ret);
/* The exchange is over: closed() is told. */
void http_stream_close(HttpStream *s);
