/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The least that asking many unix sockets can cost: connect, write, read, close, one after another, each once an
 * interval, spread evenly over it. It looks whether the answer is complete and 200, and keeps nothing. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC UINT64_C(1000000000)
#define SOCKETS_MAX 100000

static const char request[] = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

static bool answer_is_complete(const char *text) {
        const char *body = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");

        return strncmp(text, "HTTP/1.1 200 ", strlen("HTTP/1.1 200 ")) == 0 && body && length && length < body &&
               strlen(body + 4) == strtoul(length + strlen("Content-Length: "), NULL, 10);
}

static bool ask(const struct sockaddr_un *address) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char answer[4096];
        size_t n = 0;
        bool ok = false;

        if (fd < 0)
                return false;
        if (connect(fd, (const struct sockaddr *) address, sizeof *address) == 0 &&
            write(fd, request, sizeof request - 1) == (ssize_t) sizeof request - 1) {
                ssize_t got;

                while (!ok && (got = read(fd, answer + n, sizeof answer - 1 - n)) > 0) {
                        n += (size_t) got;
                        answer[n] = '\0';
                        ok = answer_is_complete(answer);
                }
        }
        (void) close(fd);
        return ok;
}

static struct sockaddr_un *read_sockets(FILE *file, size_t *ret_n) {
        struct sockaddr_un *all = calloc(SOCKETS_MAX, sizeof *all);
        char line[sizeof all->sun_path];
        size_t n = 0;

        while (all && n < SOCKETS_MAX && fgets(line, sizeof line, file)) {
                line[strcspn(line, "\n")] = '\0';
                all[n].sun_family = AF_UNIX;
                strcpy(all[n++].sun_path, line); /* as long as the line, with its end */
        }
        *ret_n = n;
        return all;
}

static uint64_t now_nsec(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * NSEC_PER_SEC + (uint64_t) t.tv_nsec;
}

static void sleep_until(uint64_t nsec) {
        struct timespec t = { (time_t) (nsec / NSEC_PER_SEC), (long) (nsec % NSEC_PER_SEC) };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
                ;
}

int main(int argc, char **argv) {
        struct sockaddr_un *sockets;
        uint64_t began, interval_nsec;
        size_t n, n_failed = 0;

        if (argc != 2) {
                fprintf(stderr, "probe_floor INTERVAL_MS <SOCKETS: asks until it is killed\n");
                return 2;
        }
        interval_nsec = strtoull(argv[1], NULL, 10) * 1000000;
        sockets = read_sockets(stdin, &n);
        if (!sockets || n == 0 || interval_nsec == 0) {
                fprintf(stderr, "probe_floor: nothing to ask\n");
                return 1;
        }
        began = now_nsec();
        for (uint64_t i = 0;; i++) {
                sleep_until(began + i * interval_nsec / n);
                if (!ask(&sockets[i % n]) && n_failed++ < 10)
                        fprintf(stderr, "probe_floor: %s: no complete answer\n", sockets[i % n].sun_path);
        }
}
