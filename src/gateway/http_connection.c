/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/http_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        IN_BYTES = HTTP_HEAD_MAX_BYTES + 4096,
        LINGER_MAX_BYTES = 1024 * 1024,
        REQUESTS_A_TURN = 8, /* that were sent without waiting; then others have their turn of the loop */
};

#define LINGER_USEC (2 * USEC_PER_SEC)

/* -- what it waits for -- */

static void await(HttpConnection *c, uint32_t events) {
        (void) sd_event_source_set_io_events(c->io, events);
        (void) sd_event_source_set_enabled(c->io, SD_EVENT_ON);
}

static void set_deadline(HttpConnection *c, uint64_t usec) {
        if (usec != USEC_NEVER)
                (void) sd_event_source_set_time_relative(c->deadline, usec);
        (void) sd_event_source_set_enabled(c->deadline, usec == USEC_NEVER ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static void enter(HttpConnection *c, HttpPhase phase) {
        static const struct {
                uint32_t events;
                uint64_t usec;
        } by_phase[] = {
                [HTTP_PHASE_HEAD] = { EPOLLIN, HTTP_HEAD_USEC },
                [HTTP_PHASE_BODY] = { EPOLLIN, HTTP_BODY_USEC },
                [HTTP_PHASE_HANDLE] = { 0, USEC_NEVER },
                [HTTP_PHASE_ANSWER] = { EPOLLOUT, HTTP_ANSWER_USEC },
                [HTTP_PHASE_STREAM] = { EPOLLOUT, HTTP_ANSWER_USEC },
                [HTTP_PHASE_LINGER] = { EPOLLIN, LINGER_USEC },
        };

        c->phase = phase;
        await(c, by_phase[phase].events);
        set_deadline(c, by_phase[phase].usec);
}

/* -- writing -- */

/* True: all of it is out. */
static bool send_out(HttpConnection *c) {
        size_t n_all = c->n_out_head + c->n_out_body;

        while (c->n_out_sent < n_all) {
                size_t of_head = c->n_out_sent < c->n_out_head ? c->n_out_sent : c->n_out_head,
                       of_body = c->n_out_sent - of_head;
                struct iovec parts[] = { { c->out_head + of_head, c->n_out_head - of_head },
                                         { c->out_body ? c->out_body + of_body : NULL, c->n_out_body - of_body } };
                const struct msghdr message = { .msg_iov = parts, .msg_iovlen = ELEMENTSOF(parts) };
                ssize_t n = sendmsg(c->peer.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0) {
                        c->is_gone = errno != EAGAIN && errno != EINTR;
                        return false;
                }
                c->n_out_sent += (size_t) n;
        }
        return true;
}

/* What was answered a moment ago, as far as it goes, when everything ends. */
static void send_last(HttpConnection *c) {
        if (c->phase == HTTP_PHASE_ANSWER && !c->is_gone && !c->stream)
                (void) send_out(c);
}

/* -- its end -- */

void http_connection_free(HttpConnection *c) {
        HttpServer *s = c->server;

        send_last(c);
        if (c->stream)
                http_stream_close(c->stream);
        http_exchange_free(c->exchange);
        sd_event_source_disable_unref(c->io);
        sd_event_source_disable_unref(c->deadline);
        (void) close(c->peer.fd);
        free(c->in);
        free(c->out_head);
        if (!c->out_body_is_static)
                free(c->out_body);
        LIST_REMOVE(c, entry);
        s->n_connections--;
        free(c);
        if (s->is_full)
                http_listeners_follow(s);
}

/* A handler that has the request keeps it until it answers; the answer is then for nobody. */
static void leave(HttpConnection *c) {
        if (c->phase != HTTP_PHASE_HANDLE) {
                http_connection_free(c);
                return;
        }
        c->is_gone = true;
        (void) sd_event_source_set_enabled(c->io, SD_EVENT_OFF);
}

void http_connection_cut(HttpConnection *c) {
        c->is_gone = true;
        set_deadline(c, 0);
}

static const char too_slow[] =
        "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
        "{\"status\":408,\"error\":\"the request took too long to send\"}";

/* One that only kept its connection for later hears nothing. */
static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        HttpConnection *c = userdata;

        (void) source;
        (void) usec;
        if (!c->is_gone && c->has_begun && (c->phase == HTTP_PHASE_HEAD || c->phase == HTTP_PHASE_BODY))
                (void) send(c->peer.fd, too_slow, sizeof too_slow - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        leave(c);
        return 0;
}

/* -- reading -- */

/* 1: something came, 0: nothing yet, negative: it has ended. */
static ssize_t receive(HttpConnection *c, char *to, size_t max) {
        ssize_t n = recv(c->peer.fd, to, max, MSG_DONTWAIT);

        if (n > 0)
                return n;
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -ECONNRESET;
}

static int receive_head(HttpConnection *c) {
        ssize_t n;

        if (!c->in)
                c->in = malloc(IN_BYTES);
        if (!c->in)
                return -ENOMEM;
        if (c->n_in == IN_BYTES)
                return 0;
        n = receive(c, c->in + c->n_in, IN_BYTES - c->n_in);
        if (n > 0) {
                c->n_in += (size_t) n;
                c->has_begun = true;
        }
        return n < 0 ? (int) n : 0;
}

static int receive_body(HttpConnection *c) {
        HttpExchange *x = c->exchange;
        ssize_t n = receive(c, x->body + x->n_body, x->n_body_expected - x->n_body);

        if (n > 0)
                x->n_body += (size_t) n;
        return n < 0 ? (int) n : 0;
}

static void drop_in(HttpConnection *c, size_t n) {
        c->n_in -= n;
        memmove(c->in, c->in + n, c->n_in);
        if (c->n_in == 0)
                free(TAKE_PTR(c->in));
}

/* What came behind the head is the body's beginning. */
static void take_body_from_in(HttpConnection *c) {
        HttpExchange *x = c->exchange;
        size_t n = c->n_in < x->n_body_expected ? c->n_in : x->n_body_expected;

        if (n == 0)
                return;
        memcpy(x->body, c->in, n);
        x->n_body = n;
        drop_in(c, n);
}

static void linger(HttpConnection *c) {
        char dropped[16 * 1024];
        ssize_t n = receive(c, dropped, sizeof dropped);

        c->n_lingered += n > 0 ? (size_t) n : 0;
        if (n < 0 || c->n_lingered > LINGER_MAX_BYTES)
                http_connection_free(c);
}

/* -- after the answer -- */

static void forget_answer(HttpConnection *c) {
        free(TAKE_PTR(c->out_head));
        if (!c->out_body_is_static)
                free(c->out_body);
        c->out_body = NULL;
        c->n_out_head = c->n_out_body = c->n_out_sent = 0;
}

/* True: the connection is there for another request. */
static bool finish_answer(HttpConnection *c) {
        bool is_read = c->exchange && c->exchange->n_body == c->exchange->n_body_expected;

        forget_answer(c);
        http_exchange_free(TAKE_PTR(c->exchange));
        if (c->is_kept) {
                c->has_begun = c->n_in > 0;
                enter(c, HTTP_PHASE_HEAD);
                return true;
        }
        if (is_read && c->n_in == 0) {
                http_connection_free(c);
                return false;
        }
        (void) shutdown(c->peer.fd, SHUT_WR);
        enter(c, HTTP_PHASE_LINGER);
        return false;
}

void http_connection_answer(HttpConnection *c) {
        if (!c->is_gone) {
                enter(c, HTTP_PHASE_ANSWER);
                return;
        }
        c->phase = HTTP_PHASE_ANSWER;
        set_deadline(c, 0);
}

/* -- streams -- */

static void send_stream(HttpConnection *c) {
        struct iovec part;
        bool ended;

        if (c->is_gone || !send_out(c)) { /* cut off meanwhile: what follows would put its end off for ever */
                if (c->is_gone)
                        http_connection_free(c);
                return;
        }
        while (http_stream_peek(c->stream, &part, &ended)) {
                ssize_t n = send(c->peer.fd, part.iov_base, part.iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return;
                if (n < 0) {
                        http_connection_free(c);
                        return;
                }
                http_stream_sent(c->stream, (size_t) n);
        }
        if (ended) {
                http_connection_free(c);
                return;
        }
        await(c, EPOLLRDHUP); /* nothing to say; that it goes is heard of */
        set_deadline(c, USEC_NEVER);
}

void http_connection_pull(HttpConnection *c) {
        if (c->phase == HTTP_PHASE_STREAM && !c->is_gone)
                enter(c, HTTP_PHASE_STREAM);
}

/* -- from one thing to the next -- */

static void begin_stream(HttpConnection *c) {
        enter(c, HTTP_PHASE_STREAM);
        send_stream(c);
}

/* The request is there: whatever its handler does, it does not free the connection. */
static void dispatch(HttpConnection *c) {
        enter(c, HTTP_PHASE_HANDLE);
        http_exchange_dispatch(c->exchange);
}

/* A client that waits for this before it sends the body would wait in vain. */
static void ask_for_body(HttpConnection *c) {
        static const char go_ahead[] = "HTTP/1.1 100 Continue\r\n\r\n";

        if (c->exchange->n_body == 0 && http_head_lists(&c->exchange->head, "Expect", "100-continue"))
                (void) send(c->peer.fd, go_ahead, sizeof go_ahead - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        enter(c, HTTP_PHASE_BODY);
}

/* The first request of what is in: refused, dispatched, or waiting for its body. False: it is not all there. */
static bool begin_request(HttpConnection *c) {
        HttpExchange *x = NULL;
        size_t n;

        while (c->n_in >= 2 && memcmp(c->in, "\r\n", 2) == 0)
                drop_in(c, 2);
        n = http_head_length(c->in, c->n_in);
        if (n == 0 && c->n_in < HTTP_HEAD_MAX_BYTES)
                return false;
        if (n > HTTP_HEAD_MAX_BYTES)
                n = 0; /* as one that has no end */
        c->is_kept = false;
        if (http_exchange_new(c, c->in, n, &x) < 0) {
                http_connection_cut(c);
                return false;
        }
        c->exchange = x;
        drop_in(c, n > 0 ? n : c->n_in);
        if (x->is_answered)
                return true;
        take_body_from_in(c);
        if (x->n_body < x->n_body_expected)
                ask_for_body(c);
        else
                dispatch(c);
        return true;
}

/* Sends what is answered, and takes up what was sent behind it, as far as it goes without waiting. */
static void go_on(HttpConnection *c) {
        for (int i = 0; i < REQUESTS_A_TURN; i++) {
                if (c->phase == HTTP_PHASE_HEAD && (c->n_in == 0 || !begin_request(c)))
                        return;
                if (c->phase == HTTP_PHASE_BODY && c->exchange->n_body == c->exchange->n_body_expected)
                        dispatch(c);
                if (c->phase == HTTP_PHASE_ANSWER && c->is_gone) { /* there was no memory to say anything */
                        http_connection_free(c);
                        return;
                }
                if (c->phase == HTTP_PHASE_ANSWER && c->stream) {
                        begin_stream(c);
                        return;
                }
                if (c->phase != HTTP_PHASE_ANSWER)
                        return;
                if (!send_out(c)) {
                        if (c->is_gone)
                                http_connection_free(c);
                        return;
                }
                if (!finish_answer(c))
                        return;
        }
        if (c->n_in > 0)
                await(c, EPOLLIN | EPOLLOUT); /* it can be written to, so we are back at once */
}

static int receive_more(HttpConnection *c) {
        if (c->phase == HTTP_PHASE_HEAD)
                return receive_head(c);
        return c->phase == HTTP_PHASE_BODY ? receive_body(c) : 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        HttpConnection *c = userdata;

        (void) source;
        (void) fd;
        if (c->phase == HTTP_PHASE_LINGER)
                linger(c);
        else if (c->phase == HTTP_PHASE_STREAM && !(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
                send_stream(c);
        else if (c->phase == HTTP_PHASE_STREAM || c->phase == HTTP_PHASE_HANDLE)
                leave(c); /* it has hung up */
        else if ((events & EPOLLIN) && receive_more(c) < 0)
                leave(c);
        else if ((events & (EPOLLHUP | EPOLLERR)) && !(events & EPOLLIN))
                leave(c);
        else
                go_on(c);
        return 0;
}

int http_connection_new(const HttpListener *l, int fd, const Peer *peer) {
        HttpServer *s = l->server;
        HttpConnection *c = calloc(1, sizeof *c);
        int r = -ENOMEM;

        if (!c) {
                (void) close(fd);
                return r;
        }
        *c = (HttpConnection){ .server = s, .listener = l, .peer = *peer };
        LIST_INSERT_HEAD(&s->connections, c, entry);
        s->n_connections++;
        r = sd_event_add_io(s->event, &c->io, fd, EPOLLIN, on_io, c);
        if (r >= 0)
                r = sd_event_add_time_relative(s->event, &c->deadline, CLOCK_MONOTONIC, HTTP_HEAD_USEC,
                                               100 * USEC_PER_MSEC, on_deadline, c);
        if (r < 0)
                http_connection_free(c);
        return r;
}
