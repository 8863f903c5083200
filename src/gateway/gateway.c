/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/gateway.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "gateway/board_events.h"
#include "gateway/face_rpc.h"
#include "gateway/face_ui.h"
#include "gateway/health.h"
#include "gateway/metrics_text.h"

#define PATIENCE_USEC (3 * USEC_PER_SEC)

typedef union SocketAddress {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
} SocketAddress;

static bool is_loopback(const SocketAddress *a) {
        if (a->any.sa_family == AF_INET)
                return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
        return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

/* By its address, so that a drop-in of the socket unit needs nothing but one more ListenStream=. */
static int face_of_socket(int fd, HttpFace *ret, const char **reterr_message) {
        SocketAddress a = { 0 };
        socklen_t n = sizeof a - 1; /* a path of full length ends with a NUL all the same */
        const char *slash;

        if (getsockname(fd, &a.any, &n) < 0)
                return -errno;
        if (a.any.sa_family != AF_UNIX) {
                *ret = HTTP_FACE_UI;
                if (is_loopback(&a))
                        return 0;
                *reterr_message = "a TCP socket that others can reach: expected one of the loopback (127.0.0.1, ::1)";
                return -EPERM;
        }
        slash = strrchr(a.local.sun_path, '/');
        *ret = slash && strcmp(slash, "/rpc.sock") == 0 ? HTTP_FACE_RPC : HTTP_FACE_UI;
        return 0;
}

static int listen_to_systemds_sockets(Gateway *g, const char **reterr_message) {
        int n = sd_listen_fds(1);

        if (n <= 0) {
                *reterr_message = "no sockets were passed on: start hero_proc-gateway.socket instead";
                return n < 0 ? n : -EBADF;
        }
        for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
                HttpFace face = HTTP_FACE_UI;
                int r;

                if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
                        *reterr_message = "something else than a listening stream socket was passed on";
                        return -EINVAL;
                }
                r = face_of_socket(fd, &face, reterr_message);
                if (r >= 0)
                        r = http_server_listen(g->http, fd, face);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Who comes first is not told that everything is unknown, only because we have not asked yet. */
static void let_in(Gateway *g) {
        if (g->is_open)
                return;
        g->is_open = true;
        http_server_open(g->http);
        ready_notice_tell(g->ready, NULL);
}

static int on_patience_over(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source;
        (void) usec;
        let_in(userdata);
        return 0;
}

static void on_presence(bool present, void *userdata) {
        Gateway *g = userdata;

        (void) sd_notifyf(0, "STATUS=%s", present ? "hero_proc_server is there" : service_mirror_absence(g->mirror));
        let_in(g);
}

int gateway_new(sd_event *event, const GatewayOptions *options, Gateway **ret, const char **reterr_message) {
        _cleanup_(gateway_freep) Gateway *g = calloc(1, sizeof *g);
        int r;

        if (!g)
                return -ENOMEM;
        g->event = sd_event_ref(event);
        g->is_user = options->is_user;
        r = ready_notice_new(event, &g->ready);
        if (r >= 0)
                r = http_server_new(event, options->allowed_hosts, &g->http);
        if (r >= 0)
                r = service_mirror_new(event, options->is_user, &g->mirror);
        if (r >= 0)
                r = journal_reader_new(event, options->is_user, &g->journal);
        if (r >= 0)
                r = health_add_routes(g);
        if (r >= 0)
                r = metrics_add_routes(g);
        if (r >= 0)
                r = face_rpc_add_routes(g);
        if (r >= 0)
                r = board_events_new(g, &g->board_events);
        if (r >= 0)
                r = face_ui_add_routes(g, g->board_events);
        if (r >= 0)
                r = listen_to_systemds_sockets(g, reterr_message);
        if (r >= 0)
                r = service_mirror_add_observer(g->mirror, &(MirrorObserver){ .presence = on_presence, .userdata = g });
        if (r >= 0)
                r = sd_event_add_time_relative(event, &g->patience, CLOCK_MONOTONIC, PATIENCE_USEC, 0, on_patience_over,
                                               g);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(g);
        return 0;
}

Gateway *gateway_free(Gateway *g) {
        if (!g)
                return NULL;
        sd_event_source_disable_unref(g->patience);
        g->mirror = service_mirror_free(g->mirror); /* what waits for the server is answered by that */
        http_server_free(g->http);
        board_events_free(g->board_events);
        journal_reader_free(g->journal);
        ready_notice_free(g->ready);
        sd_event_unref(g->event);
        free(g);
        return NULL;
}
