/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a service writes on its file descriptor 3: writes of a length (one byte) and their bytes, through the real pipe
 * to a relay that tells a systemd of ours. */
#include "fuzz_target.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "boundary/readiness_relay.h"

enum {
        PIPE_BYTES_MAX = 60 * 1024, /* what is written before anybody reads must fit */
};

/* systemd's end: counts READY=1, and answers a barrier by closing its descriptor, as systemd does. */
typedef struct Systemd {
        int fd;
        unsigned n_ready;
        pthread_t thread;
} Systemd;

static void close_passed(struct msghdr *m) {
        for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
                int fd;

                memcpy(&fd, CMSG_DATA(c), sizeof fd);
                (void) close(fd);
        }
}

static void *systemd_run(void *userdata) {
        Systemd *s = userdata;

        for (;;) {
                union {
                        char buffer[CMSG_SPACE(sizeof(int))];
                        struct cmsghdr header;
                } control = {};
                char text[64] = "";
                struct iovec part = { text, sizeof text - 1 };
                struct msghdr m = {
                        .msg_iov = &part,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof control.buffer,
                };

                if (recvmsg(s->fd, &m, MSG_CMSG_CLOEXEC) < 0 || strcmp(text, "end") == 0)
                        return NULL;
                s->n_ready += strcmp(text, "READY=1") == 0;
                close_passed(&m);
        }
}

/* An empty line, or a line READY=1; what does not end is no line. */
static bool says_ready(const char *text, size_t n) {
        for (size_t i = 0, end; i < n; i = end + 1) {
                const char *newline = memchr(text + i, '\n', n - i);

                if (!newline)
                        return false;
                end = (size_t) (newline - text);
                if (end == i || (end - i == 7 && memcmp(text + i, "READY=1", 7) == 0))
                        return true;
        }
        return false;
}

static void claim_answer(Systemd *systemd, const NotifySocket *notify, FuzzInput in) {
        _cleanup_(readiness_relay_done) ReadinessRelay relay = READINESS_RELAY_NULL;
        _cleanup_free_ char *all = malloc(in.n + 1);
        size_t n_all = 0;
        int fd = -1;

        CLAIM(readiness_relay_init(&relay, RELAY_FD3, NULL, notify, &fd) == 0, "relay");
        while (in.n > 0 && n_all < PIPE_BYTES_MAX) {
                size_t n;
                _cleanup_free_ char *piece = fuzz_string(&in, &n);

                CLAIM(write(fd, piece, n) == (ssize_t) n, "written");
                memcpy(all + n_all, piece, n);
                n_all += n;
        }
        (void) close(fd);
        CLAIM(readiness_relay_run(&relay) == 0, "ran to its end");
        CLAIM(notify_socket_send(notify, "end") == 0, "told");
        (void) pthread_join(systemd->thread, NULL);
        CLAIM(systemd->n_ready == (unsigned) says_ready(all, n_all), "%u", systemd->n_ready);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        socklen_t n = sizeof address;
        _cleanup_(notify_socket_done) NotifySocket notify = NOTIFY_SOCKET_NULL;
        Systemd systemd = { .fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
        char name[32] = "@";

        /* An abstract name, which the kernel chooses: five hexadecimal digits. */
        CLAIM(bind(systemd.fd, (struct sockaddr *) &address, sizeof(sa_family_t)) == 0 &&
                      getsockname(systemd.fd, (struct sockaddr *) &address, &n) == 0,
              "bound");
        (void) strncat(name, address.sun_path + 1, n - sizeof(sa_family_t) - 1);
        CLAIM(notify_socket_open(name, &notify) == 0, "%s", name);
        CLAIM(pthread_create(&systemd.thread, NULL, systemd_run, &systemd) == 0, "thread");
        claim_answer(&systemd, &notify, (FuzzInput){ data, size });
        (void) close(systemd.fd);
        return 0;
}
