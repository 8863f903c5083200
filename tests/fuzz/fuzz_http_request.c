/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a client sends to the gateway, over a real socket: options (bit 0: which face; the rest: how it is cut) and the
 * bytes. No handler sees what did not pass the guard, each answer is one that our own parser takes, and nothing of a
 * client is left when it has gone. */
#include "fuzz_target.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/http_response.h"
#include "gateway/http_connection.h"

enum {
        ANSWER_BYTES_MAX = 1024 * 1024,
};

static struct {
        sd_event *event;
        HttpServer *server;
        struct sockaddr_un addresses[2]; /* of the faces */
        socklen_t n_addresses[2];
        HttpExchange *late; /* answered once the client has said all */
        unsigned n_handled;
} world;

/* ---- handlers, of each kind ---- */

static void claim_fit_to_handle(HttpExchange *x, const char *method) {
        const char *path = http_exchange_path(x), *type = http_exchange_header(x, "Content-Type");
        size_t n_body;
        const char *body = http_exchange_body(x, &n_body);

        world.n_handled++;
        CLAIM(strcmp(http_exchange_method(x), method) == 0 ||
                      (strcmp(http_exchange_method(x), "HEAD") == 0 && strcmp(method, "GET") == 0),
              "%s", http_exchange_method(x));
        CLAIM(path[0] == '/', "%s", path);
        CLAIM(body && body[n_body] == '\0' && n_body <= HTTP_BODY_MAX_BYTES, "%zu", n_body);
        CLAIM(!http_exchange_header(x, "Transfer-Encoding"), "no body of unknown length");
        CLAIM(http_exchange_peer(x)->is_known && http_exchange_peer(x)->uid == getuid(), "by the kernel's word");
        if (strcmp(method, "POST") == 0)
                CLAIM(type && strncasecmp(type, "application/json", 16) == 0, "%s", type);
        else
                CLAIM(n_body == 0, "%zu", n_body);
}

static void on_get(HttpExchange *x, _unused_ void *userdata) {
        claim_fit_to_handle(x, "GET");
        (void) http_exchange_query(x, "a");
        http_exchange_reply_static(x, 200, "text/plain", "hello", 5);
}

static void on_file(HttpExchange *x, _unused_ void *userdata) {
        const char *rest = http_exchange_path_rest(x);

        claim_fit_to_handle(x, "GET");
        CLAIM(strncmp(http_exchange_path(x), "/files/", 7) == 0 && rest == http_exchange_path(x) + 7, "%s", rest);
        http_exchange_add_header(x, "X-File", "yes");
        http_exchange_reply(x, 200, "text/plain", strdup(rest), strlen(rest));
}

static void on_echo(HttpExchange *x, _unused_ void *userdata) {
        size_t n;
        const char *body = http_exchange_body(x, &n);
        char *copy = malloc(n + 1);

        claim_fit_to_handle(x, "POST");
        memcpy(copy, body, n);
        http_exchange_reply(x, 200, "application/json", copy, n);
}

static void on_late(HttpExchange *x, _unused_ void *userdata) {
        claim_fit_to_handle(x, "GET");
        if (world.late)
                http_exchange_reply_error(x, 503, "busy");
        else
                world.late = x;
}

static void on_closed(_unused_ HttpStream *s, void *userdata) {
        ++*(unsigned *) userdata;
}

static void on_stream(HttpExchange *x, _unused_ void *userdata) {
        static unsigned n_closed;
        HttpStream *s;

        claim_fit_to_handle(x, "GET");
        s = http_exchange_reply_stream(x, "text/event-stream", on_closed, &n_closed);
        CLAIM(s, "a stream");
        (void) http_stream_write(s, "data: 1\n\n", 9);
        http_stream_end(s);
}

static const HttpRoute routes[] = {
        { HTTP_FACE_RPC | HTTP_FACE_UI, "GET", "/health", NULL, on_get },
        { HTTP_FACE_RPC, "POST", "/rpc", "application/json", on_echo },
        { HTTP_FACE_UI, "GET", "/files/*", NULL, on_file },
        { HTTP_FACE_UI, "GET", "/late", NULL, on_late },
        { HTTP_FACE_UI, "GET", "/stream", NULL, on_stream },
};

/* ---- the world ---- */

static void listen_as(size_t i, HttpFace face) {
        struct sockaddr_un *address = &world.addresses[i];
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        /* An abstract name that the kernel chooses. */
        world.n_addresses[i] = sizeof *address;
        address->sun_family = AF_UNIX;
        CLAIM(bind(fd, (struct sockaddr *) address, sizeof(sa_family_t)) == 0 && listen(fd, 16) == 0 &&
                      getsockname(fd, (struct sockaddr *) address, &world.n_addresses[i]) == 0,
              "a listener");
        CLAIM(http_server_listen(world.server, fd, face) == 0, "taken");
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(_unused_ int *argc, _unused_ char ***argv) {
        CLAIM(sd_event_new(&world.event) >= 0 && http_server_new(world.event, NULL, &world.server) == 0, "a server");
        CLAIM(http_server_add_routes(world.server, routes, ELEMENTSOF(routes), NULL) == 0, "routes");
        listen_as(0, HTTP_FACE_RPC);
        listen_as(1, HTTP_FACE_UI);
        http_server_open(world.server);
        return 0;
}

static void let_run(void) {
        while (sd_event_run(world.event, 0) > 0)
                ;
}

/* ---- the client ---- */

static size_t take_answer(int fd, char *answer, size_t n) {
        for (;;) {
                ssize_t k = recv(fd, answer + n, ANSWER_BYTES_MAX - n, MSG_DONTWAIT);

                if (k <= 0)
                        return n;
                n += (size_t) k;
                let_run();
        }
}

static void send_all(int fd, const FuzzInput *in, unsigned cut) {
        for (size_t i = 0, n; i < in->n; i += n) {
                n = cut == 0 ? in->n : 1 + (i * 31 + cut) % (cut * 4U);
                n = n < in->n - i ? n : in->n - i;
                if (send(fd, in->next + i, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                        return; /* it hung up on us */
                let_run();
        }
        (void) shutdown(fd, SHUT_WR);
        let_run();
}

/* Not that anything went wrong with us. */
static bool status_is_meant(unsigned status) {
        return status < 500 || status == 501 || status == 503 || status == 505;
}

/* The first answer: others would need to know what was asked for. */
static void claim_answer(const char *answer, size_t n, const FuzzInput *in) {
        size_t blank = 0;
        HttpResponse r;
        HttpParseState state = HTTP_NEED_MORE;

        while (blank < in->n && (in->next[blank] == '\r' || in->next[blank] == '\n'))
                blank++;
        http_response_init(&r, in->n - blank >= 5 && memcmp(in->next + blank, "HEAD ", 5) == 0, NULL);
        for (size_t i = 0; i < n && state == HTTP_NEED_MORE; i++)
                state = http_response_feed(&r, answer + i, 1);
        if (n == 0 || state == HTTP_COMPLETE || http_response_end(&r) == HTTP_END_COMPLETE)
                CLAIM(status_is_meant(http_response_status(&r)), "status %u", http_response_status(&r));
        else /* told to go on, it said no more */
                CLAIM(http_response_end(&r) == HTTP_END_SHORT_HEADER && strncmp(answer, "HTTP/1.1 100 ", 13) == 0,
                      "%s: %.*s", r.fault ? r.fault : "cut short", (int) n, answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static char answer[ANSWER_BYTES_MAX];
        FuzzInput in = { data, size };
        uint8_t options = fuzz_byte(&in);
        size_t face = options & 1, n;
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        world.n_handled = 0;
        CLAIM(connect(fd, (struct sockaddr *) &world.addresses[face], world.n_addresses[face]) == 0, "connected");
        let_run();
        send_all(fd, &in, options >> 1);
        n = take_answer(fd, answer, 0);
        if (world.late) {
                http_exchange_reply_static(TAKE_PTR(world.late), 200, "text/plain", "late", 4);
                let_run();
                n = take_answer(fd, answer, n);
        }
        claim_answer(answer, n, &in);
        CLAIM(world.n_handled == 0 || n > 0, "what was handled was answered");

        (void) close(fd);
        let_run();
        if (world.late) /* a second one of the same connection */
                http_exchange_reply_static(TAKE_PTR(world.late), 200, "text/plain", "late", 4);
        let_run();
        CLAIM(world.server->n_connections == 0 && world.server->n_body_bytes == 0 && world.server->n_streams == 0,
              "nothing is left");
        return 0;
}
