/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/import_systemd_links.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/import_systemd_names.h"

enum {
        HOPS_MAX = 8, /* from alias to alias, as systemd has it */
};

static int join(const char *folder, const char *name, char **ret) {
        return asprintf(ret, "%s/%s", folder, name) < 0 ? -ENOMEM : 0;
}

bool unit_links_hold_folder(const char *folder, char *const *folders) {
        char real[PATH_MAX], other[PATH_MAX];

        /* By their own names: /lib is a link to /usr/lib here and there. */
        if (!realpath(folder, real))
                return false;
        for (; *folders; folders++)
                if (realpath(*folders, other) && strcmp(real, other) == 0)
                        return true;
        return false;
}

/* The name that a link stands for, if it leads to another place in the folders; of any other file, NULL. */
static int link_target(char *const *folders, const char *path, char **ret) {
        _cleanup_free_ char *folder = NULL, *full = NULL, *where = NULL;
        char target[PATH_MAX];
        ssize_t n = readlink(path, target, sizeof target - 1);
        int r;

        *ret = NULL;
        if (n < 0)
                return errno == EINVAL ? 0 : -errno;
        target[n] = '\0';
        r = unit_path_folder(path, &folder);
        if (r == 0 && target[0] != '/')
                r = join(folder, target, &full);
        if (r == 0)
                r = unit_path_folder(full ? full : target, &where);
        if (r < 0 || !unit_links_hold_folder(where, folders))
                return r;
        *ret = strdup(unit_path_base(target));
        return *ret ? 0 : -ENOMEM;
}

/* The file of that name which counts. A link to the same name in another of the folders says nothing. */
static int find_file(char *const *folders, const char *name, char **ret) {
        for (size_t i = 0; folders[i]; i++) {
                _cleanup_free_ char *path = NULL, *target = NULL;
                struct stat st;
                int r = join(folders[i], name, &path);

                if (r < 0)
                        return r;
                if (lstat(path, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)))
                        continue;
                r = link_target(folders, path, &target);
                if (r == -ENOMEM)
                        return r;
                if (target && strcmp(target, name) == 0)
                        continue;
                *ret = TAKE_PTR(path);
                return 0;
        }
        return -ENOENT;
}

int unit_links_find(char *const *folders, const char *name, char **ret) {
        _cleanup_free_ char *template = NULL;
        int r = find_file(folders, name, ret);

        if (r != -ENOENT || unit_name_kind(name) != UNIT_NAME_INSTANCE)
                return r;
        r = unit_name_template(name, &template);
        return r < 0 ? r : find_file(folders, template, ret);
}

int unit_links_follow(char *const *folders, char **name, char **path) {
        for (unsigned hops = 0; hops < HOPS_MAX; hops++) {
                _cleanup_free_ char *target = NULL, *next = NULL, *file = NULL;
                int r = link_target(folders, *path, &target);

                if (r < 0 || !target || strcmp(target, unit_path_base(*path)) == 0)
                        return r;
                r = unit_name_of_target(*name, target, &next);
                if (r == 0)
                        r = unit_links_find(folders, next, &file);
                if (r < 0)
                        return r;
                free(*name);
                free(*path);
                *name = TAKE_PTR(next);
                *path = TAKE_PTR(file);
        }
        return -ELOOP;
}

/* -- all names of a unit -- */

void unit_aliases_done(UnitAliases *a) {
        for (size_t i = 0; i < a->n; i++)
                free(a->names[i]);
}

static bool aliases_hold(const UnitAliases *a, const char *name) {
        for (size_t i = 0; i < a->n; i++)
                if (strcmp(a->names[i], name) == 0)
                        return true;
        return false;
}

/* Takes the name if it leads to the unit. */
static int try_alias(char *const *folders, const char *unit, const char *link, UnitAliases *a) {
        _cleanup_free_ char *alias = NULL, *name = NULL, *path = NULL;
        int r = unit_name_of_alias(link, unit, &alias);

        if (r < 0 || strcmp(alias, unit) == 0 || aliases_hold(a, alias))
                return r;
        r = unit_links_find(folders, alias, &path);
        if (r == 0 && !(name = strdup(alias)))
                r = -ENOMEM;
        if (r == 0)
                r = unit_links_follow(folders, &name, &path);
        if (r == 0 && strcmp(name, unit) == 0) {
                if (a->n == UNIT_ALIASES_MAX)
                        return -E2BIG;
                a->names[a->n++] = TAKE_PTR(alias);
        }
        return r == -ENOMEM ? r : 0; /* a link that leads nowhere is no alias */
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

int unit_links_find_aliases(char *const *folders, const char *unit, UnitAliases *ret) {
        int r = 0;

        for (size_t i = 0; r == 0 && folders[i]; i++) {
                DIR *d = opendir(folders[i]);
                struct dirent *entry;

                while (r == 0 && d && (entry = readdir(d))) {
                        _cleanup_free_ char *path = NULL;
                        struct stat st;

                        if (!unit_name_is_service(entry->d_name))
                                continue;
                        r = join(folders[i], entry->d_name, &path);
                        if (r == 0 && lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
                                r = try_alias(folders, unit, entry->d_name, ret);
                }
                if (d)
                        (void) closedir(d);
        }
        qsort(ret->names, ret->n, sizeof ret->names[0], compare_names);
        return r;
}
