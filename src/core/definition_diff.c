/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/definition_diff.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static void diff_value(FILE *f, const char *path, struct json_object *old, struct json_object *new);

static void diff_child(FILE *f, const char *path, const char *separator, const char *key, struct json_object *old,
                       struct json_object *new) {
        _cleanup_free_ char *child = NULL;

        if (asprintf(&child, "%s%s%s%s", path, *path || *separator == '[' ? separator : "", key,
                     *separator == '[' ? "]" : "") < 0) {
                child = NULL;
                return;
        }
        diff_value(f, child, old, new);
}

static void diff_objects(FILE *f, const char *path, struct json_object *old, struct json_object *new) {
        struct json_object *other;

        { json_object_object_foreach(old, key, value){ if (json_object_object_get_ex(new, key, &other))
                                                               diff_child(f, path, ".", key, value, other);
        else diff_child(f, path, ".", key, value, NULL);
}
}
{
        json_object_object_foreach(new, key, value) {
                if (!json_object_object_get_ex(old, key, NULL))
                        diff_child(f, path, ".", key, NULL, value);
        }
}
}

static void diff_arrays(FILE *f, const char *path, struct json_object *old, struct json_object *new) {
        size_t n_old = json_object_array_length(old), n_new = json_object_array_length(new);

        for (size_t i = 0; i < n_old || i < n_new; i++) {
                char index[24];

                (void) snprintf(index, sizeof index, "%zu", i);
                diff_child(f, path, "[", index, i < n_old ? json_object_array_get_idx(old, i) : NULL,
                           i < n_new ? json_object_array_get_idx(new, i) : NULL);
        }
}

static const char *text_of(struct json_object *value) {
        return json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

static void diff_value(FILE *f, const char *path, struct json_object *old, struct json_object *new) {
        if (!old)
                fprintf(f, "  %s: %s (added)\n", path, text_of(new));
        else if (!new)
                fprintf(f, "  %s: %s (removed)\n", path, text_of(old));
        else if (json_object_is_type(old, json_type_object) && json_object_is_type(new, json_type_object))
                diff_objects(f, path, old, new);
        else if (json_object_is_type(old, json_type_array) && json_object_is_type(new, json_type_array))
                diff_arrays(f, path, old, new);
        else if (!json_object_equal(old, new))
                fprintf(f, "  %s: %s -> %s\n", path, text_of(old), text_of(new));
}

int definition_diff(const char *old_text, const char *new_text, char **ret) {
        struct json_object *old = json_tokener_parse(old_text), *new = json_tokener_parse(new_text);
        char *text = NULL;
        size_t n;
        FILE *f = old && new ? open_memstream(&text, &n) : NULL;
        int r = old && new ? -ENOMEM : -EINVAL;

        if (f) {
                diff_value(f, "", old, new);
                r = fclose(f) == 0 ? 0 : -ENOMEM;
        }
        json_object_put(old);
        json_object_put(new);
        if (r < 0) {
                free(text);
                return r;
        }
        *ret = text;
        return 0;
}
