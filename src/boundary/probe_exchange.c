/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/probe_exchange.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "boundary/port_connection.h"
#include "boundary/probe_words.h"
#include "boundary/socket_path.h"
#include "boundary/unix_connect.h"

enum {
        READ_BYTES = 16 * 1024,
};

static size_t n_request(const ProbeExchange *e) {
        return e->request ? e->request->n : 0;
}

static bool is_tcp(const ProbeExchange *e) {
        return e->definition->port > 0;
}

int probe_exchange_init(ProbeExchange *e, const ProbeDefinition *definition, ProbeRequests *requests) {
        if (definition->expect_body && strlen(definition->expect_body) > HTTP_EXPECT_BODY_MAX)
                return -E2BIG;
        *e = (ProbeExchange){ .definition = definition, .fd = -1 };
        return definition->type == PROBE_HTTP ? probe_request_get(requests, definition, &e->request) : 0;
}

void probe_exchange_end(ProbeExchange *e) {
        if (e->fd >= 0)
                (void) close(TAKE_FD(e->fd));
        e->response = NULL;
        e->result = NULL;
        e->state = EXCHANGE_IDLE;
}

void probe_exchange_done(ProbeExchange *e) {
        probe_exchange_end(e);
        e->request = probe_request_put(e->request);
}

static void conclude(ProbeExchange *e, ProbeOutcome outcome) {
        e->result->outcome = outcome;
        e->result->status = http_response_status(e->response);
        e->state = EXCHANGE_DONE;
}

static void fail(ProbeExchange *e, const char *words) {
        (void) snprintf(e->result->error, sizeof(e->result->error), "%s", words);
        conclude(e, PROBE_FAIL);
}

static void fail_with_errno(ProbeExchange *e, int error) {
        bool is_ours = probe_words_for_errno(error, e->result->error, sizeof(e->result->error));

        e->result->nobody_there = error == ENOENT || error == ENOTDIR || error == ECONNREFUSED || error == ELOOP;

        conclude(e, is_ours ? PROBE_UNKNOWN : PROBE_FAIL);
}

static void fail_with_reset(ProbeExchange *e) {
        char words[64];

        (void) probe_words_for_errno(ECONNRESET, words, sizeof(words));
        (void) snprintf(e->result->error, sizeof(e->result->error), "%s%s", words,
                        probe_words_for_progress(e->response));
        conclude(e, PROBE_FAIL);
}

static void judge_answer(ProbeExchange *e) {
        bool is_good = probe_words_for_answer(e->definition, e->response, e->result->error, sizeof(e->result->error));

        conclude(e, is_good ? PROBE_PASS : PROBE_FAIL);
}

/* A port of the range from which the kernel takes the callers' own: where nobody listens on it, one of some ten
 * thousand calls is given just that port, and TCP connects it to itself. */
static bool has_called_itself(const ProbeExchange *e) {
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        } ours = { 0 };
        socklen_t n = sizeof(ours);

        if (!is_tcp(e) || getsockname(e->fd, &ours.any, &n) < 0)
                return false;
        return ntohs(ours.any.sa_family == AF_INET6 ? ours.v6.sin6_port : ours.v4.sin_port) == e->definition->port;
}

static void become_connected(ProbeExchange *e) {
        if (has_called_itself(e))
                fail_with_errno(e, ECONNREFUSED);
        else
                e->state = EXCHANGE_TALKING;
}

static int connect_to_path(int fd, const char *path) {
        _cleanup_close_ int file = socket_path_open(-1, path);

        return file < 0 ? file : unix_connect(fd, file);
}

static void step_connect(ProbeExchange *e) {
        int r = e->reach->connect ? e->reach->connect(e->fd, e->result, e->reach->userdata)
                                  : connect_to_path(e->fd, e->definition->socket);

        if (r > 0)
                conclude(e, e->result->outcome);
        else if (r == 0)
                become_connected(e);
        else if (r == -EAGAIN)
                e->state = EXCHANGE_KNOCKING;
        else
                fail_with_errno(e, -r);
}

/* How did the TCP handshake end, if it did? */
static void step_connected(ProbeExchange *e) {
        struct pollfd poll_fd = { .fd = e->fd, .events = POLLOUT };
        int error = 0;
        socklen_t n = sizeof(error);

        if (poll(&poll_fd, 1, 0) <= 0)
                return;
        if (getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
                error = errno;
        if (error != 0)
                fail_with_errno(e, error);
        else
                become_connected(e);
}

/* Nothing of that is the service's fault. */
static void blame_dialer(ProbeExchange *e, const char *what) {
        char why[sizeof(e->result->error)];

        (void) snprintf(why, sizeof(why), "hero_proc_dialer: %s", what);
        probe_exchange_abandon(e, why);
}

static void step_dial(ProbeExchange *e) {
        struct in6_addr address = { .s6_addr = { [10] = 0xff, 0xff, 127, 0, 0, 1 } };
        uint16_t port = e->definition->port;

        if (e->reach->find && !e->reach->find(&address, e->result, e->reach->userdata)) {
                conclude(e, e->result->outcome);
                return;
        }
        e->fd = e->dialer ? port_connection_ask(e->dialer, &address, port) : port_connection_open(&address, port);
        if (e->fd >= 0)
                e->state = e->dialer ? EXCHANGE_DIALING : EXCHANGE_CONNECTING;
        else if (e->dialer)
                blame_dialer(e, strerror(-e->fd));
        else
                fail_with_errno(e, -e->fd);
}

static void step_dialed(ProbeExchange *e) {
        int error, fd, r = port_connection_take(e->fd, &error, &fd);

        if (r == -EAGAIN)
                return;
        if (r < 0) {
                blame_dialer(e, strerror(-r));
        } else if (error != 0) {
                fail_with_errno(e, error);
        } else {
                (void) close(e->fd);
                e->fd = fd;
                e->state = EXCHANGE_CONNECTING;
                step_connected(e);
        }
}

/* Sends what goes. No failure here is a verdict: a service may answer before it took all of the request, and what it
 * said before it closed the connection still waits to be read. */
static void step_send(ProbeExchange *e) {
        while (e->n_sent < n_request(e)) {
                ssize_t n = send(e->fd, e->request->bytes + e->n_sent, e->request->n - e->n_sent, MSG_NOSIGNAL);

                if (n < 0 && errno == EAGAIN)
                        return;
                if (n < 0) {
                        e->was_reset = errno == ECONNRESET;
                        e->n_sent = e->request->n;
                        return;
                }
                e->n_sent += (size_t) n;
        }
}

/* False: nothing more to be read for now. */
static bool step_read(ProbeExchange *e) {
        char bytes[READ_BYTES];
        ssize_t n = recv(e->fd, bytes, sizeof(bytes), 0);

        if (n < 0 && errno == EAGAIN)
                return false;
        if ((n < 0 && errno == ECONNRESET) || (n == 0 && e->was_reset))
                fail_with_reset(e);
        else if (n < 0)
                fail_with_errno(e, errno);
        else if (n == 0 || http_response_feed(e->response, bytes, (size_t) n) != HTTP_NEED_MORE)
                judge_answer(e);
        return true;
}

void probe_exchange_go_on(ProbeExchange *e, unsigned n_reads) {
        if (e->state == EXCHANGE_KNOCKING)
                step_connect(e);
        else if (e->state == EXCHANGE_DIALING)
                step_dialed(e);
        else if (e->state == EXCHANGE_CONNECTING)
                step_connected(e);
        if (e->state != EXCHANGE_TALKING)
                return;

        if (e->definition->type == PROBE_CONNECT) {
                conclude(e, PROBE_PASS);
                return;
        }
        step_send(e);
        for (unsigned i = 0; e->state == EXCHANGE_TALKING && i < n_reads; i++)
                if (!step_read(e))
                        return;
}

void probe_exchange_begin(ProbeExchange *e, const ProbeReach *reach, const char *dialer, HttpResponse *parser,
                          ProbeResult *result) {
        const ProbeDefinition *d = e->definition;

        e->reach = reach;
        e->dialer = dialer;
        e->response = parser;
        e->n_sent = 0;
        e->was_reset = false;
        e->result = result;
        *result = (ProbeResult){ .outcome = PROBE_UNKNOWN };
        http_response_init(e->response, d->type == PROBE_HTTP && strcmp(d->method, "HEAD") == 0, d->expect_body);

        if (is_tcp(e)) {
                step_dial(e);
                return;
        }
        e->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (e->fd < 0) {
                fail_with_errno(e, errno);
                return;
        }
        step_connect(e);
        if (e->state == EXCHANGE_TALKING)
                probe_exchange_go_on(e, 0);
}

uint32_t probe_exchange_events(const ProbeExchange *e) {
        /* epoll calls a unix socket that is not connected hung up, over and over: no use waiting for it. */
        if (e->state == EXCHANGE_KNOCKING)
                return 0;
        if (e->state == EXCHANGE_DIALING)
                return EPOLLIN;
        return EPOLLIN | (e->state == EXCHANGE_CONNECTING || e->n_sent < n_request(e) ? EPOLLOUT : 0);
}

void probe_exchange_give_up(ProbeExchange *e) {
        const char *where = probe_words_for_progress(e->response);

        if (e->state == EXCHANGE_KNOCKING) {
                fail(e, "accept queue full");
                return;
        }
        if (e->state == EXCHANGE_DIALING) {
                blame_dialer(e, "no answer");
                return;
        }
        if (e->state == EXCHANGE_CONNECTING)
                where = " connecting";
        else if (where[0] == '\0' && e->n_sent < n_request(e))
                where = " sending the request";
        (void) snprintf(e->result->error, sizeof(e->result->error), "timed out after %" PRIu64 " ms%s",
                        e->definition->timeout_usec / USEC_PER_MSEC, where);
        conclude(e, PROBE_FAIL);
}

void probe_exchange_abandon(ProbeExchange *e, const char *why) {
        *e->result = (ProbeResult){ .outcome = PROBE_UNKNOWN };
        (void) snprintf(e->result->error, sizeof(e->result->error), "%s", why);
        e->state = EXCHANGE_DONE;
}
