/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/socket_holders.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct HolderSearch {
        DIR *processes;   /* /proc; NULL: of a cgroup */
        FILE *members;    /* cgroup.procs; NULL: all processes */
        DIR *descriptors; /* of the process that is being read; NULL: take the next one */
        pid_t pid;
        bool is_partial;
        size_t n_sockets, n_found;
        SocketHolder found[SOCKET_HOLDERS_MAX];
        uint32_t sockets[];
};

HolderSearch *holder_search_free(HolderSearch *h) {
        if (!h)
                return NULL;
        if (h->descriptors)
                (void) closedir(h->descriptors);
        if (h->processes)
                (void) closedir(h->processes);
        if (h->members)
                (void) fclose(h->members);
        free(h);
        return NULL;
}

static FILE *open_members(int cgroup) {
        _cleanup_close_ int fd = openat(cgroup, "cgroup.procs", O_RDONLY | O_CLOEXEC);
        FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;

        if (f)
                (void) TAKE_FD(fd);
        return f;
}

int holder_search_new(const uint32_t *sockets, size_t n, int cgroup, HolderSearch **ret) {
        _cleanup_(holder_search_freep) HolderSearch *h = calloc(1, sizeof(*h) + n * sizeof(sockets[0]));

        if (!h)
                return -ENOMEM;
        h->n_sockets = n;
        memcpy(h->sockets, sockets, n * sizeof(sockets[0]));
        if (cgroup >= 0)
                h->members = open_members(cgroup);
        else
                h->processes = opendir("/proc");
        if (!h->members && !h->processes)
                return -errno;
        *ret = TAKE_PTR(h);
        return 0;
}

const SocketHolder *holder_search_found(const HolderSearch *h, size_t *ret_n) {
        *ret_n = h->n_found;
        return h->found;
}

bool holder_search_is_partial(const HolderSearch *h) {
        return h->is_partial;
}

/* The socket that a link of /proc/PID/fd leads to; 0 where it is something else, or closed since. */
static uint32_t socket_of(int folder, const char *name) {
        char target[64];
        unsigned long inode;
        ssize_t n = readlinkat(folder, name, target, sizeof(target) - 1);

        if (n <= 0)
                return 0;
        target[n] = '\0';
        return sscanf(target, "socket:[%lu]", &inode) == 1 ? (uint32_t) inode : 0;
}

static void add(HolderSearch *h, uint32_t socket, int fd) {
        for (size_t i = h->n_found; i > 0 && h->found[i - 1].pid == h->pid; i--)
                if (h->found[i - 1].socket == socket)
                        return; /* it has it more than once */
        if (h->n_found < SOCKET_HOLDERS_MAX)
                h->found[h->n_found++] = (SocketHolder){ h->pid, fd, socket };
        else
                h->is_partial = true;
}

static void look_at(HolderSearch *h, const char *name) {
        uint32_t socket = socket_of(dirfd(h->descriptors), name);

        for (size_t i = 0; socket != 0 && i < h->n_sockets; i++)
                if (h->sockets[i] == socket) {
                        add(h, socket, atoi(name));
                        return;
                }
}

/* 0: none is left. */
static pid_t next_pid(HolderSearch *h) {
        const struct dirent *entry;
        int pid;

        if (h->members) {
                /* One of another pid namespace is listed as 0, and cannot be named here. */
                while (fscanf(h->members, "%d", &pid) == 1)
                        if (pid > 0)
                                return pid;
                return 0;
        }
        while ((entry = readdir(h->processes)))
                if (isdigit((unsigned char) entry->d_name[0]))
                        return atoi(entry->d_name);
        return 0;
}

/* 1: there is none any more; 0; negative errno where the search cannot go on. */
static int next_process(HolderSearch *h) {
        char path[sizeof("/proc/-2147483648/fd")];

        h->pid = next_pid(h);
        if (h->pid == 0)
                return 1;
        (void) snprintf(path, sizeof(path), "/proc/%d/fd", (int) h->pid);
        h->descriptors = opendir(path);
        if (h->descriptors || errno == ENOENT || errno == ESRCH)
                return 0;
        if (errno != EACCES && errno != EPERM)
                return -errno; /* EMFILE, ENOMEM: what is not found then is there for all we know */
        h->is_partial = true;
        return 0;
}

int holder_search_step(HolderSearch *h, unsigned n_descriptors_max) {
        for (unsigned n = 0; n < n_descriptors_max; n++) {
                const struct dirent *entry;
                int r;

                if (!h->descriptors) {
                        r = next_process(h);
                        if (r != 0)
                                return r;
                        continue;
                }
                entry = readdir(h->descriptors);
                if (entry) {
                        look_at(h, entry->d_name);
                } else {
                        (void) closedir(h->descriptors);
                        h->descriptors = NULL;
                }
        }
        return 0;
}

int process_holds_socket(pid_t pid, uint32_t socket, unsigned n_descriptors_max) {
        char path[sizeof("/proc/-2147483648/fd")];
        const struct dirent *entry;
        int r = 0;
        DIR *d;

        (void) snprintf(path, sizeof(path), "/proc/%d/fd", (int) pid);
        d = opendir(path);
        if (!d)
                return errno == ENOENT ? -ESRCH : -errno;
        while (r == 0 && (entry = readdir(d))) {
                if (n_descriptors_max-- == 0)
                        r = -E2BIG;
                else if (socket_of(dirfd(d), entry->d_name) == socket)
                        r = 1;
        }
        (void) closedir(d);
        return r;
}

bool socket_holder_is_true(const SocketHolder *h) {
        char path[sizeof("/proc/-2147483648/fd/-2147483648")];

        (void) snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int) h->pid, h->fd);
        return socket_of(AT_FDCWD, path) == h->socket;
}
