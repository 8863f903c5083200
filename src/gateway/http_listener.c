/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/http_connection.h"

enum {
        ACCEPTS_A_TURN = 16, /* then others have their turn of the loop */
};

static const char too_many[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
        "Connection: close\r\n\r\n"
        "{\"status\":503,\"error\":\"too many connections of this user\"}";

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
        Peer peer;

        if (peer_of_socket(fd, &peer) < 0) {
                (void) close(fd);
        } else if (!has_room_for(l->server, &peer)) {
                (void) send(fd, too_many, sizeof too_many - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
                (void) close(fd);
        } else
                (void) http_connection_new(l, fd, &peer);
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
