/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/socket_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <sys/stat.h>

enum {
        READ_BYTES = 16 * 1024,
        READS_A_TURN = 4,   /* then the loop serves others; what is left wakes it again */
        ARM_ROUNDS_MAX = 8, /* a folder that comes and goes faster than this is left to the caller's sweep */
};

/* The same for every watch: a second inotify_add_watch() on an inode replaces the mask of the first. */
static const uint32_t watch_mask =
        IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

/* A folder is watched twice: itself, and where its name stands, that is in its parent or, while that is missing, in the
 * nearest existing ancestor. The second one sees it come back, and also go while somebody still holds it open: then
 * IN_DELETE_SELF would not come until they let go. Folders share watches: the kernel gives one number an inode. */
typedef struct Folder {
        LIST_ENTRY(Folder) next;
        char *directory;
        unsigned n_refs;   /* 0: removed while events were being dispatched, freed after that */
        int wd;            /* -1: it is not there */
        int above_wd;      /* -1: cannot be watched, or `directory` is the root */
        const char *child; /* in `directory`: the component whose coming and going above_wd reports */
        size_t n_child;
        int error; /* negative errno: of the last time that the watches were set; what is missing of them is not told */
} Folder;

struct SocketWatch {
        int fd;
        sd_event_source *source;
        socket_watch_changed_t changed;
        void *userdata;
        bool is_dispatching;
        LIST_HEAD(, Folder) folders;
        char buffer[READ_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));
};

static void release_wd(SocketWatch *w, int wd) {
        Folder *f;

        if (wd < 0)
                return;
        LIST_FOREACH(f, &w->folders, next)
        if (f->n_refs > 0 && (f->wd == wd || f->above_wd == wd))
                return;
        (void) inotify_rm_watch(w->fd, wd); /* EINVAL: went with its folder */
}

/* Watches the first `n` bytes of the folder's path; n = 0: the root. */
static int watch_prefix(SocketWatch *w, const Folder *f, size_t n) {
        char path[PATH_MAX];
        int wd;

        if (n >= sizeof(path))
                return -ENAMETOOLONG;
        memcpy(path, f->directory, n);
        strcpy(path + n, n == 0 ? "/" : "");
        wd = inotify_add_watch(w->fd, path, watch_mask);
        return wd < 0 ? -errno : wd;
}

static bool is_absent(int r) {
        return r == -ENOENT || r == -ENOTDIR;
}

/* From the parent upwards to the first ancestor that is there, leaving f->child at the component below it. */
static int watch_above(SocketWatch *w, Folder *f) {
        size_t end = strlen(f->directory);

        for (;;) {
                size_t start;
                int wd;

                while (end > 0 && f->directory[end - 1] == '/')
                        end--;
                if (end == 0)
                        return -ENOENT; /* the root has nothing above it */
                for (start = end; start > 0 && f->directory[start - 1] != '/'; start--)
                        ;
                f->child = f->directory + start;
                f->n_child = end - start;
                for (end = start; end > 0 && f->directory[end - 1] == '/'; end--)
                        ;
                wd = watch_prefix(w, f, end);
                if (!is_absent(wd) || end == 0)
                        return wd;
        }
}

/* Whether the component that f->above_wd waits for is there already. */
static bool child_exists(const Folder *f) {
        size_t n = (size_t) (f->child - f->directory) + f->n_child;
        char path[PATH_MAX];
        struct stat st;

        if (n >= sizeof(path))
                return false;
        memcpy(path, f->directory, n);
        path[n] = '\0';
        return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Sets both watches for what the file system looks like now. Above first: what comes between the two is then reported.
 * Negative errno only where the folder cannot be watched and nothing would tell of its coming either. */
static int folder_watch(SocketWatch *w, Folder *f) {
        int old_wd = f->wd, old_above_wd = f->above_wd, wd = -ENOENT, above_wd = -ENOENT;

        for (unsigned round = 0; round < ARM_ROUNDS_MAX; round++) {
                above_wd = watch_above(w, f);
                wd = watch_prefix(w, f, strlen(f->directory));
                /* Missing, and so is the next component on the way to it: its coming will be reported. */
                if (!is_absent(wd) || above_wd < 0 || !child_exists(f))
                        break;
        }
        f->wd = wd < 0 ? -1 : wd;
        f->above_wd = above_wd < 0 ? -1 : above_wd;
        release_wd(w, old_wd);
        release_wd(w, old_above_wd);

        if (wd < 0 && !is_absent(wd))
                return wd;
        if (wd >= 0 && above_wd != -ENOSPC && above_wd != -ENOMEM)
                return 0; /* a parent that may not be read is no reason to do without the folder itself */
        return above_wd < 0 ? above_wd : 0;
}

static int folder_arm(SocketWatch *w, Folder *f) {
        return f->error = folder_watch(w, f);
}

static Folder *folder_free(SocketWatch *w, Folder *f) {
        f->n_refs = 0;
        release_wd(w, f->wd);
        release_wd(w, f->above_wd);
        LIST_REMOVE(f, next);
        free(f->directory);
        free(f);
        return NULL;
}

static Folder *find_folder(SocketWatch *w, const char *directory) {
        Folder *f;

        LIST_FOREACH(f, &w->folders, next)
        if (f->n_refs > 0 && strcmp(f->directory, directory) == 0)
                return f;
        return NULL;
}

int socket_watch_add(SocketWatch *w, const char *directory) {
        Folder *f = find_folder(w, directory);
        int r;

        if (f) {
                f->n_refs++;
                return 0;
        }
        if (directory[0] != '/')
                return -EINVAL;

        f = calloc(1, sizeof(*f));
        if (!f)
                return -ENOMEM;
        *f = (Folder){ .directory = strdup(directory), .n_refs = 1, .wd = -1, .above_wd = -1 };
        LIST_INSERT_HEAD(&w->folders, f, next);

        r = f->directory ? folder_arm(w, f) : -ENOMEM;
        if (r < 0)
                (void) folder_free(w, f);
        return r;
}

void socket_watch_remove(SocketWatch *w, const char *directory) {
        Folder *f = find_folder(w, directory);

        if (!f || --f->n_refs > 0)
                return;
        if (!w->is_dispatching) /* else a loop over the folders may stand on it */
                (void) folder_free(w, f);
}

int socket_watch_error(SocketWatch *w, const char *directory) {
        const Folder *f = find_folder(w, directory);

        return f ? f->error : 0;
}

static void call_changed(SocketWatch *w, const Folder *f, const char *name) {
        if (f->n_refs > 0)
                w->changed(f->directory, name, w->userdata);
}

/* The folder went, came, or something on the way to it did. */
static void folder_moved(SocketWatch *w, Folder *f) {
        int old_wd = f->wd, old_error = f->error;

        (void) folder_arm(w, f);
        if (f->wd != old_wd || f->error != old_error)
                call_changed(w, f, NULL);
}

static bool concerns_child(const Folder *f, const struct inotify_event *e) {
        return e->len > 0 && strlen(e->name) == f->n_child && memcmp(e->name, f->child, f->n_child) == 0;
}

static void take_event(SocketWatch *w, const struct inotify_event *e) {
        bool is_lost = e->mask & IN_Q_OVERFLOW;
        bool is_self = e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED);
        Folder *f;

        LIST_FOREACH(f, &w->folders, next) {
                if (f->n_refs == 0)
                        continue;
                if (is_lost) {
                        (void) folder_arm(w, f);
                        call_changed(w, f, NULL);
                } else if (f->wd == e->wd && !is_self) {
                        call_changed(w, f, e->len > 0 ? e->name : NULL);
                } else if (f->wd == e->wd || (f->above_wd == e->wd && (is_self || concerns_child(f, e)))) {
                        folder_moved(w, f);
                }
        }
}

/* An earlier event of this batch said the same. When it was dispatched, this one had happened too, so what the caller
 * saw then includes it. */
static bool is_repeated(const char *batch, const struct inotify_event *e) {
        const char *p = batch;

        while (p < (const char *) e) {
                const struct inotify_event *earlier = (const void *) p;

                if (earlier->wd == e->wd && e->len > 0 && earlier->len > 0 && strcmp(earlier->name, e->name) == 0)
                        return true;
                p += sizeof(*earlier) + earlier->len;
        }
        return false;
}

static void take_batch(SocketWatch *w, size_t n) {
        for (const char *p = w->buffer; p < w->buffer + n;) {
                const struct inotify_event *e = (const void *) p;

                if (!is_repeated(w->buffer, e))
                        take_event(w, e);
                p += sizeof(*e) + e->len;
        }
}

static void free_removed(SocketWatch *w) {
        Folder *f = LIST_FIRST(&w->folders);

        while (f) {
                Folder *next = LIST_NEXT(f, next);

                if (f->n_refs == 0)
                        (void) folder_free(w, f);
                f = next;
        }
}

static int on_inotify(_unused_ sd_event_source *s, int fd, _unused_ uint32_t revents, void *userdata) {
        SocketWatch *w = userdata;

        w->is_dispatching = true;
        for (unsigned i = 0; i < READS_A_TURN; i++) {
                ssize_t n = read(fd, w->buffer, sizeof(w->buffer));

                if (n <= 0)
                        break;
                take_batch(w, (size_t) n);
        }
        w->is_dispatching = false;
        free_removed(w);
        return 0;
}

int socket_watch_new(sd_event *event, socket_watch_changed_t changed, void *userdata, SocketWatch **ret) {
        _cleanup_(socket_watch_freep) SocketWatch *w = NULL;
        int r;

        w = calloc(1, sizeof(*w));
        if (!w)
                return -ENOMEM;
        w->changed = changed;
        w->userdata = userdata;
        LIST_INIT(&w->folders);

        w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (w->fd < 0)
                return -errno;
        r = sd_event_add_io(event, &w->source, w->fd, EPOLLIN, on_inotify, w);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(w);
        return 0;
}

SocketWatch *socket_watch_free(SocketWatch *w) {
        Folder *f;

        if (!w)
                return NULL;
        while ((f = LIST_FIRST(&w->folders))) {
                LIST_REMOVE(f, next);
                free(f->directory);
                free(f);
        }
        (void) sd_event_source_disable_unref(w->source);
        if (w->fd >= 0)
                (void) close(w->fd);
        free(w);
        return NULL;
}
