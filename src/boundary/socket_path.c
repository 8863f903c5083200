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

/* Opens `path` where no component of it is a link; -ELOOP where one is. With O_NOFOLLOW in `flags` the last one may be:
 * it is opened itself then. */
static int open_without_links(int root, const char *path, int flags) {
        struct open_how how = {
                .flags = (uint64_t) (O_PATH | O_CLOEXEC | flags),
                .resolve = RESOLVE_NO_SYMLINKS,
        };
        long fd;

        if (root >= 0)
                path += strspn(path, "/");
        fd = syscall(SYS_openat2, root >= 0 ? root : AT_FDCWD, *path ? path : ".", &how, sizeof(how));
        return fd < 0 ? -errno : (int) fd;
}

/* A path on its way to one without links: "/run" of it is known to be folders, "web/rpc.sock" is still to be gone. */
typedef struct Walk {
        int root;
        unsigned n_links;
        char gone[PATH_MAX]; /* "" is the root */
        char rest[PATH_MAX];
        char target[PATH_MAX]; /* of the link that was met last */
} Walk;

/* Only root can have put the link there, or can put another one in its place. */
static int link_is_roots(const Walk *w, int link) {
        _cleanup_close_ int folder = open_without_links(w->root, *w->gone ? w->gone : "/", O_DIRECTORY);
        struct stat st;

        if (folder < 0)
                return folder;
        if (fstat(link, &st) < 0)
                return -errno;
        if (st.st_uid != 0)
                return false;
        if (fstat(folder, &st) < 0)
                return -errno;
        return st.st_uid == 0 && ((st.st_mode & (S_IWGRP | S_IWOTH)) == 0 || st.st_mode & S_ISVTX);
}

static int append(char *path, const char *component, size_t n) {
        size_t n_path = strlen(path);

        if (n_path + 1 + n >= PATH_MAX)
                return -ENAMETOOLONG;
        path[n_path] = '/';
        memcpy(path + n_path + 1, component, n);
        path[n_path + 1 + n] = '\0';
        return 0;
}

/* What has been gone so far holds no links, so ".." is the component before, and at the root the root. */
static void go_up(char *gone) {
        char *slash = strrchr(gone, '/');

        if (slash)
                *slash = '\0';
}

/* The next step is a link: its target comes before the rest of the way, or the walk ends here. */
static int walk_through(Walk *w, int link, const char *behind) {
        char rest[PATH_MAX];
        ssize_t n = readlinkat(link, "", w->target, sizeof(w->target) - 1);
        int r;

        if (n < 0)
                return -errno;
        w->target[n] = '\0';
        if (*behind == '\0' || ++w->n_links > LINKS_MAX)
                return -ELOOP;
        r = link_is_roots(w, link);
        if (r <= 0)
                return r < 0 ? r : -ELOOP;

        if (snprintf(rest, sizeof(rest), "%s%s", w->target, behind) >= (int) sizeof(rest))
                return -ENAMETOOLONG;
        strcpy(w->rest, rest);
        if (w->target[0] == '/')
                w->gone[0] = '\0';
        return 0;
}

/* One component further. At -ELOOP `rest` begins with the link that is not followed. */
static int walk_step(Walk *w) {
        const char *component = w->rest + strspn(w->rest, "/"), *behind;
        size_t n = strcspn(component, "/");
        _cleanup_close_ int fd = -1;
        char path[PATH_MAX];
        struct stat st;
        int r;

        behind = component + n;
        if (n == 2 && memcmp(component, "..", 2) == 0)
                go_up(w->gone);
        if (n == 0 || (n == 1 && component[0] == '.') || (n == 2 && memcmp(component, "..", 2) == 0)) {
                memmove(w->rest, behind, strlen(behind) + 1);
                return 0;
        }

        strcpy(path, w->gone);
        r = append(path, component, n);
        if (r < 0)
                return r;
        fd = open_without_links(w->root, path, O_NOFOLLOW);
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISLNK(st.st_mode))
                return walk_through(w, fd, behind);
        strcpy(w->gone, path);
        memmove(w->rest, behind, strlen(behind) + 1);
        return 0;
}

/* Ends with w->gone as the path without links, or with -ELOOP at the link that is not followed. */
static int walk(Walk *w, int root, const char *path) {
        int r = 0;

        w->root = root;
        w->n_links = 0;
        w->gone[0] = '\0';
        if (snprintf(w->rest, sizeof(w->rest), "%s", path) >= (int) sizeof(w->rest))
                return -ENAMETOOLONG;
        while (r == 0 && w->rest[0])
                r = walk_step(w);
        return r;
}

static int open_by_walking(int root, const char *path, int flags) {
        Walk w;
        int r = walk(&w, root, path);

        return r < 0 ? r : open_without_links(root, *w.gone ? w.gone : "/", flags);
}

static int open_path(int root, const char *path, int flags) {
        int fd = path[0] == '/' ? open_without_links(root, path, flags) : -EINVAL;

        return fd == -ELOOP ? open_by_walking(root, path, flags) : fd;
}

int socket_path_open(int root, const char *path) {
        return open_path(root, path, 0);
}

int socket_path_open_folder(int root, const char *path, const char **ret_name) {
        const char *slash = strrchr(path, '/');
        char folder[PATH_MAX];
        size_t n;
        int fd;

        if (!slash || slash[1] == '\0' || strcmp(slash, "/.") == 0 || strcmp(slash, "/..") == 0)
                return -EINVAL;
        n = (size_t) (slash - path) + 1;
        if (n >= sizeof(folder))
                return -ENAMETOOLONG;
        memcpy(folder, path, n);
        /* With something behind it the folder's own name may be a link of root's. */
        strcpy(folder + n, ".");
        fd = open_path(root, folder, O_DIRECTORY);
        if (fd >= 0)
                *ret_name = slash + 1;
        return fd;
}

char *socket_path_link_text(int root, const char *path) {
        char link[LINK_TEXT_MAX] = "", target[LINK_TEXT_MAX], *text;
        const char *component;
        size_t n;
        Walk w;

        if (walk(&w, root, path) != -ELOOP)
                return NULL;
        component = w.rest + strspn(w.rest, "/");
        n = strcspn(component, "/");
        if (component[n] != '\0' && append(w.gone, component, n) == 0)
                printable_text(w.gone, strlen(w.gone), link, sizeof(link));
        printable_text(w.target, strlen(w.target), target, sizeof(target));
        if (asprintf(&text, "%s%sis a symbolic link to %s", link, *link ? " " : "", target) < 0)
                return NULL;
        return text;
}
