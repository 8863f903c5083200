/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "boundary/errand.h"
#include "boundary/http_prober.h"
#include "boundary/port_connection.h"
#include "forked_process.h"
#include "http_behaviours.h"
#include "unit_sockets.h"

/* ---- a server: a process of its own that behaves to each connection as told ---- */

static void await_request(int fd) {
        (void) poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1);
}

static void read_request(int fd) {
        char bytes[4096] = "";
        size_t n = 0;

        while (n < sizeof(bytes) - 1 && !strstr(bytes, "\r\n\r\n")) {
                ssize_t k = read(fd, bytes + n, sizeof(bytes) - 1 - n);

                if (k <= 0)
                        return;
                n += (size_t) k;
        }
}

static bool say(int fd, const char *bytes, size_t n) {
        for (size_t i = 0; i < n;) {
                ssize_t k = send(fd, bytes + i, n - i, MSG_NOSIGNAL);

                if (k < 0)
                        return false;
                i += (size_t) k;
        }
        return true;
}

static void end_connection(int fd, Then then) {
        const struct linger at_once = { .l_onoff = 1 };

        if (then == HANGS)
                return;
        if (then == SHUTS_DOWN) {
                (void) shutdown(fd, SHUT_WR);
                return;
        }
        /* TCP resets by this option; a unix socket by bytes that were not read. */
        if (then == RESETS)
                (void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        (void) close(fd);
}

static void serve_one(int fd, const Behaviour *b) {
        if (b->then == RESETS)
                await_request(fd);
        else if (!b->at_once)
                read_request(fd);
        if (b->delay_ms > 0)
                (void) usleep(b->delay_ms * 1000);
        if (b->answer)
                (void) say(fd, b->answer, b->n_answer);
        for (const char *c = b->more; b->then == DRIPS && *c && say(fd, c, 1); c++)
                (void) usleep(50000);
        while (b->then == FLOODS && say(fd, b->more, strlen(b->more)))
                ;
        end_connection(fd, b->then);
}

/* Takes over `listener`. */
static pid_t serve(int listener, const Behaviour *b) {
        pid_t pid = forked_process_new();

        if (pid == 0) {
                (void) fcntl(listener, F_SETFL, 0);
                for (;;) {
                        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

                        if (fd < 0)
                                _exit(1);
                        serve_one(fd, b);
                }
        }
        (void) close(listener);
        return pid;
}

static int listen_on_port(uint16_t *ret_port, int backlog) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t n = sizeof(address);

        if (fd < 0 || bind(fd, (struct sockaddr *) &address, n) < 0 || listen(fd, backlog) < 0 ||
            getsockname(fd, (struct sockaddr *) &address, &n) < 0)
                return -1;
        *ret_port = ntohs(address.sin_port);
        return TAKE_FD(fd);
}

/* ---- a loop with a prober ---- */

typedef struct Bench {
        sd_event *event;
        Prober *prober;
        unsigned n_done, n_passed;
        ProbeResult last;
        unsigned n_restarts_left; /* of the probe by its own done() */
        bool frees_probe;
} Bench;

static void bench_done(Bench *b) {
        (void) prober_free(b->prober);
        (void) sd_event_unref(b->event);
}

#define _cleanup_bench_ _cleanup_(bench_done)

static bool bench_init_with(Bench *b, ProberLimits limits) {
        *b = (Bench){ 0 };
        return sd_event_new(&b->event) >= 0 && prober_new(b->event, &limits, &b->prober) == 0;
}

static bool bench_init(Bench *b, unsigned max_in_flight) {
        return bench_init_with(b, (ProberLimits){ .max_fresh = max_in_flight, .max_in_flight = max_in_flight });
}

static void on_done(Probe *p, const ProbeResult *result, void *userdata) {
        Bench *b = userdata;

        b->n_done++;
        b->n_passed += result->outcome == PROBE_PASS;
        b->last = *result;
        if (b->n_restarts_left > 0 && b->n_restarts_left-- > 0)
                (void) probe_start(p);
        else if (b->frees_probe)
                (void) probe_free(p);
}

/* False: half a minute passed without all of them. */
static bool run_until(Bench *b, unsigned n_done) {
        uint64_t give_up_usec = clock_monotonic_usec() + 30 * USEC_PER_SEC;

        while (b->n_done < n_done && clock_monotonic_usec() < give_up_usec)
                if (sd_event_run(b->event, USEC_PER_SEC) < 0)
                        return false;
        return b->n_done >= n_done;
}

static ProbeDefinition definition_for(const char *socket, uint16_t port) {
        return (ProbeDefinition){
                .name = (char *) "test",
                .action = -1,
                .socket = (char *) socket,
                .port = port,
                .method = (char *) "GET",
                .path = (char *) "/health",
                .timeout_usec = TIMEOUT_MS * USEC_PER_MSEC,
                .failures = 1,
                .successes = 1,
        };
}

/* Runs one probe from start to end. What never ended has the outcome _PROBE_OUTCOME_MAX. */
static ProbeResult ask(const ProbeDefinition *d, const ProbeReach *reach) {
        _cleanup_bench_ Bench b = { 0 };
        _cleanup_(probe_freep) Probe *p = NULL;

        if (!bench_init(&b, 4) || probe_new(b.prober, d, on_done, &b, &p) < 0)
                return (ProbeResult){ .outcome = _PROBE_OUTCOME_MAX };
        if (reach)
                probe_set_reach(p, reach);
        if (probe_start(p) < 0 || !run_until(&b, 1))
                return (ProbeResult){ .outcome = _PROBE_OUTCOME_MAX };
        return b.last;
}

/* ---- what servers do, and what is said of it ---- */

static void note_result(_unused_ Probe *p, const ProbeResult *result, void *userdata) {
        *(ProbeResult *) userdata = *result;
}

/* A row of the table on its way. */
typedef struct Trial {
        const Behaviour *behaviour;
        char path[128];
        pid_t server;
        int held[3]; /* what keeps the place as it is */
        ProbeDefinition definition;
        Probe *probe;
        ProbeResult result;
} Trial;

static bool place_is_on(Place place, bool tcp) {
        if (place == SERVED || place == NEVER_ACCEPTS)
                return true;
        return tcp == (place == FULL_PORT || place == CLOSED_PORT);
}

static bool make_place_on_unix(Trial *t) {
        const char *path = t->path;

        switch (t->behaviour->place) {
        case SERVED:
                t->server = serve(listen_at(path, 8), t->behaviour);
                return t->server > 0;
        case NOTHING:
                return true;
        case NO_FOLDER:
                strcat(t->path, "/none");
                return true;
        case DEAD_SOCKET:
                return make_dead_socket(path);
        case DEAD_LINK:
                return symlink("nonexistent", path) == 0;
        case LINK_TO_ITSELF:
                return symlink(path, path) == 0;
        case DATAGRAM_SOCKET:
                return (t->held[0] = bind_at(path, SOCK_DGRAM)) >= 0;
        case PACKET_SOCKET:
                return (t->held[0] = bind_at(path, SOCK_SEQPACKET)) >= 0 && listen(t->held[0], 8) == 0;
        case REGULAR_FILE:
                return (t->held[0] = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644)) >= 0;
        case FOLDER:
                return mkdir(path, 0755) == 0;
        case NEVER_ACCEPTS:
                return (t->held[0] = listen_at(path, 8)) >= 0;
        case FULL_QUEUE:
                return (t->held[0] = listen_at(path, 0)) >= 0 && (t->held[1] = connect_at(path)) >= 0;
        case FULL_PORT:
        case CLOSED_PORT:
        default:
                return false;
        }
}

static int knock_on_port(uint16_t port) {
        const struct sockaddr_in address = { .sin_family = AF_INET,
                                             .sin_port = htons(port),
                                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        (void) connect(fd, (const struct sockaddr *) &address, sizeof(address));
        return fd;
}

static bool make_place_on_tcp(Trial *t) {
        Place place = t->behaviour->place;
        uint16_t *port = &t->definition.port;
        int listener = listen_on_port(port, place == FULL_PORT ? 0 : 8);

        if (listener < 0)
                return false;
        if (place == SERVED) {
                t->server = serve(listener, t->behaviour);
                return t->server > 0;
        }
        if (place == CLOSED_PORT)
                return close(listener) == 0;
        t->held[0] = listener;
        if (place == FULL_PORT) {
                t->held[1] = knock_on_port(*port);
                t->held[2] = knock_on_port(*port);
        }
        return true;
}

static bool trial_begin(Trial *t, const Behaviour *behaviour, const char *folder, Prober *prober) {
        *t = (Trial){ .behaviour = behaviour, .held = { -1, -1, -1 }, .result.outcome = _PROBE_OUTCOME_MAX };
        (void) snprintf(t->path, sizeof(t->path), "%s/%p", folder ? folder : "", (const void *) behaviour);
        t->definition = definition_for(folder ? t->path : NULL, 0);
        t->definition.expect_body = (char *) behaviour->expect_body;
        if (behaviour->method)
                t->definition.method = (char *) behaviour->method;
        return (folder ? make_place_on_unix(t) : make_place_on_tcp(t)) &&
               probe_new(prober, &t->definition, note_result, &t->result, &t->probe) >= 0 && probe_start(t->probe) >= 0;
}

static void trial_end(Trial *t) {
        (void) probe_free(t->probe);
        forked_process_end(&t->server);
        for (size_t i = 0; i < ELEMENTSOF(t->held); i++)
                if (t->held[i] >= 0)
                        (void) close(t->held[i]);
}

static bool waits_for_the_deadline(const Behaviour *b) {
        return strncmp(b->words, TIMED_OUT, strlen(TIMED_OUT)) == 0 || b->place == FULL_QUEUE;
}

static void trial_check(const Trial *t) {
        const Behaviour *b = t->behaviour;
        const ProbeResult *r = &t->result;

        if (r->outcome != b->outcome || strcmp(r->error, b->words) != 0 || r->status != b->status)
                FAIL("a server that %s: outcome %d, \"%s\", status %u", b->name, (int) r->outcome, r->error, r->status);
        if (waits_for_the_deadline(b) != (r->latency_usec >= TIMEOUT_MS * USEC_PER_MSEC))
                FAIL("a server that %s: judged after %" PRIu64 " us", b->name, r->latency_usec);
}

/* All rows side by side in one loop. `folder` NULL: on TCP. */
static void check_behaviours(const char *folder) {
        static Trial trials[ELEMENTSOF(behaviours)];
        uint64_t give_up_usec = clock_monotonic_usec() + 20 * USEC_PER_SEC;
        bool are_begun = true, is_waiting = true;
        size_t n = 0;
        _cleanup_bench_ Bench b = { 0 };

        ASSERT(bench_init(&b, ELEMENTSOF(behaviours)));
        for (size_t i = 0; i < ELEMENTSOF(behaviours) && are_begun; i++)
                if (place_is_on(behaviours[i].place, !folder))
                        are_begun = trial_begin(&trials[n++], &behaviours[i], folder, b.prober);
        while (are_begun && is_waiting && clock_monotonic_usec() < give_up_usec) {
                (void) sd_event_run(b.event, 100 * USEC_PER_MSEC);
                is_waiting = false;
                for (size_t i = 0; i < n; i++)
                        is_waiting = is_waiting || probe_in_flight(trials[i].probe);
        }
        for (size_t i = 0; i < n; i++)
                trial_end(&trials[i]);
        ASSERT(are_begun);
        for (size_t i = 0; i < n; i++)
                trial_check(&trials[i]);
}

TEST(what_a_server_does_on_a_unix_socket_is_named) {
        _cleanup_folder_ char *folder = folder_new();

        check_behaviours(folder);
}

TEST(what_a_server_does_on_tcp_is_named) {
        check_behaviours(NULL);
}

/* A port that nobody listens on, of those that the kernel gives to callers first: the even ones. */
static uint16_t free_even_port(void) {
        for (unsigned i = 0; i < 100; i++) {
                struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
                _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                uint16_t port = 0;

                (void) close(listen_on_port(&port, 1));
                port &= (uint16_t) ~1;
                address.sin_port = htons(port);
                if (bind(fd, (struct sockaddr *) &address, sizeof(address)) == 0)
                        return port;
        }
        return 0;
}

/* Where nobody listens, such a port is sooner or later given to the caller itself, and TCP connects the call to itself:
 * that is no service. So many calls go through all these ports. */
TEST(a_call_that_meets_itself_is_refused) {
        enum { N_CALLS = 20000 };
        _cleanup_bench_ Bench b = { 0 };
        _cleanup_(probe_freep) Probe *p = NULL;
        ProbeDefinition d = definition_for(NULL, free_even_port());

        d.type = PROBE_CONNECT;
        ASSERT(d.port > 0 && bench_init(&b, 1) && probe_new(b.prober, &d, on_done, &b, &p) == 0);
        b.n_restarts_left = N_CALLS - 1;
        ASSERT(probe_start(p) == 0 && run_until(&b, N_CALLS));
        ASSERT_EQ(b.n_passed, 0);
        ASSERT_STREQ(b.last.error, "refused");
}

static char *large_body(void) {
        enum { BODY_BYTES = 4 * 1024 * 1024 }; /* more than a socket holds */
        char *body = malloc(BODY_BYTES);

        if (body) {
                memset(body, 'x', BODY_BYTES);
                body[BODY_BYTES - 1] = '\0';
        }
        return body;
}

TEST(a_reset_while_the_request_is_still_being_sent_is_named) {
        static const Behaviour behaviour = { .then = RESETS, .delay_ms = 20 };
        uint16_t port = 0;
        _cleanup_process_ pid_t service = serve(listen_on_port(&port, 8), &behaviour);
        _cleanup_free_ char *body = large_body();
        ProbeDefinition d = definition_for(NULL, port);

        d.body = body;
        ASSERT_STREQ(ask(&d, NULL).error, "connection reset");
}

TEST(an_answer_to_a_request_that_was_not_taken_counts) {
        static const Behaviour behaviour = { .answer = BYTES("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"),
                                             .at_once = true };
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_process_ pid_t service = serve(listen_at(path, 8), &behaviour);
        _cleanup_free_ char *body = large_body();
        ProbeDefinition d = definition_for(path, 0);

        d.body = body;
        d.method = (char *) "POST";
        ASSERT_STREQ(ask(&d, NULL).error, "status 413");
}

TEST(a_request_that_nobody_takes_is_named) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_close_ int listener = listen_at(path, 8);
        _cleanup_free_ char *body = large_body();
        ProbeDefinition d = definition_for(path, 0);

        ASSERT(listener >= 0);
        d.body = body;
        d.timeout_usec = 200 * USEC_PER_MSEC;
        ASSERT_STREQ(ask(&d, NULL).error, "timed out after 200 ms sending the request");
}

TEST(an_expected_status_out_of_several_ranges_passes) {
        static const Behaviour behaviour = { .answer = BYTES("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") };
        StatusRange ranges[] = { { 200, 204 }, { 404, 404 } };
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_process_ pid_t service = serve(listen_at(path, 8), &behaviour);
        ProbeDefinition d = definition_for(path, 0);

        d.expect_status = ranges;
        d.n_expect_status = 2;
        ASSERT_EQ(ask(&d, NULL).outcome, PROBE_PASS);
        d.n_expect_status = 1;
        ASSERT_STREQ(ask(&d, NULL).error, "status 404");
}

TEST(a_long_expected_text_is_shortened_between_characters) {
        static const Behaviour behaviour = { .answer = BYTES(LENGTH("0")) };
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_process_ pid_t service = serve(listen_at(path, 8), &behaviour);
        ProbeDefinition d = definition_for(path, 0);
        ProbeResult r;

        d.expect_body = (char *) "line\nübü0123456789012345678901234567890123456789012345678üüüüüüüüüüüüüü";
        r = ask(&d, NULL);
        ASSERT_STREQ(r.error, "body does not hold \"line übü0123456789012345678901234567890123456789012345678…\"");
}

TEST(a_socket_we_may_not_connect_to_is_named) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_close_ int listener = listen_at(path, 8);
        const ProbeDefinition d = definition_for(path, 0);
        bool is_root = geteuid() == 0;
        ProbeResult r;

        ASSERT(listener >= 0 && chmod(folder, 0711) == 0 && chmod(path, 0) == 0);
        ASSERT(!is_root || seteuid(65534) == 0);
        r = ask(&d, NULL);
        ASSERT(!is_root || seteuid(0) == 0);
        ASSERT_STREQ(r.error, "permission denied");
}

TEST(the_connect_type_passes_on_a_connection_alone) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        uint16_t port = 0;
        _cleanup_close_ int listener = listen_at(path, 8), port_listener = listen_on_port(&port, 8), accepted = -1;
        ProbeDefinition by_path = definition_for(path, 0), by_port = definition_for(NULL, port);
        char byte;

        ASSERT(listener >= 0 && port_listener >= 0);
        by_path.type = by_port.type = PROBE_CONNECT;
        ASSERT_EQ(ask(&by_path, NULL).outcome, PROBE_PASS);
        ASSERT_EQ(ask(&by_port, NULL).outcome, PROBE_PASS);
        accepted = accept(listener, NULL, NULL);
        ASSERT(accepted >= 0);
        ASSERT_EQ(read(accepted, &byte, 1), 0); /* nothing was said */
}

TEST(a_path_too_long_for_sockaddr_un_is_reached) {
        static const Behaviour behaviour = { .answer = BYTES(LENGTH("0")) };
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s"), *long_path;
        _cleanup_process_ pid_t service = serve(listen_at(path, 8), &behaviour);
        ProbeDefinition d;
        char name[200] = "";

        memset(name, 'n', sizeof(name) - 1);
        long_path = in_folder(folder, name);
        ASSERT(rename(path, long_path) == 0);
        d = definition_for(long_path, 0);
        ASSERT_EQ(ask(&d, NULL).outcome, PROBE_PASS);
        ASSERT(rename(long_path, path) == 0);
        ASSERT_STREQ(ask(&d, NULL).error, "no such socket");
}

TEST(a_link_in_the_place_of_the_socket_is_not_connected_to) {
        _cleanup_folder_ char *folder = folder_new();
        const char *victim = in_folder(folder, "victim"), *path = in_folder(folder, "s");
        _cleanup_close_ int listener = listen_at(victim, 8);
        const ProbeDefinition d = definition_for(path, 0);
        ProbeResult r;

        ASSERT(listener >= 0 && symlink(victim, path) == 0);
        r = ask(&d, NULL);
        ASSERT_EQ(r.outcome, PROBE_FAIL);
        ASSERT(r.nobody_there);
        ASSERT_STREQ(r.error, "not asked: a symbolic link is in the path");
        ASSERT_EQ(accept(listener, NULL, NULL), -1);
}

/* ---- through hero_proc_dialer ---- */

static void serve_nothing(int connection) {
        (void) close(connection);
        for (;;)
                (void) pause();
}

static ProbeResult ask_by(const char *dialer, const ProbeDefinition *d) {
        _cleanup_bench_ Bench b = { 0 };
        _cleanup_(probe_freep) Probe *p = NULL;

        if (!bench_init(&b, 4) || probe_new(b.prober, d, on_done, &b, &p) < 0)
                return (ProbeResult){ .outcome = _PROBE_OUTCOME_MAX };
        prober_set_dialer(b.prober, dialer);
        if (probe_start(p) < 0 || !run_until(&b, 1))
                return (ProbeResult){ .outcome = _PROBE_OUTCOME_MAX };
        return b.last;
}

TEST(a_port_is_asked_through_the_dialer_as_without_one) {
        static const Behaviour behaviour = { .answer = BYTES(LENGTH("0")) };
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "dialer");
        _cleanup_process_ pid_t dialer = forked_process_serve(path, port_connection_serve);
        uint16_t port = 0, dead_port = 0;
        _cleanup_process_ pid_t service = serve(listen_on_port(&port, 8), &behaviour);
        ProbeDefinition d = definition_for(NULL, port);
        ProbeResult r;

        ASSERT(dialer > 0 && service > 0);
        ASSERT_EQ(ask_by(path, &d).outcome, PROBE_PASS);
        ASSERT(close(listen_on_port(&dead_port, 8)) == 0);
        d.port = dead_port;
        r = ask_by(path, &d);
        ASSERT_EQ(r.outcome, PROBE_FAIL);
        ASSERT_STREQ(r.error, "refused");
        ASSERT(r.nobody_there);
}

TEST(a_dialer_that_is_not_there_or_hangs_is_no_fault_of_the_service) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "dialer");
        uint16_t port = 0;
        _cleanup_close_ int listener = listen_on_port(&port, 8);
        const ProbeDefinition d = definition_for(NULL, port);
        ProbeResult r = ask_by(path, &d);

        ASSERT_EQ(r.outcome, PROBE_UNKNOWN);
        ASSERT_STREQ(r.error, "hero_proc_dialer: No such file or directory");
        _cleanup_process_ pid_t dialer = forked_process_serve(path, serve_nothing);
        ASSERT(listener >= 0 && dialer > 0);
        r = ask_by(path, &d); /* it hangs up, and then takes nobody any more */
        ASSERT_EQ(r.outcome, PROBE_UNKNOWN);
        ASSERT_STREQ(r.error, "hero_proc_dialer: Connection reset by peer");
        r = ask_by(path, &d);
        ASSERT_EQ(r.outcome, PROBE_UNKNOWN);
        ASSERT_STREQ(r.error, "hero_proc_dialer: no answer");
}

/* ---- reached by somebody else's word ---- */

typedef struct Guide {
        unsigned n_calls, n_busy_left;
        bool refuses;
        const char *path;
} Guide;

static int guide_connect(int fd, ProbeResult *refusal, void *userdata) {
        Guide *g = userdata;
        struct sockaddr_un address = address_of(g->path);

        g->n_calls++;
        if (g->n_busy_left > 0 && g->n_busy_left--)
                return -EAGAIN;
        if (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        if (!g->refuses)
                return 0;
        *refusal = (ProbeResult){ .outcome = PROBE_FAIL, .error = "not to be asked", .nobody_there = true };
        return 1;
}

TEST(who_reaches_the_socket_decides_where_and_may_be_called_again) {
        static const Behaviour behaviour = { .answer = BYTES(LENGTH("0")) };
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_process_ pid_t service = serve(listen_at(path, 8), &behaviour);
        const ProbeDefinition d = definition_for("/nonexistent", 0);
        Guide g = { .path = path, .n_busy_left = 2 };

        ASSERT_EQ(ask(&d, &(ProbeReach){ .connect = guide_connect, .userdata = &g }).outcome, PROBE_PASS);
        ASSERT_EQ(g.n_calls, 3);
        g.path = in_folder(folder, "none");
        ASSERT_STREQ(ask(&d, &(ProbeReach){ .connect = guide_connect, .userdata = &g }).error, "no such socket");
}

TEST(a_connection_that_is_refused_to_the_probe_gets_no_byte) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_close_ int listener = listen_at(path, 8), accepted = -1;
        const ProbeDefinition d = definition_for(path, 0);
        Guide g = { .path = path, .refuses = true };
        ProbeResult r = ask(&d, &(ProbeReach){ .connect = guide_connect, .userdata = &g });
        char byte;

        ASSERT_EQ(r.outcome, PROBE_FAIL);
        ASSERT(r.nobody_there);
        ASSERT_STREQ(r.error, "not to be asked");
        accepted = accept(listener, NULL, NULL);
        ASSERT(accepted >= 0);
        ASSERT_EQ(read(accepted, &byte, 1), 0);
}

TEST(an_accept_queue_that_empties_in_time_is_no_failure) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_close_ int listener = listen_at(path, 0), waiting = connect_at(path);
        ProbeDefinition d = definition_for(path, 0);
        _cleanup_bench_ Bench b = { 0 };
        _cleanup_(probe_freep) Probe *p = NULL;

        ASSERT(listener >= 0 && waiting >= 0 && bench_init(&b, 1));
        d.type = PROBE_CONNECT;
        ASSERT(probe_new(b.prober, &d, on_done, &b, &p) == 0 && probe_start(p) == 0);
        for (unsigned i = 0; i < 3; i++) /* the start, and two knocks more */
                ASSERT(sd_event_run(b.event, USEC_PER_SEC) > 0);
        ASSERT(probe_in_flight(p));
        ASSERT(close(accept(listener, NULL, NULL)) == 0);
        ASSERT(run_until(&b, 1));
        ASSERT_EQ(b.last.outcome, PROBE_PASS);
}

/* ---- our own faults ---- */

TEST(a_want_of_descriptors_is_ours_and_passes_by) {
        static const Behaviour behaviour = { .answer = BYTES(LENGTH("0")) };
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_process_ pid_t service = serve(listen_at(path, 8), &behaviour);
        const ProbeDefinition d = definition_for(path, 0);
        _cleanup_bench_ Bench b = { 0 };
        _cleanup_(probe_freep) Probe *p = NULL;
        struct rlimit before, none;
        bool is_done;

        ASSERT(bench_init(&b, 1) && probe_new(b.prober, &d, on_done, &b, &p) == 0);
        ASSERT(getrlimit(RLIMIT_NOFILE, &before) == 0);
        none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
        ASSERT(setrlimit(RLIMIT_NOFILE, &none) == 0);
        is_done = probe_start(p) == 0 && run_until(&b, 1);
        ASSERT(setrlimit(RLIMIT_NOFILE, &before) == 0);
        ASSERT(is_done);
        ASSERT_EQ(b.last.outcome, PROBE_UNKNOWN);
        ASSERT_STREQ(b.last.error, "we have no file descriptor left");

        ASSERT(probe_start(p) == 0 && run_until(&b, 2));
        ASSERT_EQ(b.last.outcome, PROBE_PASS);
}

enum { N_LATE = 12 };

/* Starts probes and lets them send, then keeps the loop from running until `late_usec` after their deadline. Several,
 * because for each it is open whether its timer or its socket is looked at first. */
static void ask_and_be_late(const ProbeDefinition *d, uint64_t late_usec, ProbeResult ret_results[static N_LATE]) {
        uint64_t give_up_usec = clock_monotonic_usec() + 10 * USEC_PER_SEC, wake_usec;
        Probe *probes[N_LATE] = { 0 };
        _cleanup_bench_ Bench b = { 0 };
        bool is_waiting = true;

        ASSERT(bench_init(&b, N_LATE));
        for (unsigned i = 0; i < N_LATE; i++) {
                ret_results[i] = (ProbeResult){ .outcome = _PROBE_OUTCOME_MAX };
                ASSERT(probe_new(b.prober, d, note_result, &ret_results[i], &probes[i]) == 0);
                ASSERT(probe_start(probes[i]) == 0);
        }
        ASSERT(sd_event_run(b.event, USEC_PER_SEC) > 0);
        wake_usec = clock_monotonic_usec() + d->timeout_usec + late_usec;
        while (clock_monotonic_usec() < wake_usec)
                (void) poll(NULL, 0, 10);
        while (is_waiting && clock_monotonic_usec() < give_up_usec) {
                (void) sd_event_run(b.event, USEC_PER_SEC);
                is_waiting = false;
                for (unsigned i = 0; i < N_LATE; i++)
                        is_waiting = is_waiting || probe_in_flight(probes[i]);
        }
        for (unsigned i = 0; i < N_LATE; i++)
                (void) probe_free(probes[i]);
}

TEST(an_answer_in_time_counts_although_our_loop_was_late) {
        static const Behaviour behaviour = { .answer = BYTES(LENGTH("2") "hi"), HANGS };
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_process_ pid_t service = serve(listen_at(path, N_LATE), &behaviour);
        ProbeDefinition d = definition_for(path, 0);
        ProbeResult results[N_LATE];

        d.timeout_usec = 200 * USEC_PER_MSEC;
        for (unsigned late_ms = 10; late_ms <= 310; late_ms += 300) {
                ask_and_be_late(&d, late_ms * USEC_PER_MSEC, results);
                for (unsigned i = 0; i < N_LATE; i++)
                        ASSERT_EQ(results[i].outcome, PROBE_PASS);
        }
}

TEST(no_answer_says_nothing_when_our_loop_was_late) {
        static const Behaviour behaviour = { .answer = BYTES(LENGTH("5") "hi"), HANGS };
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_process_ pid_t service = serve(listen_at(path, N_LATE), &behaviour);
        ProbeDefinition d = definition_for(path, 0);
        ProbeResult results[N_LATE];

        d.timeout_usec = 300 * USEC_PER_MSEC;
        ask_and_be_late(&d, 200 * USEC_PER_MSEC, results);
        for (unsigned i = 0; i < N_LATE; i++) {
                ASSERT_EQ(results[i].outcome, PROBE_UNKNOWN);
                ASSERT_STREQ(results[i].error, "our own loop was late");
        }
        ask_and_be_late(&d, 10 * USEC_PER_MSEC, results);
        for (unsigned i = 0; i < N_LATE; i++) {
                ASSERT_EQ(results[i].outcome, PROBE_FAIL);
                ASSERT_STREQ(results[i].error, "timed out after 300 ms in the body");
        }
}

/* ---- many, and many times ---- */

TEST(time_in_the_queue_is_not_charged) {
        static const Behaviour behaviour = { .answer = BYTES(LENGTH("0")), .delay_ms = 5 };
        enum { N_PROBES = 200 };
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_process_ pid_t service = serve(listen_at(path, N_PROBES), &behaviour);
        ProbeDefinition d = definition_for(path, 0);
        uint64_t begin_usec = clock_monotonic_usec();
        Probe *probes[N_PROBES] = { 0 };
        bool are_done;
        _cleanup_bench_ Bench b = { 0 };

        ASSERT(bench_init(&b, 16));
        d.timeout_usec = 600 * USEC_PER_MSEC; /* the whole takes a second and more, sixteen of them a twelfth of that */
        for (unsigned i = 0; i < N_PROBES; i++)
                ASSERT(probe_new(b.prober, &d, on_done, &b, &probes[i]) == 0 && probe_start(probes[i]) == 0);
        are_done = run_until(&b, N_PROBES);
        for (unsigned i = 0; i < N_PROBES; i++)
                (void) probe_free(probes[i]);
        ASSERT(are_done);
        ASSERT_EQ(b.n_passed, N_PROBES);
        ASSERT(clock_monotonic_usec() - begin_usec > d.timeout_usec);
}

TEST(no_more_than_the_cap_are_connected_at_once) {
        enum { N_PROBES = 40, CAP = 16 };
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_close_ int listener = listen_at(path, N_PROBES);
        const ProbeDefinition d = definition_for(path, 0);
        Probe *probes[N_PROBES] = { 0 };
        unsigned n_first = 0, n_next = 0;
        _cleanup_bench_ Bench b = { 0 };
        int fd;

        ASSERT(listener >= 0 && bench_init(&b, CAP));
        for (unsigned i = 0; i < N_PROBES; i++)
                ASSERT(probe_new(b.prober, &d, on_done, &b, &probes[i]) == 0 && probe_start(probes[i]) == 0);
        while (sd_event_run(b.event, 0) > 0)
                ;
        for (; (fd = accept(listener, NULL, NULL)) >= 0; n_first++)
                if (n_first % 2 == 0)
                        (void) close(fd); /* half of them end, and as many others take their places */
                else
                        (void) dup3(fd, fd, O_CLOEXEC);
        while (sd_event_run(b.event, 0) > 0)
                ;
        for (; (fd = accept(listener, NULL, NULL)) >= 0; n_next++)
                ;
        for (unsigned i = 0; i < N_PROBES; i++)
                (void) probe_free(probes[i]);
        ASSERT_EQ(n_first, CAP);
        ASSERT_EQ(n_next, CAP / 2);
        ASSERT_EQ(b.n_done, CAP / 2);
}

static unsigned count_time_wait(uint16_t port) {
        _cleanup_fclose_ FILE *f = fopen("/proc/net/tcp", "re");
        unsigned local, remote, state, n = 0;
        char line[256];

        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, " %*u: %*x:%x %*x:%x %x", &local, &remote, &state) == 3)
                        n += state == 6 && (local == port || remote == port);
        return n;
}

/* Rounds of `n_probes` probes side by side, each started anew by hand when all are done. */
static bool run_rounds(Bench *b, Probe **probes, unsigned n_probes, unsigned n_rounds) {
        for (unsigned round = 0; round < n_rounds; round++) {
                b->n_done = b->n_passed = 0;
                for (unsigned i = 0; i < n_probes; i++)
                        if (probe_start(probes[i]) < 0)
                                return false;
                if (!run_until(b, n_probes) || b->n_passed != n_probes)
                        return false;
        }
        return true;
}

/* One round in which each probe has to wait for its answer, so that each has set up what it waits with. */
static bool run_all_held(Bench *b, Probe **probes, unsigned n_probes, pid_t one, pid_t other) {
        bool is_started = kill(one, SIGSTOP) == 0 && kill(other, SIGSTOP) == 0;

        for (unsigned i = 0; i < n_probes; i++)
                is_started = is_started && probe_start(probes[i]) == 0;
        while (is_started && sd_event_run(b->event, 0) > 0)
                ;
        return kill(one, SIGCONT) == 0 && kill(other, SIGCONT) == 0 && is_started && run_until(b, n_probes);
}

TEST(thousands_of_probes_leave_no_descriptor_no_memory_and_no_time_wait) {
        static const Behaviour behaviour = { .answer = BYTES(LENGTH("2") "hi") };
        /* So few that the event loop's own arrays do not grow with how many happen to be ready at once. */
        enum { N_PROBES = 8, N_ROUNDS = 250 };
        uint16_t port = 0;
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_process_ pid_t by_path = serve(listen_at(path, 64), &behaviour);
        _cleanup_process_ pid_t by_port = serve(listen_on_port(&port, 8), &behaviour);
        const ProbeDefinition d[] = { definition_for(path, 0), definition_for(NULL, port) };
        Probe *probes[N_PROBES] = { 0 };
        unsigned n_fds_before, n_fds_after;
        size_t bytes_before, bytes_after;
        bool went_well;
        _cleanup_bench_ Bench b = { 0 };

        ASSERT(bench_init(&b, N_PROBES));
        for (unsigned i = 0; i < N_PROBES; i++)
                ASSERT_EQ(probe_new(b.prober, &d[i % 2], on_done, &b, &probes[i]), 0);
        went_well = run_all_held(&b, probes, N_PROBES, by_path, by_port) && run_rounds(&b, probes, N_PROBES, 3);
        n_fds_before = count_fds();
        bytes_before = mallinfo2().uordblks;
        went_well = went_well && run_rounds(&b, probes, N_PROBES, N_ROUNDS);
        bytes_after = mallinfo2().uordblks;
        n_fds_after = count_fds();
        for (unsigned i = 0; i < N_PROBES; i++)
                (void) probe_free(probes[i]);
        ASSERT(went_well);
        ASSERT_EQ(n_fds_after, n_fds_before);
        ASSERT_EQ(bytes_after, bytes_before);
        ASSERT_EQ(count_time_wait(port), 0);
}

/* ---- the life of a probe ---- */

TEST(done_is_never_called_from_within_start) {
        const ProbeDefinition d = definition_for("/nonexistent/s", 0);
        _cleanup_bench_ Bench b = { 0 };
        _cleanup_(probe_freep) Probe *p = NULL;

        ASSERT(bench_init(&b, 1) && probe_new(b.prober, &d, on_done, &b, &p) == 0);
        ASSERT_EQ(probe_start(p), 0);
        ASSERT_EQ(b.n_done, 0);
        ASSERT(probe_in_flight(p));
        ASSERT_EQ(probe_start(p), -EALREADY);
        ASSERT(run_until(&b, 1));
        ASSERT(!probe_in_flight(p));
}

static int count_turn(_unused_ sd_event_source *s, _unused_ int fd, _unused_ uint32_t revents, void *userdata) {
        ++*(unsigned *) userdata;
        return 0;
}

TEST(a_probe_that_its_done_starts_anew_leaves_the_loop_to_others) {
        const ProbeDefinition d = definition_for("/nonexistent/s", 0);
        _cleanup_close_ int always_ready = eventfd(1, EFD_CLOEXEC);
        unsigned n_turns = 0;
        sd_event_source *other = NULL;
        _cleanup_bench_ Bench b = { 0 };
        _cleanup_(probe_freep) Probe *p = NULL;

        ASSERT(bench_init(&b, 4) && probe_new(b.prober, &d, on_done, &b, &p) == 0);
        ASSERT(sd_event_add_io(b.event, &other, always_ready, EPOLLIN, count_turn, &n_turns) >= 0);
        b.n_restarts_left = 99;
        ASSERT(probe_start(p) == 0 && run_until(&b, 100));
        (void) sd_event_source_disable_unref(other);
        ASSERT_EQ(b.n_done, 100);
        ASSERT(n_turns >= 20);
}

TEST(a_probe_may_be_freed_by_its_done) {
        static const Behaviour behaviour = { .answer = BYTES(LENGTH("0")) };
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_process_ pid_t service = serve(listen_at(path, 8), &behaviour);
        const ProbeDefinition answers = definition_for(path, 0), fails = definition_for("/nonexistent/s", 0);
        _cleanup_bench_ Bench b = { 0 };
        Probe *p, *q;

        ASSERT(bench_init(&b, 1));
        b.frees_probe = true;
        ASSERT(probe_new(b.prober, &answers, on_done, &b, &p) == 0 && probe_start(p) == 0);
        ASSERT(probe_new(b.prober, &fails, on_done, &b, &q) == 0 && probe_start(q) == 0);
        ASSERT(run_until(&b, 2));
}

TEST(what_is_cancelled_or_freed_makes_room_and_is_not_heard_of) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_close_ int listener = listen_at(path, 8);
        const ProbeDefinition hangs = definition_for(path, 0), fails = definition_for("/nonexistent/s", 0);
        _cleanup_bench_ Bench b = { 0 };
        _cleanup_(probe_freep) Probe *running = NULL, *queued = NULL, *third = NULL;

        ASSERT(listener >= 0 && bench_init(&b, 1));
        ASSERT(probe_new(b.prober, &hangs, on_done, &b, &running) == 0 && probe_start(running) == 0);
        ASSERT(probe_new(b.prober, &hangs, on_done, &b, &queued) == 0 && probe_start(queued) == 0);
        ASSERT(probe_new(b.prober, &fails, on_done, &b, &third) == 0 && probe_start(third) == 0);
        while (sd_event_run(b.event, 0) > 0)
                ;
        ASSERT_EQ(b.n_done, 0);
        queued = probe_free(queued);
        probe_cancel(running);
        ASSERT(!probe_in_flight(running));
        ASSERT(run_until(&b, 1));
        ASSERT_STREQ(b.last.error, "no such socket");
        ASSERT_EQ(b.n_done, 1);
        probe_cancel(running); /* idle: nothing happens */
        ASSERT_EQ(probe_start(running), 0);
}

/* Eight that hang fill all places of fresh ones four times over; who comes after them is asked all the same, long
 * before their time is up. What there is of places in all, they may not exceed. */
TEST(who_hangs_makes_room_for_others) {
        static const Behaviour behaviour = { .answer = BYTES(LENGTH("0")) };
        _cleanup_folder_ char *folder = folder_new();
        char mute[64], live[64];
        _cleanup_close_ int listener = -1;
        _cleanup_process_ pid_t service = -1;
        ProbeDefinition hangs, answers;
        _cleanup_bench_ Bench b = { 0 };
        Probe *hanging[8] = { 0 }, *late = NULL;
        uint64_t began_usec = clock_monotonic_usec();
        unsigned n_in_flight, n_queued;

        (void) snprintf(mute, sizeof mute, "%s", in_folder(folder, "mute"));
        (void) snprintf(live, sizeof live, "%s", in_folder(folder, "live"));
        listener = listen_at(mute, 16);
        service = serve(listen_at(live, 8), &behaviour);
        hangs = definition_for(mute, 0);
        answers = definition_for(live, 0);
        hangs.timeout_usec = 10 * USEC_PER_SEC;
        ASSERT(bench_init_with(&b, (ProberLimits){ .max_fresh = 2, .max_in_flight = 7 }));
        for (size_t i = 0; i < ELEMENTSOF(hanging); i++)
                ASSERT(probe_new(b.prober, &hangs, on_done, &b, &hanging[i]) == 0);
        ASSERT(probe_new(b.prober, &answers, on_done, &b, &late) == 0);
        for (size_t i = 0; i < 6; i++)
                ASSERT_EQ(probe_start(hanging[i]), 0);
        ASSERT_EQ(probe_start(late), 0);
        ASSERT(run_until(&b, 1));
        ASSERT_EQ(b.n_passed, 1);
        ASSERT(clock_monotonic_usec() - began_usec < 5 * USEC_PER_SEC);
        ASSERT(clock_monotonic_usec() - began_usec >= 60 * USEC_PER_MSEC); /* three pairs had 20 ms each before it */
        prober_count(b.prober, &n_in_flight, &n_queued);
        ASSERT_EQ(n_in_flight, 6);
        ASSERT_EQ(n_queued, 0);

        for (size_t i = 6; i < ELEMENTSOF(hanging); i++)
                ASSERT_EQ(probe_start(hanging[i]), 0);
        (void) sd_event_run(b.event, 100 * USEC_PER_MSEC);
        prober_count(b.prober, &n_in_flight, &n_queued);
        ASSERT_EQ(n_in_flight, 7);
        ASSERT_EQ(n_queued, 1);
        for (size_t i = 0; i < ELEMENTSOF(hanging); i++)
                probe_free(hanging[i]);
        prober_count(b.prober, &n_in_flight, &n_queued);
        ASSERT_EQ(n_in_flight, 0);
        ASSERT_EQ(n_queued, 0);
        probe_free(late);
}

static unsigned rss_anon_kib(void) {
        _cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
        char line[128];
        unsigned kib = 0;

        while (f && fgets(line, sizeof line, f))
                if (sscanf(line, "RssAnon: %u kB", &kib) == 1)
                        break;
        return kib;
}

TEST(a_rush_of_probes_keeps_no_memory) {
        enum { N = 250 };
        _cleanup_folder_ char *folder = folder_new();
        char mute[64];
        _cleanup_close_ int listener = -1;
        ProbeDefinition hangs, hangs_long;
        _cleanup_bench_ Bench b = { 0 };
        Probe *probes[N] = { 0 };
        unsigned n_in_flight, n_queued, before_kib, after_kib;

        (void) snprintf(mute, sizeof mute, "%s", in_folder(folder, "mute"));
        listener = listen_at(mute, N);
        hangs = hangs_long = definition_for(mute, 0);
        hangs.timeout_usec = 500 * USEC_PER_MSEC;
        hangs_long.timeout_usec = 60 * USEC_PER_SEC;
        ASSERT(bench_init_with(&b, (ProberLimits){ .max_fresh = N, .max_in_flight = N }));
        for (size_t i = 0; i < N; i++) {
                ASSERT(probe_new(b.prober, i == 0 ? &hangs : &hangs_long, on_done, &b, &probes[i]) == 0);
                ASSERT_EQ(probe_start(probes[i]), 0);
        }
        do {
                ASSERT(sd_event_run(b.event, 100 * USEC_PER_MSEC) >= 0);
                prober_count(b.prober, &n_in_flight, &n_queued);
        } while (n_queued > 0);
        ASSERT_EQ(n_in_flight, N);
        for (size_t i = 1; i < N; i++)
                probe_free(probes[i]);
        before_kib = rss_anon_kib();
        prober_release_memory(b.prober);
        after_kib = rss_anon_kib();
        ASSERT(after_kib + N < before_kib); /* 1 KiB each at the least */
        ASSERT(run_until(&b, 1));
        ASSERT_EQ(b.n_passed, 0); /* the one that went on is not disturbed: it has had no answer */
        probe_free(probes[0]);
}

TEST(probes_outlive_the_owner_of_their_prober) {
        const ProbeDefinition d = definition_for("/nonexistent/s", 0);
        _cleanup_bench_ Bench b = { 0 };
        _cleanup_(probe_freep) Probe *p = NULL;

        ASSERT(bench_init(&b, 1) && probe_new(b.prober, &d, on_done, &b, &p) == 0);
        b.prober = prober_free(b.prober);
        ASSERT(probe_start(p) == 0 && run_until(&b, 1));
        ASSERT_STREQ(b.last.error, "no such socket");
}

TEST(a_definition_that_makes_no_request_is_refused) {
        ProbeDefinition d = definition_for("/s", 0);
        _cleanup_free_ char *expect = malloc(1026);
        _cleanup_bench_ Bench b = { 0 };
        Probe *p = NULL;

        ASSERT(bench_init(&b, 1));
        d.path = (char *) "/a b";
        ASSERT_EQ(probe_new(b.prober, &d, on_done, &b, &p), -EINVAL);
        memset(expect, 'x', 1025);
        expect[1025] = '\0';
        d.path = (char *) "/";
        d.expect_body = expect;
        ASSERT_EQ(probe_new(b.prober, &d, on_done, &b, &p), -E2BIG);
        ASSERT_EQ(prober_new(b.event, &(ProberLimits){ 0, 1 }, &(Prober *){ NULL }), -EINVAL);
        ASSERT_EQ(prober_new(b.event, &(ProberLimits){ 1, 0 }, &(Prober *){ NULL }), -EINVAL);
        ASSERT(!p);
}
