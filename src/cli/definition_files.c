/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/definition_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/outcome.h"
#include "core/json_strict.h"

enum {
        CHUNK_BYTES = 64 * 1024,
};

void definition_files_done(DefinitionFiles *files) {
        for (size_t i = 0; i < files->n; i++) {
                free(files->paths[i]);
                free(files->texts[i]);
        }
        free(files->paths);
        free(files->texts);
        *files = (DefinitionFiles){ 0 };
}

static int fail_at(int r, const char *path, const char *why, char **reterr_message) {
        if (r == -ENOMEM || asprintf(reterr_message, "%s: %s", path, why) < 0)
                return -ENOMEM;
        return r;
}

/* All of `fd`, NUL-terminated. */
static int read_all(int fd, char **ret, size_t *ret_size) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;

        for (;;) {
                char *grown = realloc(text, size + CHUNK_BYTES + 1);
                ssize_t n;

                if (!grown)
                        return -ENOMEM;
                text = grown;
                n = read(fd, text + size, CHUNK_BYTES);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t) n;
                if (size > DEFINITION_FILE_BYTES_MAX)
                        return -EFBIG;
        }
        text[size] = '\0';
        *ret = TAKE_PTR(text);
        *ret_size = size;
        return 0;
}

static int append(DefinitionFiles *files, const char *path, char *text) {
        char **paths, **texts;

        paths = realloc(files->paths, (files->n + 1) * sizeof *paths);
        if (!paths)
                return -ENOMEM;
        files->paths = paths;
        texts = realloc(files->texts, (files->n + 1) * sizeof *texts);
        if (!texts)
                return -ENOMEM;
        files->texts = texts;
        paths[files->n] = strdup(path);
        if (!paths[files->n])
                return -ENOMEM;
        texts[files->n++] = text;
        return 0;
}

static int add_stream(DefinitionFiles *files, int fd, const char *path, char **reterr_message) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r;

        r = read_all(fd, &text, &size);
        if (r < 0)
                return fail_at(r, path, strerror(-r), reterr_message);
        if (strlen(text) != size)
                return fail_at(HERO_E_INVALID_DEFINITION, path, "holds a NUL byte, so it is no JSON", reterr_message);
        r = append(files, path, text);
        if (r == 0)
                TAKE_PTR(text);
        return r;
}

static int is_json_file(const struct dirent *entry) {
        size_t n = strlen(entry->d_name);

        return entry->d_name[0] != '.' && n > strlen(".json") &&
               strcmp(entry->d_name + n - strlen(".json"), ".json") == 0;
}

/* alphasort() would go by the locale. */
static int compare_entries(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_directory(DefinitionFiles *files, const char *path, char **reterr_message) {
        struct dirent **entries;
        int n, r = 0;

        n = scandir(path, &entries, is_json_file, compare_entries);
        if (n < 0)
                return fail_at(-errno, path, strerror(errno), reterr_message);
        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *file = NULL;

                if (r == 0 && asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0)
                        r = -ENOMEM;
                if (r == 0)
                        r = definition_files_add(files, file, reterr_message);
                free(entries[i]);
        }
        free(entries);
        /* With --prune an empty directory would mean: remove everything. */
        return n == 0 ? fail_at(-ENOENT, path, "no *.json file in this directory", reterr_message) : r;
}

int definition_files_add(DefinitionFiles *files, const char *path, char **reterr_message) {
        _cleanup_close_ int fd = -1;
        struct stat st;

        if (strcmp(path, "-") == 0)
                return add_stream(files, STDIN_FILENO, "standard input", reterr_message);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return fail_at(-errno, path, strerror(errno), reterr_message);
        if (S_ISDIR(st.st_mode))
                return add_directory(files, path, reterr_message);
        return add_stream(files, fd, path, reterr_message);
}

static bool is_named_by(const JsonValue *definition, const char *message) {
        const JsonValue *name = definition->kind == JSON_KIND_OBJECT ? json_member(definition, "name") : NULL;
        size_t n = name && name->kind == JSON_KIND_STRING ? strlen(name->string) : 0;

        return n > 0 && strncmp(message, name->string, n) == 0 && message[n] == ':';
}

static bool defines(const JsonValue *json, const char *message) {
        if (json->kind != JSON_KIND_ARRAY)
                return is_named_by(json, message);
        for (const JsonValue *v = json->first; v; v = v->next)
                if (is_named_by(v, message))
                        return true;
        return false;
}

const char *definition_files_blame(const DefinitionFiles *files, const char *message) {
        const char *unreadable = NULL;

        for (size_t i = 0; files->n > 1 && i < files->n; i++) {
                size_t n_text = strlen(files->texts[i]);
                _cleanup_(json_document_freep) JsonDocument *d = NULL;
                _cleanup_free_ char *ignored = NULL;
                int r = json_strict_parse(files->texts[i], n_text, &d, &ignored);

                if (r == -EBADMSG && !unreadable)
                        unreadable = files->paths[i];
                if (r == 0 && defines(&d->values[0], message))
                        return files->paths[i];
        }
        return unreadable;
}
