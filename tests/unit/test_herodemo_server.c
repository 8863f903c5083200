/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "unit_test.h"

#include "base/cleanup.h"

/* build/fixture/herodemo_server must be there: `make tests` builds it. */

enum { PATIENCE_MS = 3000, SILENCE_MS = 80, ARGUMENTS_MAX = 32 };

typedef struct Server {
        pid_t pid;
        FILE *output; /* its standard output and standard error */
        int ready_fd; /* our end of its fd 3 */
        char folder[64], line[512];
} Server;

typedef struct Answer {
        size_t n;      /* bytes received */
        bool complete; /* the peer closed */
        char text[4096];
} Answer;

static const char *in_folder(const Server *s, const char *name) {
        static char paths[8][128];
        static unsigned next;
        char *path = paths[next++ % ELEMENTSOF(paths)];

        (void) snprintf(path, sizeof(paths[0]), "%s/%s", s->folder, name);
        return path;
}

static bool exists(const Server *s, const char *name) {
        return access(in_folder(s, name), F_OK) == 0;
}

static void server_exec(const Server *s, const char *const *options, int output, int ready) {
        static char program[PATH_MAX];
        const char *arguments[ARGUMENTS_MAX] = { program, "--name", "demo" };
        ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 64);
        size_t k = 3;

        strcpy(program + (n > 0 ? strrchr(program, '/') - program : 0), "/fixture/herodemo_server");
        arguments[k++] = "--faults";
        arguments[k++] = in_folder(s, "faults");
        arguments[k++] = "--socket";
        arguments[k++] = in_folder(s, "rpc.sock");
        while (*options && k < ARGUMENTS_MAX - 1)
                arguments[k++] = *options++;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) setenv("HERO_READY_FILE", in_folder(s, "ready"), 1);
        (void) setenv("NOTIFY_SOCKET", in_folder(s, "notify.sock"), 1);
        (void) dup2(output, STDOUT_FILENO);
        (void) dup2(output, STDERR_FILENO);
        if (ready == 3)
                (void) fcntl(3, F_SETFD, 0);
        else
                (void) dup2(ready, 3);
        (void) execv(program, (char *const *) (const void *) arguments);
        perror(program);
        _exit(127);
}

static void server_spawn(Server *s, const char *const *options) {
        int output[2], ready[2];

        if (pipe2(output, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0)
                abort();
        s->pid = fork();
        if (s->pid == 0)
                server_exec(s, options, output[1], ready[1]);
        (void) close(output[1]);
        (void) close(ready[1]);
        s->output = fdopen(output[0], "r");
        s->ready_fd = ready[0];
        setvbuf(s->output, NULL, _IONBF, 0); /* poll() sees nothing of what stdio holds */
}

static void server_init(Server *s) {
        *s = (Server){ .ready_fd = -1 };
        strcpy(s->folder, "/tmp/herodemo-XXXXXX");
        if (!mkdtemp(s->folder))
                abort();
}

/* Waits for a line of the server's output that holds `text`; s->line has it then. */
static bool server_says(Server *s, const char *text) {
        struct pollfd p = { .fd = fileno(s->output), .events = POLLIN };

        while (poll(&p, 1, PATIENCE_MS) > 0 && fgets(s->line, sizeof(s->line), s->output))
                if (strstr(s->line, text))
                        return true;
        return false;
}

/* The exit code, or minus the signal that ended it. */
static int server_wait(Server *s) {
        int status = 0;
        pid_t pid = TAKE_FD(s->pid);

        if (waitpid(pid, &status, 0) != pid)
                return -1000;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int server_stop(Server *s, int sig) {
        (void) kill(s->pid, sig);
        return server_wait(s);
}

static void server_close_pipes(Server *s) {
        if (s->output)
                (void) fclose(s->output);
        cleanup_close(&s->ready_fd);
        s->output = NULL;
        s->ready_fd = -1;
}

static void server_done(Server *s) {
        DIR *d = opendir(s->folder);

        if (s->pid > 0)
                (void) server_stop(s, SIGKILL);
        server_close_pipes(s);
        for (struct dirent *e; d && (e = readdir(d));)
                (void) unlinkat(dirfd(d), e->d_name, 0);
        if (d)
                (void) closedir(d);
        (void) rmdir(s->folder);
}

#define SPAWN(s, ...) server_spawn(s, (const char *[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

/* A server in a folder of its own that is up. */
#define SERVER(s, ...)                   \
        _cleanup_(server_done) Server s; \
        server_init(&s);                 \
        SPAWN(&s, __VA_ARGS__);          \
        ASSERT(server_says(&s, "ready"))

static bool put_faults(Server *s, const char *text) {
        _cleanup_fclose_ FILE *f = fopen(in_folder(s, "new"), "we");

        return f && fputs(text, f) >= 0 && fflush(f) == 0 && rename(in_folder(s, "new"), in_folder(s, "faults")) == 0;
}

static bool set_faults(Server *s, const char *text) {
        return put_faults(s, text) && server_says(s, "faults in force");
}

/* Has the server leave a child, which becomes ours instead of PID 1's. */
static pid_t leave_child(Server *s) {
        (void) prctl(PR_SET_CHILD_SUBREAPER, 1);
        if (!put_faults(s, "fork-children 1") || !server_says(s, "child "))
                return -1;
        return atoi(strstr(s->line, "child ") + strlen("child "));
}

static int end_child(pid_t pid) {
        int status = 0;

        (void) kill(pid, SIGKILL);
        return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

static int connect_path(const char *path, int flags) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

        strcpy(address.sun_path, path);
        if (connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int connect_to(const Server *s, const char *name) {
        return connect_path(in_folder(s, name), 0);
}

static bool send_text(int fd, const char *text) {
        return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t) strlen(text);
}

/* Reads until the peer closes, or until it has been silent for so long. */
static void receive(int fd, int silence_ms, Answer *ret) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        ret->n = 0;
        ret->complete = false;
        while (poll(&p, 1, silence_ms) > 0 && ret->n < sizeof(ret->text) - 1) {
                ssize_t n = recv(fd, ret->text + ret->n, sizeof(ret->text) - 1 - ret->n, 0);

                if (n <= 0) {
                        ret->complete = n == 0;
                        break;
                }
                ret->n += (size_t) n;
        }
        ret->text[ret->n] = 0;
}

static Answer ask_at(int fd, const char *method, const char *path, const char *body, int silence_ms) {
        char request[1024];
        Answer a = {};

        (void) snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", method,
                        path, strlen(body), body);
        if (fd >= 0 && send_text(fd, request))
                receive(fd, silence_ms, &a);
        cleanup_close(&fd);
        return a;
}

static Answer get(const Server *s, const char *path) {
        return ask_at(connect_to(s, "rpc.sock"), "GET", path, "", PATIENCE_MS);
}

static Answer get_or_silence(const Server *s, const char *path) {
        return ask_at(connect_to(s, "rpc.sock"), "GET", path, "", SILENCE_MS);
}

static int status_of(const Answer *a) {
        int status = 0;

        return a->complete && sscanf(a->text, "HTTP/1.1 %d ", &status) == 1 ? status : -1;
}

static bool is_healthy(const Server *s) {
        Answer a = get(s, "/health");

        return status_of(&a) == 200 &&
               strstr(a.text, "\r\n\r\n{\"status\":\"ok\",\"service\":\"demo\",\"version\":\"1.0\"}\n");
}

/* Minus what is missing of the promised body; 0 for a whole one. */
static int64_t body_surplus(const Answer *a) {
        const char *length = strstr(a->text, "Content-Length: "), *body = strstr(a->text, "\r\n\r\n");

        return length && body ? (int64_t) strlen(body + 4) - strtol(length + 16, NULL, 10) : INT64_MIN;
}

static int64_t now_ms(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t n_fds(const Server *s) {
        char path[64];
        DIR *d;
        int64_t n = 0;

        (void) snprintf(path, sizeof(path), "/proc/%d/fd", (int) s->pid);
        d = opendir(path);
        while (d && readdir(d))
                n++;
        if (d)
                (void) closedir(d);
        return n;
}

static int64_t rss_kib(const Server *s) {
        _cleanup_fclose_ FILE *f = NULL;
        char path[64], line[256];
        long n = -1;

        (void) snprintf(path, sizeof(path), "/proc/%d/status", (int) s->pid);
        f = fopen(path, "re");
        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "RssAnon: %ld", &n) == 1)
                        break;
        return n;
}

static size_t read_file(const char *path, char *ret, size_t size) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

        ret[n > 0 ? n : 0] = 0;
        return n > 0 ? (size_t) n : 0;
}

TEST(each_route_gives_a_whole_answer) {
        static const char *const paths[] = { "/health", "/api/files", "/.well-known/heroservice.json", "/health?x=1" };
        SERVER(s);

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                Answer a = get(&s, paths[i]);

                ASSERT_EQ(status_of(&a), 200);
                ASSERT_EQ(body_surplus(&a), 0);
        }
        ASSERT(is_healthy(&s));
}

TEST(what_is_not_served_is_refused) {
        SERVER(s);
        Answer a = get(&s, "/nowhere");

        ASSERT_EQ(status_of(&a), 404);
        a = get(&s, "/rpc");
        ASSERT_EQ(status_of(&a), 405);
        a = ask_at(connect_to(&s, "rpc.sock"), "POST", "/health", "", PATIENCE_MS);
        ASSERT_EQ(status_of(&a), 405);
        a = ask_at(connect_to(&s, "rpc.sock"), "nonsense", "", "", PATIENCE_MS);
        ASSERT_EQ(status_of(&a), 400);
}

TEST(only_a_socket_called_ui_has_a_page) {
        char ui[128];
        _cleanup_(server_done) Server s;
        Answer a;

        server_init(&s);
        strcpy(ui, in_folder(&s, "ui.sock"));
        SPAWN(&s, "--socket", ui);
        ASSERT(server_says(&s, "ready"));
        a = ask_at(connect_to(&s, "ui.sock"), "GET", "/", "", PATIENCE_MS);
        ASSERT_EQ(status_of(&a), 200);
        ASSERT(strstr(a.text, "Content-Type: text/html"));
        a = get(&s, "/");
        ASSERT_EQ(status_of(&a), 404);
}

TEST(json_rpc_answers_with_the_id_of_the_request) {
        SERVER(s);
        Answer a = ask_at(connect_to(&s, "rpc.sock"), "POST", "/rpc",
                          "{\"jsonrpc\": \"2.0\", \"id\": 17, \"method\": \"rpc.discover\"}", PATIENCE_MS);

        ASSERT(strstr(a.text, "\"id\":17,\"result\":{\"openrpc\":\"1.2.6\""));
        ASSERT_EQ(body_surplus(&a), 0);
        a = ask_at(connect_to(&s, "rpc.sock"), "POST", "/rpc", "{\"method\":\"rpc.health\",\"id\":\"a\"}", PATIENCE_MS);
        ASSERT(strstr(a.text, "\"id\":\"a\",\"result\":{\"status\":\"ok\""));
        a = ask_at(connect_to(&s, "rpc.sock"), "POST", "/rpc", "{\"method\":\"no.such\",\"id\":1}", PATIENCE_MS);
        ASSERT(strstr(a.text, "-32601"));
        a = ask_at(connect_to(&s, "rpc.sock"), "POST", "/rpc", "[]", PATIENCE_MS);
        ASSERT(strstr(a.text, "-32600"));
}

TEST(a_port_serves_as_a_socket_does) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t length = sizeof(address);
        int free_port = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
        char port[8];
        Answer a;

        ASSERT_EQ(bind(free_port, (const struct sockaddr *) &address, sizeof(address)), 0);
        ASSERT_EQ(getsockname(free_port, (struct sockaddr *) &address, &length), 0);
        (void) snprintf(port, sizeof(port), "%u", ntohs(address.sin_port));
        (void) close(free_port);

        SERVER(s, "--port", port);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ASSERT_EQ(connect(fd, (const struct sockaddr *) &address, sizeof(address)), 0);
        a = ask_at(fd, "GET", "/health", "", PATIENCE_MS);
        ASSERT_EQ(status_of(&a), 200);
}

TEST(close_sends_not_a_byte) {
        SERVER(s);
        Answer a;

        ASSERT(set_faults(&s, "/api/files close\n"));
        a = get(&s, "/api/files");
        ASSERT(a.complete);
        ASSERT_EQ(a.n, 0);
}

TEST(a_fault_holds_for_its_path_and_until_its_line_is_gone) {
        SERVER(s);
        Answer a;

        ASSERT(set_faults(&s, "/api/files status-500\n"));
        ASSERT(is_healthy(&s));
        a = get(&s, "/api/files");
        ASSERT_EQ(status_of(&a), 500);
        ASSERT(set_faults(&s, "* status-503\n"));
        a = get(&s, "/health");
        ASSERT_EQ(status_of(&a), 503);
        ASSERT_EQ(unlink(in_folder(&s, "faults")), 0);
        ASSERT(server_says(&s, "faults in force: 0"));
        ASSERT(is_healthy(&s));
}

TEST(a_line_that_is_no_fault_is_named) {
        SERVER(s);

        ASSERT(put_faults(&s, "/health explode\n"));
        ASSERT(server_says(&s, "not a fault: /health explode"));
        ASSERT(server_says(&s, "faults in force: 0"));
}

TEST(hang_keeps_the_connection_and_says_nothing) {
        SERVER(s);
        Answer a;

        ASSERT(set_faults(&s, "hang"));
        a = get_or_silence(&s, "/health");
        ASSERT_EQ(a.n, 0);
        ASSERT(!a.complete);
}

TEST(half_a_body_is_less_than_was_promised) {
        SERVER(s);
        Answer a;

        ASSERT(set_faults(&s, "half-body"));
        a = get(&s, "/health");
        ASSERT(a.complete);
        ASSERT(body_surplus(&a) < 0 && body_surplus(&a) > -100);
        ASSERT(set_faults(&s, "half-hang"));
        a = get_or_silence(&s, "/health");
        ASSERT(!a.complete);
        ASSERT(body_surplus(&a) < 0 && body_surplus(&a) > -100);
}

TEST(a_short_header_ends_in_the_middle_of_a_line) {
        SERVER(s);
        Answer a;

        ASSERT(set_faults(&s, "short-header"));
        a = get(&s, "/health");
        ASSERT(a.complete);
        ASSERT_STREQ(a.text, "HTTP/1.1 200 OK\r\nContent-Ty");
}

TEST(slow_answers_late_and_whole) {
        SERVER(s);
        int64_t start_ms;
        Answer a;

        ASSERT(set_faults(&s, "slow-150"));
        start_ms = now_ms();
        a = get(&s, "/health");
        ASSERT(now_ms() - start_ms >= 150);
        ASSERT_EQ(status_of(&a), 200);
        ASSERT_EQ(body_surplus(&a), 0);
}

TEST(drip_sends_byte_after_byte) {
        SERVER(s);
        _cleanup_close_ int fd = -1;
        int64_t start_ms = now_ms();
        char bytes[64];

        ASSERT(set_faults(&s, "drip"));
        fd = connect_to(&s, "rpc.sock");
        ASSERT(send_text(fd, "GET /health HTTP/1.1\r\n\r\n"));
        for (size_t i = 0; i < 4; i++) {
                ASSERT_EQ(recv(fd, bytes, sizeof(bytes), 0), 1);
                ASSERT_EQ(bytes[0], "HTTP"[i]);
        }
        ASSERT(now_ms() - start_ms >= 150);
}

TEST(flaky_fails_one_request_in_n) {
        SERVER(s);
        int n_failed = 0;

        ASSERT(set_faults(&s, "flaky-3"));
        for (int i = 0; i < 9; i++)
                n_failed += get(&s, "/health").n == 0;
        ASSERT_EQ(n_failed, 3);
}

TEST(a_leak_costs_one_fd_a_request) {
        SERVER(s);
        int64_t before;

        ASSERT(is_healthy(&s));
        ASSERT(set_faults(&s, "leak-fd"));
        before = n_fds(&s);
        for (int i = 0; i < 5; i++)
                ASSERT(is_healthy(&s));
        ASSERT_EQ(n_fds(&s), before + 5);
}

TEST(a_frozen_server_lets_its_backlog_fill) {
        SERVER(s, "--backlog", "2");
        int fds[8], n = 0;

        ASSERT(set_faults(&s, "freeze"));
        do
                fds[n] = connect_path(in_folder(&s, "rpc.sock"), SOCK_NONBLOCK);
        while (fds[n] >= 0 && ++n < 8);
        ASSERT_EQ(n, 3);
        ASSERT_EQ(fds[3], -EAGAIN);
        ASSERT(set_faults(&s, ""));
        ASSERT(is_healthy(&s));
        while (n > 0)
                (void) close(fds[--n]);
}

TEST(a_closed_listener_leaves_its_file_and_the_other_socket) {
        char ui[128];
        int connected;
        pid_t child; /* it must not keep the listener open */
        _cleanup_(server_done) Server s;
        Answer a;

        server_init(&s);
        strcpy(ui, in_folder(&s, "ui.sock"));
        SPAWN(&s, "--socket", ui);
        ASSERT(server_says(&s, "ready"));
        child = leave_child(&s);
        ASSERT(child > 0);
        ASSERT(set_faults(&s, "close-listener rpc.sock"));
        connected = connect_to(&s, "rpc.sock");
        ASSERT_EQ(end_child(child), SIGKILL);
        ASSERT_EQ(connected, -ECONNREFUSED);
        ASSERT(exists(&s, "rpc.sock"));
        a = ask_at(connect_to(&s, "ui.sock"), "GET", "/health", "", PATIENCE_MS);
        ASSERT_EQ(status_of(&a), 200);
}

TEST(an_unlinked_listener_still_listens) {
        SERVER(s);
        Answer a;

        ASSERT_EQ(link(in_folder(&s, "rpc.sock"), in_folder(&s, "second_name")), 0);
        ASSERT(set_faults(&s, "unlink-listener rpc.sock"));
        ASSERT_EQ(connect_to(&s, "rpc.sock"), -ENOENT);
        a = ask_at(connect_to(&s, "second_name"), "GET", "/health", "", PATIENCE_MS);
        ASSERT_EQ(status_of(&a), 200);
}

TEST(a_crash_leaves_the_socket_behind) {
        SERVER(s);

        ASSERT(put_faults(&s, "crash 42"));
        ASSERT_EQ(server_wait(&s), 42);
        ASSERT(exists(&s, "rpc.sock"));
        ASSERT_EQ(connect_to(&s, "rpc.sock"), -ECONNREFUSED);
}

TEST(sigkill_self_ends_by_the_signal) {
        SERVER(s);

        ASSERT(put_faults(&s, "sigkill-self"));
        ASSERT_EQ(server_wait(&s), -SIGKILL);
}

TEST(fresh_faults_makes_a_restart_heal) {
        SERVER(s, "--fresh-faults");

        ASSERT(put_faults(&s, "crash 1"));
        ASSERT_EQ(server_wait(&s), 1);
        server_close_pipes(&s);
        SPAWN(&s, "--fresh-faults", "--unlink-first");
        ASSERT(server_says(&s, "ready"));
        ASSERT(is_healthy(&s));
        ASSERT(!exists(&s, "faults"));
}

TEST(the_log_is_written_to_the_byte_while_requests_are_answered) {
        SERVER(s);
        size_t n = 0;

        ASSERT(put_faults(&s, "log 300050")); /* more than a pipe holds */
        ASSERT(server_says(&s, "line 0 of demo"));
        ASSERT(is_healthy(&s));
        do
                n += strncmp(s.line, "demo: ", 6) == 0 ? 0 : strlen(s.line);
        while (server_says(&s, "") && !strstr(s.line, "logged 300050 bytes"));
        ASSERT_EQ(n, 300050);
}

TEST(a_left_child_has_no_parent_here_and_ignores_sigterm) {
        SERVER(s);
        pid_t child = leave_child(&s);

        ASSERT(child > 0);
        ASSERT(getsid(child) != getsid(0));
        ASSERT_EQ(kill(child, SIGTERM), 0);
        ASSERT_EQ(server_stop(&s, SIGTERM), 0);
        ASSERT_EQ(waitpid(child, NULL, WNOHANG), 0);
        ASSERT_EQ(end_child(child), SIGKILL);
}

TEST(sigterm_ends_it_cleanly_and_is_logged_with_its_sender) {
        char path[128], text[256], expected[64];
        _cleanup_(server_done) Server s;

        server_init(&s);
        strcpy(path, in_folder(&s, "signals"));
        SPAWN(&s, "--signal-log", path);
        ASSERT(server_says(&s, "ready"));
        ASSERT_EQ(read_file(path, text, sizeof(text)), 0);
        ASSERT_EQ(kill(s.pid, SIGUSR1), 0);
        ASSERT_EQ(server_stop(&s, SIGTERM), 0);
        ASSERT(!exists(&s, "rpc.sock"));
        (void) read_file(path, text, sizeof(text));
        (void) snprintf(expected, sizeof(expected), " SIGTERM %d\n", (int) getpid());
        ASSERT(strstr(text, expected));
        ASSERT(strstr(text, " SIGUSR1 "));
}

TEST(each_request_is_logged_with_what_it_met) {
        char path[128], text[512], name[64], asked[64], outcome[64];
        _cleanup_(server_done) Server s;
        uint64_t before_usec = 0;
        int n_lines = 0;

        server_init(&s);
        strcpy(path, in_folder(&s, "requests"));
        SPAWN(&s, "--request-log", path);
        ASSERT(server_says(&s, "ready"));
        ASSERT(set_faults(&s, "/api/files flaky-2"));
        for (int i = 0; i < 2; i++)
                (void) get(&s, "/api/files");
        ASSERT(get(&s, "/health").n > 0);
        (void) read_file(path, text, sizeof(text));
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), n_lines++) {
                static const char *const expected[][2] = { { "/api/files", "ok" },
                                                           { "/api/files", "flaky" },
                                                           { "/health", "ok" } };
                uint64_t usec;

                ASSERT_EQ(sscanf(line, "%" SCNu64 " %63s %63s %63s", &usec, name, asked, outcome), 4);
                ASSERT(usec >= before_usec && n_lines < 3);
                before_usec = usec;
                ASSERT_STREQ(asked, expected[n_lines][0]);
                ASSERT_STREQ(outcome, expected[n_lines][1]);
        }
        ASSERT_EQ(n_lines, 3);
}

TEST(a_socket_in_the_way_is_exit_98_unless_unlinked_first) {
        SERVER(s, "--leave-sockets");

        ASSERT_EQ(server_stop(&s, SIGTERM), 0);
        ASSERT(exists(&s, "rpc.sock"));
        server_close_pipes(&s);
        SPAWN(&s);
        ASSERT(server_says(&s, "Address already in use"));
        ASSERT_EQ(server_wait(&s), 98);
        server_close_pipes(&s);
        SPAWN(&s, "--unlink-first");
        ASSERT(server_says(&s, "ready"));
        ASSERT(is_healthy(&s));
}

TEST(a_successors_socket_is_not_removed) {
        SERVER(s);

        ASSERT_EQ(unlink(in_folder(&s, "rpc.sock")), 0);
        ASSERT_EQ(close(open(in_folder(&s, "rpc.sock"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
        ASSERT_EQ(server_stop(&s, SIGTERM), 0);
        ASSERT(exists(&s, "rpc.sock"));
}

TEST(a_missing_folder_is_not_made) {
        _cleanup_(server_done) Server s;

        server_init(&s);
        SPAWN(&s, "--socket", "/nonexistent/rpc.sock");
        ASSERT(server_says(&s, "/nonexistent/rpc.sock: cannot listen: No such file or directory"));
        ASSERT_EQ(server_wait(&s), 71);
}

TEST(ready_by_notify_is_one_datagram) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        _cleanup_(server_done) Server s;
        char text[256];
        ssize_t n;

        server_init(&s);
        strcpy(address.sun_path, in_folder(&s, "notify.sock"));
        ASSERT_EQ(bind(fd, (const struct sockaddr *) &address, sizeof(address)), 0);
        SPAWN(&s, "--ready", "notify");
        ASSERT(server_says(&s, "ready"));
        n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
        ASSERT(n > 0);
        text[n] = 0;
        ASSERT(strncmp(text, "READY=1\nSTATUS=", 15) == 0);
}

TEST(ready_by_fd3_is_a_newline_and_the_end) {
        SERVER(s, "--ready", "fd3");
        char text[8];

        ASSERT_EQ(read(s.ready_fd, text, sizeof(text)), 1);
        ASSERT_EQ(text[0], '\n');
        ASSERT_EQ(read(s.ready_fd, text, sizeof(text)), 0);
}

TEST(ready_by_file_comes_when_it_is_due) {
        _cleanup_(server_done) Server s;
        int64_t start_ms = now_ms();

        server_init(&s);
        SPAWN(&s, "--ready", "file", "--ready-delay-ms", "150");
        ASSERT(server_says(&s, "faults in force"));
        ASSERT(is_healthy(&s));
        ASSERT(!exists(&s, "ready"));
        ASSERT(server_says(&s, "ready"));
        ASSERT(now_ms() - start_ms >= 150);
        ASSERT(exists(&s, "ready"));
}

TEST(never_ready_serves_all_the_same) {
        _cleanup_(server_done) Server s;

        server_init(&s);
        SPAWN(&s, "--ready", "file", "--never-ready");
        ASSERT(server_says(&s, "faults in force"));
        ASSERT(is_healthy(&s));
        ASSERT(!exists(&s, "ready"));
}

TEST(deaths_at_the_start_come_before_and_after_readiness) {
        _cleanup_(server_done) Server s;

        server_init(&s);
        SPAWN(&s, "--ready", "file", "--die-before-ready", "7");
        ASSERT_EQ(server_wait(&s), 7);
        ASSERT(!exists(&s, "ready"));
        server_close_pipes(&s);
        SPAWN(&s, "--ready", "file", "--crash-loop", "8", "--unlink-first");
        ASSERT_EQ(server_wait(&s), 8);
        ASSERT(exists(&s, "ready"));
        server_close_pipes(&s);
        SPAWN(&s, "--exit-after-ms", "50", "9", "--unlink-first");
        ASSERT(server_says(&s, "ready"));
        ASSERT_EQ(server_wait(&s), 9);
}

TEST(an_ignored_sigterm_changes_nothing) {
        SERVER(s, "--ignore-term");

        ASSERT_EQ(kill(s.pid, SIGTERM), 0);
        ASSERT(is_healthy(&s));
        ASSERT_EQ(server_stop(&s, SIGKILL), -SIGKILL);
}

TEST(a_slow_end_serves_until_then) {
        SERVER(s, "--slow-term-ms", "150");
        int64_t start_ms = now_ms();

        ASSERT_EQ(kill(s.pid, SIGTERM), 0);
        ASSERT(is_healthy(&s));
        ASSERT_EQ(server_wait(&s), 0);
        ASSERT(now_ms() - start_ms >= 150);
}

TEST(arguments_are_written_as_they_came) {
        char path[128], text[1024], environment[65536];
        _cleanup_(server_done) Server s;
        static const char expected[] = "--\0a;b\0\0$HOME %n\0--ready";
        size_t n;

        server_init(&s);
        strcpy(path, in_folder(&s, "arguments"));
        SPAWN(&s, "--print-args", path, "--", "a;b", "", "$HOME %n", "--ready");
        ASSERT(server_says(&s, "ready"));
        n = read_file(path, text, sizeof(text));
        ASSERT(n > sizeof(expected));
        ASSERT_EQ(memcmp(text + n - sizeof(expected), expected, sizeof(expected)), 0);
        n = read_file(in_folder(&s, "arguments.env"), environment, sizeof(environment));
        ASSERT(memmem(environment, n, "HERO_READY_FILE=", 16));
}

TEST(five_hundred_connections_are_served_at_once_and_more_wait) {
        SERVER(s);
        enum { N = 560 };
        static int fds[N];
        Answer a;

        for (int i = 0; i < N; i++) {
                fds[i] = connect_to(&s, "rpc.sock");
                ASSERT(fds[i] >= 0);
        }
        for (int i = 0; i < N; i++) {
                a = ask_at(fds[i], "GET", "/health", "", PATIENCE_MS);
                ASSERT_EQ(status_of(&a), 200);
        }
}

TEST(two_thousand_requests_cost_no_memory) {
        SERVER(s);
        int64_t before;

        for (int i = 0; i < 100; i++)
                ASSERT(is_healthy(&s));
        before = rss_kib(&s);
        for (int i = 0; i < 2000; i++)
                ASSERT(is_healthy(&s));
        ASSERT(before > 0 && rss_kib(&s) - before <= 64);
}
