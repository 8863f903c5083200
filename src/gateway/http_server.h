/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* HTTP/1.1 over the sockets that systemd holds for us, in our event loop, and no more of it than is needed here. A
 * library was tried (libmicrohttpd of Debian 12): what it could not parse it answered by itself, in HTML and with the
 * head sent twice, and a client that sent a byte now and then was never too slow for it.
 *
 * A client has an absolute time for each step, however busy it looks: HTTP_HEAD_USEC for the head of its request, from
 * the moment it may begin, HTTP_BODY_USEC for the rest, HTTP_ANSWER_USEC to take the answer (a stream has no such
 * limit, see http_stream.h). Connections are limited in all and by the peer's uid, so that no user keeps the others
 * out. */

#include <systemd/sd-event.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "gateway/http_exchange.h"
#include "gateway/http_guard.h"

#define HTTP_HEAD_USEC (5 * USEC_PER_SEC)
#define HTTP_BODY_USEC (10 * USEC_PER_SEC)
#define HTTP_ANSWER_USEC (30 * USEC_PER_SEC)

enum {
        HTTP_CONNECTIONS_MAX = 256,
        HTTP_CONNECTIONS_MAX_OF_UID = 64, /* all of TCP counts as one */
        HTTP_BODIES_MAX_BYTES = 4 * 1024 * 1024,
        HTTP_LISTENERS_MAX = 8,
};

typedef struct HttpServer HttpServer;

typedef void (*http_handler_t)(HttpExchange *x, void *userdata);

typedef struct HttpRoute {
        unsigned faces;     /* on which it is: HTTP_FACE_RPC | HTTP_FACE_UI */
        const char *method; /* "GET" (serves HEAD too) or "POST"; what GET serves must not change anything */
        const char *path;   /* exactly this; ending with '*': whatever begins so */
        const char *type;   /* that a POST's Content-Type must be */
        http_handler_t handle;
} HttpRoute;

/* `allowed_hosts` as of HttpNames; it must outlive the server. */
int http_server_new(sd_event *event, const char *const *allowed_hosts, HttpServer **ret);
/* What is not answered yet gets 503. */
HttpServer *http_server_free(HttpServer *s);
DEFINE_CLEANUP(HttpServer *, http_server_free)

/* A listening socket, which is taken. What comes in by it sees the routes of that face. */
int http_server_listen(HttpServer *s, int fd, HttpFace face);
/* Lets them in: until then they wait at the sockets. */
void http_server_open(HttpServer *s);
void http_server_count(const HttpServer *s, size_t *ret_n_connections, size_t *ret_n_streams);
/* The table must outlive the server. Of several that fit the longest path is taken. */
int http_server_add_routes(HttpServer *s, const HttpRoute *routes, size_t n, void *userdata);
