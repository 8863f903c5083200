/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/outcome.h"
#include "cli/definition_files.h"

typedef struct Folder {
        char path[64];
        DefinitionFiles files;
        char *message;
} Folder;

static const char *const file_names[] = { "b.json", "a.json", "c.txt", ".d.json", "nul.bin" };

static void folder_file(const Folder *f, const char *name, char ret[128]) {
        (void) snprintf(ret, 128, "%s/%s", f->path, name);
}

static void folder_done(Folder *f) {
        char path[128];

        for (size_t i = 0; i < ELEMENTSOF(file_names); i++) {
                folder_file(f, file_names[i], path);
                (void) unlink(path);
        }
        (void) rmdir(f->path);
        definition_files_done(&f->files);
        free(f->message);
}

static void folder_init(Folder *f) {
        *f = (Folder){ .path = "/tmp/definition_files.XXXXXX" };
        if (!mkdtemp(f->path))
                abort();
}

static void folder_write(const Folder *f, const char *name, const char *text, size_t size) {
        char path[128];
        FILE *file;

        folder_file(f, name, path);
        file = fopen(path, "we");
        (void) fwrite(text, 1, size, file);
        fclose(file);
}

#define WRITE(f, name, text) folder_write(f, name, text, strlen(text))

TEST(a_directory_is_its_json_files_by_name_as_they_are) {
        Folder f _cleanup_(folder_done);

        folder_init(&f);
        for (size_t i = 0; i < ELEMENTSOF(file_names); i++)
                WRITE(&f, file_names[i], file_names[i]);
        ASSERT_EQ(definition_files_add(&f.files, f.path, &f.message), 0);
        ASSERT_EQ(f.files.n, 2);
        ASSERT_STREQ(f.files.texts[0], "a.json");
        ASSERT_STREQ(f.files.texts[1], "b.json");
        ASSERT(strstr(f.files.paths[1], "/b.json"));
}

TEST(a_directory_without_definitions_is_refused) {
        Folder f _cleanup_(folder_done);

        folder_init(&f);
        ASSERT_EQ(definition_files_add(&f.files, f.path, &f.message), -ENOENT);
        ASSERT(strstr(f.message, "no *.json file"));
}

TEST(a_file_that_is_not_there_is_named) {
        Folder f _cleanup_(folder_done);

        folder_init(&f);
        ASSERT_EQ(definition_files_add(&f.files, "/nonexistent/x.json", &f.message), -ENOENT);
        ASSERT_STREQ(f.message, "/nonexistent/x.json: No such file or directory");
}

TEST(a_file_with_a_nul_byte_is_refused_rather_than_cut) {
        Folder f _cleanup_(folder_done);
        char path[128];

        folder_init(&f);
        folder_write(&f, "nul.bin", "{}\0{}", 5);
        folder_file(&f, "nul.bin", path);
        ASSERT_EQ(definition_files_add(&f.files, path, &f.message), HERO_E_INVALID_DEFINITION);
        ASSERT_EQ(f.files.n, 0);
}

TEST(a_file_without_end_is_refused_at_the_limit) {
        Folder f _cleanup_(folder_done);

        folder_init(&f);
        ASSERT_EQ(definition_files_add(&f.files, "/dev/zero", &f.message), -EFBIG);
}

TEST(the_file_to_blame_defines_the_service_or_is_no_json) {
        char *paths[] = { (char *) "a.json", (char *) "b.json", (char *) "c.json" };
        char *texts[] = { (char *) "{\"name\":\"hero_a\",\"requires\":[\"hero_b\"]}",
                          (char *) "[{\"name\":\"other\"},{\"name\":\"hero_b\"}]", (char *) "{" };
        DefinitionFiles files = { paths, texts, 3 };

        ASSERT_STREQ(definition_files_blame(&files, "hero_b: exec: missing"), "b.json");
        ASSERT_STREQ(definition_files_blame(&files, "hero_a: exec: missing"), "a.json");
        ASSERT_STREQ(definition_files_blame(&files, "line 1: unexpected end"), "c.json");
        files.n = 2;
        ASSERT(!definition_files_blame(&files, "hero: exec: missing"));
}
