/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/service_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

static int parse_id(const char *text, unsigned *ret) {
        char *end;
        unsigned long n;

        if (text[0] < '0' || text[0] > '9')
                return -EINVAL;
        n = strtoul(text, &end, 10);
        if (*end || n >= UINT32_MAX)
                return -EINVAL;
        *ret = (unsigned) n;
        return 0;
}

static int find_owner(const char *user, const char *group, uid_t *ret_uid, gid_t *ret_gid) {
        const struct passwd *pw = NULL;
        const struct group *gr;

        if (parse_id(user, ret_uid) < 0) {
                pw = getpwnam(user);
                if (!pw)
                        return -ESRCH;
                *ret_uid = pw->pw_uid;
        } else {
                pw = getpwuid(*ret_uid);
        }
        *ret_gid = pw ? pw->pw_gid : (gid_t) -1;
        if (!group || parse_id(group, ret_gid) >= 0)
                return 0;
        gr = getgrnam(group);
        if (!gr)
                return -ESRCH;
        *ret_gid = gr->gr_gid;
        return 0;
}

/* Who the last few names were. To ask again may mean to wait for a directory server, at every start of an action. */
typedef struct KnownOwner {
        char *user, *group; /* NULL user: free; NULL group: the user's own */
        uid_t uid;
        gid_t gid;
} KnownOwner;

static KnownOwner known_owners[16];

static bool same_text(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

static const KnownOwner *recall_owner(const char *user, const char *group) {
        for (size_t i = 0; i < ELEMENTSOF(known_owners); i++)
                if (same_text(known_owners[i].user, user) && same_text(known_owners[i].group, group))
                        return &known_owners[i];
        return NULL;
}

static void remember_owner(const char *user, const char *group, uid_t uid, gid_t gid) {
        static size_t next;
        const KnownOwner *known = recall_owner(user, group);
        KnownOwner *k = known ? &known_owners[known - known_owners] : &known_owners[next++ % ELEMENTSOF(known_owners)];

        if (!known) {
                free(k->user);
                free(k->group);
                *k = (KnownOwner){ .user = strdup(user), .group = group ? strdup(group) : NULL };
                if (!k->user || (group && !k->group)) {
                        free(k->user);
                        free(k->group);
                        *k = (KnownOwner){ 0 };
                        return;
                }
        }
        k->uid = uid;
        k->gid = gid;
}

static bool is_owned(const struct stat *st, uid_t uid, gid_t gid) {
        return st->st_uid == uid && (gid == (gid_t) -1 || st->st_gid == gid);
}

/* Numbers that say it all need no look-up, and names that led to this owner before are believed. */
static bool is_known_to_be_owned(const struct stat *st, const char *user, const char *group) {
        const KnownOwner *known = recall_owner(user, group);
        uid_t uid;
        gid_t gid;

        if (known)
                return is_owned(st, known->uid, known->gid);
        return parse_id(user, &uid) >= 0 && group && parse_id(group, &gid) >= 0 && is_owned(st, uid, gid);
}

/* Makes each missing folder on the way, 0755. The way itself belongs to root, or to the user whose server this is. */
static int make_parents(const char *path) {
        _cleanup_free_ char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(copy, 0755) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        return 0;
}

/* Makes `path` and opens it; a link or anything but a folder in its place is refused. */
static int make_folder(const char *path) {
        int fd, r = make_parents(path);

        if (r < 0)
                return r;
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                return -errno;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int service_folder_make(const ServiceDefinition *d, FolderGift *ret) {
        const ActionDefinition *owner = NULL;
        _cleanup_close_ int fd = -1;
        struct stat st;
        uid_t uid;
        gid_t gid;
        int r;

        for (size_t i = 0; i < d->n_actions && !owner; i++)
                if (d->actions[i].user)
                        owner = &d->actions[i];
        fd = make_folder(d->directory);
        if (fd < 0 || !owner)
                return fd < 0 ? fd : 0;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (is_known_to_be_owned(&st, owner->user, owner->group))
                return 0;
        r = find_owner(owner->user, owner->group, &uid, &gid);
        if (r < 0)
                return r;
        remember_owner(owner->user, owner->group, uid, gid);
        if (is_owned(&st, uid, gid))
                return 0;
        *ret = (FolderGift){ TAKE_FD(fd), uid, gid };
        return 1;
}

int service_folder_remove(const ServiceDefinition *d) {
        return rmdir(d->directory) < 0 ? -errno : 0;
}

int service_folder_make_exec(const char *exec_dir, const char *service) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;

        if (asprintf(&path, "%s/%s", exec_dir, service) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        fd = make_folder(path);
        return fd < 0 ? fd : 0;
}

int service_folder_remove_exec(const char *exec_dir, const char *service) {
        _cleanup_free_ char *path = NULL;
        struct dirent *entry;
        DIR *folder;

        if (asprintf(&path, "%s/%s", exec_dir, service) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        folder = opendir(path);
        if (!folder)
                return -errno;
        while ((entry = readdir(folder)))
                if (entry->d_type == DT_REG)
                        (void) unlinkat(dirfd(folder), entry->d_name, 0);
        (void) closedir(folder);
        return rmdir(path) < 0 ? -errno : 0;
}
