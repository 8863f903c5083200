/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/port_files.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

static int open_of(pid_t pid, const char *name) {
        char path[sizeof("/proc/-2147483648/net/tcp6")];

        (void) snprintf(path, sizeof(path), "/proc/%d/net/%s", (int) pid, name);
        return open(path, O_RDONLY | O_CLOEXEC);
}

int port_files_open(pid_t pid, PortFiles *ret) {
        PortFiles files = { .tcp = open_of(pid, "tcp") };

        if (files.tcp < 0)
                return -errno;
        files.tcp6 = open_of(pid, "tcp6");
        if (files.tcp6 < 0 && errno != ENOENT) { /* a kernel without IPv6 has none */
                int r = -errno;

                (void) close(files.tcp);
                return r;
        }
        *ret = files;
        return 0;
}

void port_files_done(PortFiles *files) {
        cleanup_close(&files->tcp);
        cleanup_close(&files->tcp6);
        *files = (PortFiles){ -1, -1 };
}

/* Addresses are words of the machine's own byte order, in hexadecimal. */
static bool parse_address(const char *text, size_t n_digits, struct in6_addr *ret) {
        uint32_t words[4] = { 0, 0, htonl(0xffff), 0 };
        size_t first = n_digits == 8 ? 3 : 0;

        for (size_t i = first; i < 4; i++)
                if (sscanf(text + 8 * (i - first), "%8x", &words[i]) != 1)
                        return false;
        memcpy(ret, words, sizeof(*ret));
        return true;
}

/* "  0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 12345 …". Returns 1 for a
 * listener, 0 for what comes after them, -EBADMSG. */
static int parse_line(const char *line, PortFileLine *ret) {
        char address[33];
        unsigned port, state, backlog, uid, socket;

        if (sscanf(line, " %*u: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%x %*x:%*x %*x %u %*u %u", address, &port, &state,
                   &backlog, &uid, &socket) != 6 ||
            (strlen(address) != 8 && strlen(address) != 32) || !parse_address(address, strlen(address), &ret->address))
                return -EBADMSG;
        ret->port = (uint16_t) port;
        ret->backlog = backlog;
        ret->uid = uid;
        ret->socket = socket;
        return state == TCP_LISTEN;
}

/* One line of the file, without its end. 1: go on; 0: that was the last listener; negative errno. */
static int take_line(const char *line, port_files_take_t take, void *userdata) {
        PortFileLine found;
        int r = parse_line(line, &found), e;

        if (r <= 0)
                return r;
        e = take(&found, userdata);
        return e < 0 ? e : 1;
}

/* Takes the whole lines in `text`, and moves what is left of it to the front; *n is then its length. */
static int take_lines(char *text, size_t *n, bool *is_heading, port_files_take_t take, void *userdata) {
        char *line = text, *end;
        int r = 1;

        while (r > 0 && (end = memchr(line, '\n', *n - (size_t) (line - text)))) {
                *end = '\0';
                if (!*is_heading)
                        r = take_line(line, take, userdata);
                *is_heading = false;
                line = end + 1;
        }
        *n -= (size_t) (line - text);
        memmove(text, line, *n);
        return r;
}

/* Listeners come first, so that the rest need not be read: there may be many connections. */
static int read_file(int fd, port_files_take_t take, void *userdata) {
        char text[8192];
        bool is_heading = true;
        size_t n = 0;
        int r = 1;

        if (fd < 0)
                return 0;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        while (r > 0) {
                ssize_t got = read(fd, text + n, sizeof(text) - n);

                if (got <= 0)
                        return got < 0 ? -errno : n > 0 ? -EBADMSG : 0;
                n += (size_t) got;
                r = take_lines(text, &n, &is_heading, take, userdata);
        }
        return r;
}

int port_files_read(const PortFiles *files, port_files_take_t take, void *userdata) {
        int r = read_file(files->tcp, take, userdata);

        return r < 0 ? r : read_file(files->tcp6, take, userdata);
}
