/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/definition_diff.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

typedef struct json_object *const Slot; /* a value where there is one: JSON's null is a NULL in it */

typedef struct Diff {
        FILE *out;
        bool failed; /* no memory for a line */
} Diff;

static void diff_value(Diff *d, const char *path, Slot *old, Slot *new);

static void diff_child(Diff *d, const char *path, const char *separator, const char *key, Slot *old, Slot *new) {
        _cleanup_free_ char *child = NULL;

        if (asprintf(&child, "%s%s%s%s", path, *path || *separator == '[' ? separator : "", key,
                     *separator == '[' ? "]" : "") < 0) {
                child = NULL;
                d->failed = true;
                return;
        }
        diff_value(d, child, old, new);
}

static void diff_old_members(Diff *d, const char *path, struct json_object *old, struct json_object *new) {
        json_object_object_foreach(old, key, value) {
                struct json_object *other;

                diff_child(d, path, ".", key, &value, json_object_object_get_ex(new, key, &other) ? &other : NULL);
        }
}

static void diff_new_members(Diff *d, const char *path, struct json_object *old, struct json_object *new) {
        json_object_object_foreach(new, key, value) {
                if (!json_object_object_get_ex(old, key, NULL))
                        diff_child(d, path, ".", key, NULL, &value);
        }
}

static void diff_arrays(Diff *d, const char *path, struct json_object *old, struct json_object *new) {
        size_t n_old = json_object_array_length(old), n_new = json_object_array_length(new);

        for (size_t i = 0; i < n_old || i < n_new; i++) {
                struct json_object *a = json_object_array_get_idx(old, i), *b = json_object_array_get_idx(new, i);
                char index[24];

                (void) snprintf(index, sizeof index, "%zu", i);
                diff_child(d, path, "[", index, i < n_old ? &a : NULL, i < n_new ? &b : NULL);
        }
}

static const char *text_of(Diff *d, Slot *value) {
        const char *text;

        if (!*value)
                return "null";
        text = json_object_to_json_string_ext(*value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
        d->failed = d->failed || !text;
        return text ? text : "";
}

static void diff_value(Diff *d, const char *path, Slot *old, Slot *new) {
        if (!old)
                fprintf(d->out, "  %s: %s (added)\n", path, text_of(d, new));
        else if (!new)
                fprintf(d->out, "  %s: %s (removed)\n", path, text_of(d, old));
        else if (json_object_is_type(*old, json_type_object) && json_object_is_type(*new, json_type_object)) {
                diff_old_members(d, path, *old, *new);
                diff_new_members(d, path, *old, *new);
        } else if (json_object_is_type(*old, json_type_array) && json_object_is_type(*new, json_type_array))
                diff_arrays(d, path, *old, *new);
        else if (!json_object_equal(*old, *new))
                fprintf(d->out, "  %s: %s -> %s\n", path, text_of(d, old), text_of(d, new));
}

int definition_diff(const char *old_text, const char *new_text, char **ret) {
        struct json_object *old = json_tokener_parse(old_text), *new = json_tokener_parse(new_text);
        _cleanup_free_ char *text = NULL;
        int r = old && new ? -ENOMEM : -EINVAL;
        size_t n;
        Diff d = { .out = r == -ENOMEM ? open_memstream(&text, &n) : NULL };

        if (d.out) {
                diff_value(&d, "", &old, &new);
                r = fclose(d.out) == 0 && !d.failed ? 0 : -ENOMEM;
        }
        json_object_put(old);
        json_object_put(new);
        if (r == 0)
                *ret = TAKE_PTR(text);
        return r;
}
