/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Real sockets in a folder of their own, which goes with the test. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

static _unused_ char *folder_new(void) {
        char template[] = "/tmp/hero_test.XXXXXX";

        return strdup(mkdtemp(template) ? template : "/nonexistent");
}

static _unused_ int folder_remove_one(const char *path, _unused_ const struct stat *st, _unused_ int type,
                                      _unused_ struct FTW *ftw) {
        return remove(path);
}

static _unused_ void folder_remove(char **folder) {
        (void) nftw(*folder, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(*folder);
}

#define _cleanup_folder_ _cleanup_(folder_remove)

/* A path in the folder; good until the eighth call after this one. */
static _unused_ const char *in_folder(const char *folder, const char *name) {
        static char paths[8][PATH_MAX];
        static unsigned next;
        char *path = paths[next++ % ELEMENTSOF(paths)];

        (void) snprintf(path, PATH_MAX, "%s/%s", folder, name);
        return path;
}

static _unused_ struct sockaddr_un address_of(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
        return address;
}

/* -1 where it cannot be done, as with all of these. */
static _unused_ int bind_at(const char *path, int type) {
        struct sockaddr_un address = address_of(path);
        _cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        return fd >= 0 && bind(fd, (struct sockaddr *) &address, sizeof(address)) == 0 ? TAKE_FD(fd) : -1;
}

static _unused_ int listen_at(const char *path, int backlog) {
        _cleanup_close_ int fd = bind_at(path, SOCK_STREAM);

        if (fd < 0 || listen(fd, backlog) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
                return -1;
        return TAKE_FD(fd);
}

static _unused_ int connect_at(const char *path) {
        struct sockaddr_un address = address_of(path);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        return fd >= 0 && connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0 ? TAKE_FD(fd) : -1;
}

static _unused_ bool make_dead_socket(const char *path) {
        int fd = bind_at(path, SOCK_STREAM);

        return fd >= 0 && close(fd) == 0;
}

static _unused_ unsigned count_fds(void) {
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;

        while (d && readdir(d))
                n++;
        if (d)
                (void) closedir(d);
        return n;
}
