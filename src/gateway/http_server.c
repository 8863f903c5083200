/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/http_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http_connection.h"

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

static bool method_fits(const HttpRoute *r, const char *method) {
        return strcmp(r->method, method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0);
}

unsigned http_server_route(const HttpServer *s, HttpExchange *x) {
        size_t n_prefix;
        unsigned status = 404;

        for (size_t i = 0; i < s->n_tables; i++)
                for (size_t j = 0; j < s->tables[i].n; j++) {
                        const HttpRoute *r = &s->tables[i].routes[j];

                        if (!(r->faces & x->connection->listener->face) || !route_fits(r, x->target.path, &n_prefix))
                                continue;
                        status = 405;
                        x->has_get = x->has_get || strcmp(r->method, "GET") == 0;
                        x->has_post = x->has_post || strcmp(r->method, "POST") == 0;
                        if (!method_fits(r, x->head.method) || (x->route && n_prefix <= x->n_path_prefix))
                                continue;
                        x->route = r;
                        x->userdata = s->tables[i].userdata;
                        x->n_path_prefix = n_prefix;
                }
        return x->route ? HTTP_STATUS_OK_TO_GO : status;
}

int http_server_add_routes(HttpServer *s, const HttpRoute *routes, size_t n, void *userdata) {
        if (s->n_tables == HTTP_ROUTE_TABLES_MAX)
                return -E2BIG;
        s->tables[s->n_tables].routes = routes;
        s->tables[s->n_tables].n = n;
        s->tables[s->n_tables++].userdata = userdata;
        return 0;
}

/* -- life -- */

int http_server_new(sd_event *event, const char *const *allowed_hosts, HttpServer **ret) {
        HttpServer *s = calloc(1, sizeof *s);

        if (!s)
                return -ENOMEM;
        s->event = event;
        s->allowed_hosts = allowed_hosts;
        LIST_INIT(&s->connections);
        *ret = s;
        return 0;
}

HttpServer *http_server_free(HttpServer *s) {
        HttpConnection *c;

        if (!s)
                return NULL;
        s->is_open = false;
        while ((c = LIST_FIRST(&s->connections)))
                http_connection_free(c);
        while (s->n_listeners > 0)
                http_listener_done(&s->listeners[--s->n_listeners]);
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
