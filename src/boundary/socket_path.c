/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/socket_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "core/printable_text.h"

enum {
        LINKS_MAX = 8,
        LINK_TEXT_MAX = 512,
};

/* Where a walk came upon a link. */
typedef struct Stop {
        int folder,
                link;   /* O_PATH, the link itself and what it lies in; -1: it was something else that ended the walk */
        const char *at; /* its component, in the path that was walked */
        size_t n;       /* bytes of that component */
} Stop;

static void stop_done(Stop *s) {
        cleanup_close(&s->folder);
        cleanup_close(&s->link);
}

/* "" is the root itself. */
static int open_root(int root) {
        int fd = root >= 0 ? fcntl(root, F_DUPFD_CLOEXEC, 3) : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

/* Opens `path`, absolute and without "..", component by component. -ELOOP at the first link, wherever it is. */
static int walk(int root, const char *path, Stop *ret_stop) {
        _cleanup_close_ int fd = open_root(root);
        char name[NAME_MAX + 1];

        if (fd < 0)
                return fd;
        for (size_t n; *(path += strspn(path, "/")); path += n) {
                _cleanup_close_ int next = -1;
                struct stat st;

                n = strcspn(path, "/");
                if (n > NAME_MAX)
                        return -ENAMETOOLONG;
                memcpy(name, path, n);
                name[n] = '\0';
                next = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC); /* of a link this opens the link */
                if (next < 0 || fstat(next, &st) < 0)
                        return -errno;
                if (S_ISLNK(st.st_mode)) {
                        *ret_stop = (Stop){ .folder = TAKE_FD(fd), .link = TAKE_FD(next), .at = path, .n = n };
                        return -ELOOP;
                }
                (void) close(fd);
                fd = TAKE_FD(next);
        }
        return TAKE_FD(fd);
}

/* Only root can have put the link there, or can put another one in its place. */
static bool is_roots(const Stop *s) {
        struct stat link, folder;

        return fstat(s->link, &link) == 0 && link.st_uid == 0 && fstat(s->folder, &folder) == 0 && folder.st_uid == 0 &&
               ((folder.st_mode & (S_IWGRP | S_IWOTH)) == 0 || folder.st_mode & S_ISVTX);
}

/* Leaves a path out of the components of `path`, without "." and "..": what they are taken from holds no link as far as
 * it was walked, and what is behind that is walked again. */
static int normalize(const char *path, char ret[static PATH_MAX]) {
        size_t n_out = 0;

        ret[0] = '\0';
        for (size_t n; *(path += strspn(path, "/")); path += n) {
                n = strcspn(path, "/");
                if (n == 1 && path[0] == '.')
                        continue;
                if (n == 2 && path[0] == '.' && path[1] == '.') {
                        while (n_out > 0 && ret[--n_out] != '/')
                                ;
                        ret[n_out] = '\0';
                        continue;
                }
                if (n_out + 1 + n >= PATH_MAX)
                        return -ENAMETOOLONG;
                ret[n_out++] = '/';
                memcpy(ret + n_out, path, n);
                ret[n_out += n] = '\0';
        }
        return 0;
}

/* Puts the link's target in its place in `path`. */
static int go_through(char path[static PATH_MAX], const Stop *s) {
        char target[PATH_MAX], longer[3 * PATH_MAX];
        ssize_t n = readlinkat(s->link, "", target, sizeof(target) - 1);

        if (n < 0)
                return -errno;
        target[n] = '\0';
        (void) snprintf(longer, sizeof(longer), "%.*s%s%s", target[0] == '/' ? 0 : (int) (s->at - path), path, target,
                        s->at + s->n);
        return normalize(longer, path);
}

static bool is_last(const Stop *s) {
        return s->at[s->n + strspn(s->at + s->n, "/")] == '\0';
}

/* Walks, and goes through links of root's. At -ELOOP *ret_stop is the link that ended it, in `path`. */
static int walk_through_links(int root, char path[static PATH_MAX], Stop *ret_stop) {
        for (unsigned i = 0;; i++) {
                _cleanup_(stop_done) Stop stop = { .folder = -1, .link = -1 };
                int r = walk(root, path, &stop);

                if (r != -ELOOP)
                        return r;
                if (is_last(&stop) || i >= LINKS_MAX || !is_roots(&stop)) {
                        *ret_stop = stop;
                        stop = (Stop){ .folder = -1, .link = -1 };
                        return -ELOOP;
                }
                r = go_through(path, &stop);
                if (r < 0)
                        return r;
        }
}

static int open_by_walking(int root, const char *path, bool through_last) {
        _cleanup_(stop_done) Stop stop = { .folder = -1, .link = -1 };
        char way[PATH_MAX];

        /* With something behind it the last component may be a link of root's. */
        if (snprintf(way, sizeof(way), "%s%s", path, through_last ? "/." : "") >= (int) sizeof(way))
                return -ENAMETOOLONG;
        return walk_through_links(root, way, &stop);
}

/* One call, where there is no link at all. -ENOSYS where the kernel has it not, and where a seccomp filter cannot look
 * into its argument and forbids it (RestrictSUIDSGID=): that is remembered. */
static int open_at_once(int root, const char *path) {
        static bool is_forbidden;
        struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
        long fd;

        if (is_forbidden)
                return -ENOSYS;
        if (root >= 0)
                path += strspn(path, "/");
        fd = syscall(SYS_openat2, root >= 0 ? root : AT_FDCWD, *path ? path : ".", &how, sizeof(how));
        if (fd >= 0)
                return (int) fd;
        is_forbidden = errno == ENOSYS || errno == EPERM;
        return is_forbidden ? -ENOSYS : -errno;
}

/* ".." would lead out of `root`; no definition has it. */
static bool has_way_up(const char *path) {
        for (; (path = strstr(path, "..")); path += 2)
                if (path[-1] == '/' && (path[2] == '/' || path[2] == '\0'))
                        return true;
        return false;
}

static int open_path(int root, const char *path, bool through_last) {
        int fd = path[0] == '/' && !has_way_up(path) ? open_at_once(root, path) : -EINVAL;

        return fd == -ELOOP || fd == -ENOSYS ? open_by_walking(root, path, through_last) : fd;
}

int socket_path_open(int root, const char *path) {
        return open_path(root, path, /* through_last= */ false);
}

int socket_path_open_folder(int root, const char *path, const char **ret_name) {
        const char *slash = strrchr(path, '/');
        char folder[PATH_MAX];
        size_t n;
        int fd;

        if (!slash || slash[1] == '\0' || strcmp(slash, "/.") == 0 || strcmp(slash, "/..") == 0)
                return -EINVAL;
        n = (size_t) (slash - path);
        if (n >= sizeof(folder))
                return -ENAMETOOLONG;
        memcpy(folder, path, n);
        strcpy(folder + n, n == 0 ? "/" : "");
        fd = open_path(root, folder, /* through_last= */ true);
        if (fd >= 0)
                *ret_name = slash + 1;
        return fd;
}

char *socket_path_link_text(int root, const char *path) {
        _cleanup_(stop_done) Stop stop = { .folder = -1, .link = -1 };
        char way[PATH_MAX], target[PATH_MAX], link[LINK_TEXT_MAX] = "", shown[LINK_TEXT_MAX], *text;
        ssize_t n;

        if (snprintf(way, sizeof(way), "%s", path) >= (int) sizeof(way) ||
            walk_through_links(root, way, &stop) != -ELOOP)
                return NULL;
        n = readlinkat(stop.link, "", target, sizeof(target));
        if (n < 0)
                return NULL;
        if (!is_last(&stop))
                printable_text(way, (size_t) (stop.at + stop.n - way), link, sizeof(link));
        printable_text(target, (size_t) n, shown, sizeof(shown));
        if (asprintf(&text, "%s%sis a symbolic link to %s", link, *link ? " " : "", shown) < 0)
                return NULL;
        return text;
}
