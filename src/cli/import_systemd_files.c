/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/import_systemd_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-path.h>

#include "base/cleanup.h"
#include "cli/import_systemd_links.h"
#include "cli/import_systemd_names.h"

enum {
        FILES_MAX = 1024,
};

void unit_files_done(UnitFiles *f) {
        for (size_t i = 0; i < f->n_paths; i++)
                free(f->paths[i]);
        free(f->paths);
        free(f->asked);
        free(f->name);
        *f = (UnitFiles){ 0 };
}

int unit_files_search_path(bool is_user, char ***ret) {
        int r = sd_path_lookup_strv(is_user ? SD_PATH_SYSTEMD_SEARCH_USER_UNIT : SD_PATH_SYSTEMD_SEARCH_SYSTEM_UNIT,
                                    NULL, ret);

        return r < 0 ? r : 0;
}

char **unit_files_free_search_path(char **folders) {
        for (size_t i = 0; folders && folders[i]; i++)
                free(folders[i]);
        free(folders);
        return NULL;
}

static int join(const char *folder, const char *name, char **ret) {
        return asprintf(ret, "%s/%s", folder, name) < 0 ? -ENOMEM : 0;
}

/* -- drop-ins -- */

static int append(UnitFiles *f, char *path) {
        char **paths;

        if (f->n_paths == FILES_MAX)
                return -E2BIG;
        paths = realloc(f->paths, (f->n_paths + 1) * sizeof *paths);
        if (!paths)
                return -ENOMEM;
        f->paths = paths;
        f->paths[f->n_paths++] = path;
        return 0;
}

/* Of drop-ins with the same name the first counts, whichever folders they are in: so one masks the others. */
static bool has_drop_in(const UnitFiles *f, const char *base) {
        for (size_t i = 1; i < f->n_paths; i++)
                if (strcmp(unit_path_base(f->paths[i]), base) == 0)
                        return true;
        return false;
}

static bool is_conf(const char *name) {
        const char *dot = strrchr(name, '.');

        return name[0] != '.' && dot && strcmp(dot, ".conf") == 0;
}

static int add_drop_ins(UnitFiles *f, const char *folder) {
        DIR *d = opendir(folder);
        struct dirent *entry;
        int r = 0;

        if (!d)
                return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG ? 0 : -errno;
        while (r == 0 && (entry = readdir(d))) {
                _cleanup_free_ char *path = NULL;
                struct stat st;

                if (!is_conf(entry->d_name) || has_drop_in(f, entry->d_name))
                        continue;
                r = join(folder, entry->d_name, &path);
                if (r < 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)))
                        continue; /* a folder, or what would be waited for */
                r = append(f, path);
                if (r == 0)
                        TAKE_PTR(path);
        }
        (void) closedir(d);
        return r;
}

/* In one folder: those of the name, of its template, and of all that its dashes make of it. */
static int add_drop_ins_of(UnitFiles *f, const char *folder, const char *name) {
        _cleanup_free_ char *path = NULL, *template = NULL, *shorter = NULL;
        int r = asprintf(&path, "%s/%s.d", folder, name) < 0 ? -ENOMEM : 0;

        if (r == 0)
                r = add_drop_ins(f, path);
        if (r == 0 && unit_name_kind(name) == UNIT_NAME_INSTANCE) {
                r = unit_name_template(name, &template);
                if (r == 0)
                        r = add_drop_ins_of(f, folder, template);
        }
        if (r == 0)
                r = unit_name_shorten(name, &shorter);
        return r < 0 || !shorter ? r : add_drop_ins_of(f, folder, shorter);
}

static int add_drop_ins_of_name(UnitFiles *f, char *const *folders, const char *name) {
        int r = 0;

        for (size_t i = 0; r == 0 && folders[i]; i++)
                r = add_drop_ins_of(f, folders[i], name);
        return r;
}

static int compare_bases(const void *a, const void *b) {
        return strcmp(unit_path_base(*(char *const *) a), unit_path_base(*(char *const *) b));
}

/* What is said of the unit itself masks what is said of its aliases, and that what is said of all services. */
static int find_drop_ins(UnitFiles *f, char *const *folders) {
        UnitAliases aliases _cleanup_(unit_aliases_done) = { 0 };
        int r = unit_links_find_aliases(folders, f->name, &aliases);

        if (r == 0)
                r = add_drop_ins_of_name(f, folders, f->name);
        for (size_t i = 0; r == 0 && i < aliases.n; i++)
                r = add_drop_ins_of_name(f, folders, aliases.names[i]);
        for (size_t i = 0; r == 0 && unit_name_is_service(f->name) && folders[i]; i++) {
                _cleanup_free_ char *path = NULL;

                r = join(folders[i], "service.d", &path);
                if (r == 0)
                        r = add_drop_ins(f, path);
        }
        if (r == 0)
                qsort(f->paths + 1, f->n_paths - 1, sizeof *f->paths, compare_bases);
        return r;
}

/* -- the unit -- */

/* A path as it is, or that of the template beside it. */
static int take_path(const char *path, const char *folder, const char *name, char **ret) {
        _cleanup_free_ char *template = NULL;
        struct stat st;
        int r;

        if (lstat(path, &st) == 0) {
                *ret = strdup(path);
                return *ret ? 0 : -ENOMEM;
        }
        if (errno != ENOENT || unit_name_kind(name) != UNIT_NAME_INSTANCE)
                return -errno;
        r = unit_name_template(name, &template);
        if (r == 0)
                r = join(folder, template, ret);
        return r < 0 ? r : lstat(*ret, &st) < 0 ? -errno : 0;
}

/* Empty, or /dev/null. */
static bool is_masked(const char *path) {
        struct stat st;

        return stat(path, &st) == 0 && (S_ISCHR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size == 0));
}

static int find_files(const char *unit, const char *folder, char *const *folders, UnitFiles *f) {
        _cleanup_free_ char *path = NULL;
        int r;

        f->asked = unit_name_complete(unit_path_base(unit), folder != NULL);
        f->name = f->asked ? strdup(f->asked) : NULL;
        if (!f->name)
                return -ENOMEM;
        r = folder ? take_path(unit, folder, f->name, &path) : unit_links_find(folders, f->name, &path);
        if (r == 0)
                r = unit_links_follow(folders, &f->name, &path);
        if (r == -ENOENT && path && folder) /* a pipe, /dev/fd/63, is a link that leads nowhere, and can be read */
                r = 0;
        if (r == 0)
                r = append(f, path);
        if (r < 0)
                return r;
        return is_masked(TAKE_PTR(path)) ? -ESHUTDOWN : find_drop_ins(f, folders);
}

static int fail(int r, const char *unit, bool is_path, char **reterr_message) {
        const char *text = r == -ESHUTDOWN            ? "masked: it is empty, or a link to /dev/null"
                           : r == -ENOENT && !is_path ? "systemd finds no unit of that name; a file's path has a slash"
                                                      : strerror(-r);

        return r == -ENOMEM || asprintf(reterr_message, "%s: %s", unit, text) < 0 ? -ENOMEM : r;
}

int unit_files_find(const char *unit, char *const *folders, UnitFiles *ret, char **reterr_message) {
        _cleanup_(unit_files_done) UnitFiles f = { 0 };
        _cleanup_free_ char *folder = NULL;
        char *own[] = { NULL, NULL };
        int r = strchr(unit, '/') ? unit_path_folder(unit, &folder) : 0;

        own[0] = folder;
        if (r == 0)
                r = find_files(unit, folder, folder && !unit_links_hold_folder(folder, folders) ? own : folders, &f);
        if (r < 0)
                return fail(r, unit, folder != NULL, reterr_message);
        *ret = f;
        f = (UnitFiles){ 0 };
        return 0;
}
