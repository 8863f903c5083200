/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/outcome.h"
#include "base/text_stream.h"
#include "cli/exit_code.h"
#include "cli/import.h"
#include "cli/import_systemd_files.h"
#include "cli/safe_text.h"
#include "cli/verbs.h"
#include "core/service_definition.h"

enum {
        FILE_BYTES_MAX = 1024 * 1024,
};

/* The last part of a path, without its ending. To be freed. */
static char *name_of(const char *path) {
        const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *dot = strrchr(base, '.');

        return strndup(base, dot && dot > base ? (size_t) (dot - base) : strlen(base));
}

static int read_text(const char *path, char **ret) {
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        _cleanup_free_ char *text = malloc(FILE_BYTES_MAX + 1);
        size_t n;

        if (!f || !text)
                return f ? -ENOMEM : -errno;
        n = fread(text, 1, FILE_BYTES_MAX + 1, f);
        if (ferror(f))
                return errno > 0 ? -errno : -EIO; /* a folder can be opened, too */
        if (n > FILE_BYTES_MAX)
                return -EFBIG;
        text[n] = '\0';
        *ret = TAKE_PTR(text);
        return 0;
}

/* A service of that name can be applied. */
static char *definition_name(Import *i, const char *unit) {
        char *name = name_of(unit);
        size_t n = name ? strlen(name) : 0;

        if (!name || service_name_is_valid(name))
                return name;
        for (char *c = name; *c; c++)
                if (strchr("@\\:", *c))
                        *c = '-';
        while (n > 1 && name[n - 1] == '-')
                name[--n] = '\0';
        import_note(i, "%s: its name becomes %s, as services here can have it", unit, name);
        return name;
}

/* A drop-in may be a link to nowhere, for systemd as well. */
static int import_unit_files(Import *i, const UnitFiles *files) {
        for (size_t k = 0; k < files->n_paths; k++) {
                _cleanup_free_ char *text = NULL, *name = NULL;
                int r = read_text(files->paths[k], &text);

                if (r == -ENOENT && k > 0)
                        continue;
                i->about = files->paths[k];
                if (r == 0 && k == 0 && !(name = definition_name(i, files->asked)))
                        r = -ENOMEM;
                if (r < 0)
                        return r;
                if (k == 0)
                        import_systemd(i, name, text);
                else
                        import_systemd_drop_in(i, text);
        }
        return 0;
}

static int import_unit(Import *i, bool is_user, const char *unit, char **reterr_message) {
        _cleanup_(unit_files_done) UnitFiles files = { 0 };
        char **folders = NULL;
        int r = unit_files_search_path(is_user, &folders);

        if (r == 0)
                r = unit_files_find(unit, folders, &files, reterr_message);
        unit_files_free_search_path(folders);
        return r < 0 ? r : import_unit_files(i, &files);
}

static int import_file(Import *i, const char *from, const char *path) {
        _cleanup_free_ char *text = NULL, *name = name_of(path);
        int r = name ? read_text(path, &text) : -ENOMEM;

        if (r < 0)
                return r;
        i->about = path;
        if (strcmp(from, "supervisord") == 0)
                import_supervisord(i, text);
        else
                import_zinit(i, name, text);
        return 0;
}

static int is_yaml(const struct dirent *entry) {
        const char *dot = strrchr(entry->d_name, '.');

        return dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int import_folder(Import *i, const char *from, const char *path) {
        struct dirent **entries;
        int n = scandir(path, &entries, is_yaml, alphasort), r = n < 0 ? -errno : 0;

        for (int k = 0; k < n; k++) {
                _cleanup_free_ char *file = NULL;

                if (r == 0 && asprintf(&file, "%s/%s", path, entries[k]->d_name) < 0)
                        r = -ENOMEM;
                if (r == 0)
                        r = import_file(i, from, file);
                free(entries[k]);
        }
        if (n >= 0)
                free(entries);
        return r;
}

static void say_notes(Session *s, char *notes) {
        for (char *line = strtok(notes, "\n"); line; line = strtok(NULL, "\n"))
                session_say(s, "%s", line);
}

static int import_any(Session *s, Import *i, char **reterr_message) {
        const char *from = s->line->args[0], *path = s->line->args[1];
        struct stat st;

        if (strcmp(from, "systemd") == 0)
                return import_unit(i, s->line->target.is_user, path, reterr_message);
        if (stat(path, &st) < 0)
                return -errno;
        return S_ISDIR(st.st_mode) && strcmp(from, "zinit") == 0 ? import_folder(i, from, path)
                                                                 : import_file(i, from, path);
}

int verb_import_run(Session *s) {
        const char *from = s->line->args[0];
        _cleanup_free_ char *notes = NULL;
        Import i = { .definitions = json_object_new_array() };
        char *message = NULL;
        size_t size;
        int r, code;

        if (strcmp(from, "zinit") != 0 && strcmp(from, "supervisord") != 0 && strcmp(from, "systemd") != 0) {
                json_object_put(i.definitions);
                session_say(s, "import %s: expected one of zinit, supervisord, systemd", from);
                return EX_BAD_USAGE;
        }
        i.notes = text_stream_open(&notes, &size);
        if (!i.notes) {
                json_object_put(i.definitions);
                return session_fail(s, -ENOMEM, NULL, NULL);
        }
        r = import_any(s, &i, &message);
        if (fclose(i.notes) == 0)
                say_notes(s, notes);
        else
                i.failed = true;
        if (r == 0 && i.failed)
                r = -ENOMEM;
        code = r < 0 ? session_fail(s, r, s->line->args[1], message)
                     : session_print_json(s, i.definitions, JSON_PRETTY);
        json_object_put(i.definitions);
        return code;
}
