/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/ssh_bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "core/host_address.h"
#include "core/printable_text.h"

/* In the child, which must not outlive us. A group of its own takes along what ssh starts to get through (ProxyJump).
 */
static _Noreturn void run_ssh(const HostAddress *a, const char *connect_timeout, pid_t parent, int bus, int words) {
        char container[sizeof "--machine=" + HOST_CONTAINER_MAX];
        const char *argv[20];
        size_t n = 0;

        (void) snprintf(container, sizeof container, "--machine=%s", a->container);
        argv[n++] = "ssh";
        argv[n++] = "-xT";
        argv[n++] = "-oBatchMode=yes";
        argv[n++] = "-oControlMaster=no"; /* one that stays would be ended with the rest */
        argv[n++] = connect_timeout;
        if (*a->port) {
                argv[n++] = "-p";
                argv[n++] = a->port;
        }
        argv[n++] = "--";
        argv[n++] = a->destination;
        argv[n++] = "systemd-stdio-bridge";
        if (*a->container)
                argv[n++] = container;
        argv[n] = NULL;

        if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
            dup2(bus, STDIN_FILENO) < 0 || dup2(bus, STDOUT_FILENO) < 0 || dup2(words, STDERR_FILENO) < 0)
                _exit(1);
        (void) execvp("ssh", (char *const *) argv);
        dprintf(STDERR_FILENO, "ssh cannot be run: %s\n", strerror(errno));
        _exit(127);
}

/* Earlier than the caller's patience ends: what ssh has to say about it is better than "no answer". */
static void name_connect_timeout(uint64_t timeout_usec, char *ret, size_t size) {
        uint64_t seconds = timeout_usec / USEC_PER_SEC;

        (void) snprintf(ret, size, "-oConnectTimeout=%u",
                        seconds > 3600 ? 3600u
                        : seconds > 2  ? (unsigned) seconds - 1
                                       : 1u);
}

static int start_process(const HostAddress *a, uint64_t timeout_usec, int bus, int words, SshBridge *b) {
        char connect_timeout[40];
        pid_t parent = getpid();

        name_connect_timeout(timeout_usec, connect_timeout, sizeof connect_timeout);
        (void) fflush(NULL);
        b->pid = fork();
        if (b->pid == 0)
                run_ssh(a, connect_timeout, parent, bus, words);
        if (b->pid < 0) {
                b->pid = 0;
                return -errno;
        }
        (void) setpgid(b->pid, b->pid); /* whoever of the two comes first */
        b->pidfd = pidfd_open(b->pid, 0);
        return b->pidfd < 0 ? -errno : 0;
}

int ssh_bridge_start(const char *host, uint64_t timeout_usec, SshBridge *ret, int *ret_fd) {
        _cleanup_close_ int ours = -1, theirs = -1, reading = -1, writing = -1;
        HostAddress address;
        int r, bus[2], words[2];

        *ret = (SshBridge){ .pidfd = -1, .words_fd = -1 };
        r = host_address_parse(host, &address);
        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, bus) < 0)
                return -errno;
        ours = bus[0];
        theirs = bus[1];
        if (pipe2(words, O_CLOEXEC) < 0)
                return -errno;
        reading = words[0];
        writing = words[1];
        if (fcntl(reading, F_SETFL, O_NONBLOCK) < 0)
                return -errno;

        r = start_process(&address, timeout_usec, theirs, writing, ret);
        if (r < 0) {
                ssh_bridge_stop(ret);
                return r;
        }
        ret->words_fd = TAKE_FD(reading);
        *ret_fd = TAKE_FD(ours);
        return 0;
}

bool ssh_bridge_listen(SshBridge *b) {
        size_t half = sizeof b->words / 2;
        ssize_t n;

        for (;;) {
                if (b->n_words == sizeof b->words) {
                        memmove(b->words, b->words + half, half);
                        b->n_words = half;
                }
                n = read(b->words_fd, b->words + b->n_words, sizeof b->words - b->n_words);
                if (n <= 0)
                        return n < 0 && (errno == EAGAIN || errno == EINTR);
                b->n_words += (size_t) n;
        }
}

static bool is_line_end(char c) {
        return c == '\n' || c == '\r';
}

void ssh_bridge_last_words(const SshBridge *b, char *ret, size_t size) {
        size_t end = b->n_words, begin;

        while (end > 0 && is_line_end(b->words[end - 1]))
                end--;
        begin = end;
        while (begin > 0 && !is_line_end(b->words[begin - 1]))
                begin--;
        printable_text(b->words + begin, end - begin, ret, size);
}

void ssh_bridge_stop(SshBridge *b) {
        if (b->pid > 0) {
                (void) kill(-b->pid, SIGKILL);
                while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        if (b->pidfd >= 0)
                (void) close(b->pidfd);
        if (b->words_fd >= 0)
                (void) close(b->words_fd);
        *b = (SshBridge){ .pidfd = -1, .words_fd = -1 };
}
