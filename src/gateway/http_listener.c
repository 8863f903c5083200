/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/http_connection.h"

enum {
        ACCEPTS_A_TURN = 16, /* then others have their turn of the loop */
};

static const char too_many[] = "HTTP/1.1 503 Service Unavailable\r\n"
                               "Content-Type: application/json\r\n"
                               "Content-Length: 56\r\n"
                               "Retry-After: 1\r\n"
                               "Connection: close\r\n"
                               "\r\n"
                               "{\"status\":503,\"error\":\"too many connections of this user\"}";

static const char too_slow[] = "HTTP/1.1 408 Request Timeout\r\n"
                               "Content-Type: application/json\r\n"
                               "Content-Length: 55\r\n"
                               "Connection: close\r\n"
                               "\r\n"
                               "{\"status\":408,\"error\":\"the request took too long to send\"}";

/* -- a connection -- */

/* It is closed by the library, once that has seen that the other side is gone. */
void http_connection_cut(HttpConnection *c) {
        (void) sd_event_source_set_enabled(c->deadline, SD_EVENT_OFF);
        (void) shutdown(c->peer.fd, SHUT_RDWR);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        HttpConnection *c = userdata;

        (void) source;
        (void) usec;
        /* Nothing of an answer was sent yet, so ours fits in. One that only kept its connection for later hears
         * nothing.
         */
        if ((c->exchange && !c->exchange->is_sent) || (!c->exchange && c->n_requests == 0))
                (void) send(c->peer.fd, too_slow, sizeof too_slow - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        http_connection_cut(c);
        return 0;
}

void http_connection_set_deadline(HttpConnection *c, uint64_t usec) {
        if (usec != USEC_NEVER)
                (void) sd_event_source_set_time_relative(c->deadline, usec);
        (void) sd_event_source_set_enabled(c->deadline, usec == USEC_NEVER ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int connection_new(HttpListener *l, const Peer *peer, HttpConnection **ret) {
        HttpConnection *c = calloc(1, sizeof *c);
        int r;

        if (!c)
                return -ENOMEM;
        *c = (HttpConnection){ .server = l->server, .listener = l, .peer = *peer };
        r = sd_event_add_time_relative(l->server->event, &c->deadline, CLOCK_MONOTONIC, HTTP_HEAD_USEC,
                                       100 * USEC_PER_MSEC, on_deadline, c);
        if (r < 0) {
                free(c);
                return r;
        }
        LIST_INSERT_HEAD(&l->server->connections, c, entry);
        l->server->n_connections++;
        *ret = c;
        return 0;
}

void http_connection_free(HttpConnection *c) {
        HttpServer *s = c->server;

        http_exchange_free(c->exchange);
        sd_event_source_disable_unref(c->deadline);
        LIST_REMOVE(c, entry);
        s->n_connections--;
        free(c);
        if (s->is_full)
                http_listeners_follow(s);
}

/* -- accepting -- */

void http_listeners_follow(HttpServer *s) {
        bool is_full = s->n_connections >= HTTP_CONNECTIONS_MAX;

        for (size_t i = 0; i < s->n_listeners; i++)
                (void) sd_event_source_set_enabled(s->listeners[i].source,
                                                   s->is_open && !is_full ? SD_EVENT_ON : SD_EVENT_OFF);
        s->is_full = is_full;
}

static bool has_room_for(const HttpServer *s, const Peer *peer) {
        size_t n = 0;

        for (const HttpConnection *c = LIST_FIRST(&s->connections); c; c = LIST_NEXT(c, entry))
                n += c->peer.is_known == peer->is_known && c->peer.uid == peer->uid;
        return n < HTTP_CONNECTIONS_MAX_OF_UID;
}

static void take_up(HttpListener *l, int fd) {
        struct sockaddr address = { .sa_family = AF_UNIX };
        HttpConnection *c;
        Peer peer;

        if (peer_of_socket(fd, &peer) < 0) {
                (void) close(fd);
                return;
        }
        if (!has_room_for(l->server, &peer)) {
                (void) send(fd, too_many, sizeof too_many - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
                (void) close(fd);
                return;
        }
        if (connection_new(l, &peer, &c) < 0) {
                (void) close(fd);
                return;
        }
        /* Closes the socket where it fails; else on_connection() of http_server.c is told when it does. */
        if (MHD_add_connection(l->server->daemon, fd, &address, sizeof address.sa_family) != MHD_YES)
                http_connection_free(c);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        HttpListener *l = userdata;

        (void) source;
        (void) events;
        for (int i = 0; i < ACCEPTS_A_TURN; i++) {
                int accepted;

                if (l->server->n_connections >= HTTP_CONNECTIONS_MAX) {
                        http_listeners_follow(l->server);
                        break;
                }
                accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (accepted < 0)
                        break; /* nobody (any more); out of descriptors: whoever goes leaves one */
                take_up(l, accepted);
        }
        http_server_kick(l->server);
        return 0;
}

static int path_of_socket(int fd, char **ret) {
        struct sockaddr_un a = { 0 };
        socklen_t n = sizeof a;

        if (getsockname(fd, (struct sockaddr *) &a, &n) < 0)
                return -errno;
        if (a.sun_family != AF_UNIX)
                return 0;
        *ret = strndup(a.sun_path, sizeof a.sun_path);
        return *ret ? 0 : -ENOMEM;
}

int http_listener_init(HttpListener *l, HttpServer *s, int fd, HttpFace face) {
        int flags = fcntl(fd, F_GETFL), r;

        /* systemd passes it on as it likes; whoever gave up before we accepted must not leave us waiting. */
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return -errno;
        *l = (HttpListener){ .server = s, .face = face, .fd = fd };
        r = path_of_socket(fd, &l->path);
        if (r < 0)
                return r;
        r = sd_event_add_io(s->event, &l->source, fd, EPOLLIN, on_readable, l);
        return r < 0 ? r : sd_event_source_set_enabled(l->source, SD_EVENT_OFF);
}

void http_listener_done(HttpListener *l) {
        sd_event_source_disable_unref(l->source);
        (void) close(l->fd);
        free(l->path);
}
