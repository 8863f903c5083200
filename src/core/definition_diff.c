/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/definition_diff.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text_stream.h"
#include "core/json_strict.h"
#include "core/json_text.h"

typedef struct Diff {
        FILE *out;
        bool failed; /* no memory for a line */
} Diff;

static void diff_value(Diff *d, const char *path, const JsonValue *old, const JsonValue *new);

static void diff_child(Diff *d, const char *path, const char *separator, const char *key, const JsonValue *old,
                       const JsonValue *new) {
        _cleanup_free_ char *child = NULL;

        if (asprintf(&child, "%s%s%s%s", path, *path || *separator == '[' ? separator : "", key,
                     *separator == '[' ? "]" : "") < 0) {
                child = NULL;
                d->failed = true;
                return;
        }
        diff_value(d, child, old, new);
}

static void diff_objects(Diff *d, const char *path, const JsonValue *old, const JsonValue *new) {
        for (const JsonValue *v = old->first; v; v = v->next)
                diff_child(d, path, ".", v->key, v, json_member(new, v->key));
        for (const JsonValue *v = new->first; v; v = v->next)
                if (!json_member(old, v->key))
                        diff_child(d, path, ".", v->key, NULL, v);
}

static void diff_arrays(Diff *d, const char *path, const JsonValue *old, const JsonValue *new) {
        const JsonValue *a = old->first, *b = new->first;

        for (size_t i = 0; a || b; i++) {
                char index[24];

                (void) snprintf(index, sizeof index, "%zu", i);
                diff_child(d, path, "[", index, a, b);
                a = a ? a->next : NULL;
                b = b ? b->next : NULL;
        }
}

/* Without blanks, so that two of the same read the same. */
static void write_value(JsonText *t, const JsonValue *v) {
        switch (v->kind) {
        case JSON_KIND_OBJECT:
        case JSON_KIND_ARRAY:
                json_text_open(t, v->kind == JSON_KIND_OBJECT ? '{' : '[');
                for (const JsonValue *child = v->first; child; child = child->next) {
                        if (child->key)
                                json_text_key(t, child->key);
                        write_value(t, child);
                }
                json_text_close(t, v->kind == JSON_KIND_OBJECT ? '}' : ']');
                break;
        case JSON_KIND_STRING:
                json_text_string(t, v->string);
                break;
        case JSON_KIND_NULL:
        case JSON_KIND_BOOLEAN:
        case JSON_KIND_INTEGER:
        case JSON_KIND_REAL:
                json_text_raw(t, v->source, v->source_length);
                break;
        }
}

static char *text_of(Diff *d, const JsonValue *v) {
        JsonText t = { 0 };
        size_t n;
        char *text;

        write_value(&t, v);
        text = json_text_take(&t, &n);
        d->failed = d->failed || !text;
        return text;
}

static void say_changed(Diff *d, const char *path, const JsonValue *old, const JsonValue *new) {
        _cleanup_free_ char *before = old ? text_of(d, old) : NULL, *after = new ? text_of(d, new) : NULL;

        if (d->failed)
                return;
        if (!before)
                fprintf(d->out, "  %s: %s (added)\n", path, after);
        else if (!after)
                fprintf(d->out, "  %s: %s (removed)\n", path, before);
        else if (strcmp(before, after) != 0)
                fprintf(d->out, "  %s: %s -> %s\n", path, before, after);
}

static void diff_value(Diff *d, const char *path, const JsonValue *old, const JsonValue *new) {
        JsonKind kind = old && new && old->kind == new->kind ? old->kind : JSON_KIND_NULL;

        if (kind == JSON_KIND_OBJECT)
                diff_objects(d, path, old, new);
        else if (kind == JSON_KIND_ARRAY)
                diff_arrays(d, path, old, new);
        else
                say_changed(d, path, old, new);
}

static int parse(const char *text, JsonDocument **ret) {
        _cleanup_free_ char *message = NULL;
        int r = json_strict_parse(text, strlen(text), ret, &message);

        return r == -EBADMSG ? -EINVAL : r;
}

int definition_diff(const char *old_text, const char *new_text, char **ret) {
        _cleanup_(json_document_freep) JsonDocument *old = NULL, *new = NULL;
        Diff d = { 0 };
        size_t n;
        int r = parse(old_text, &old);

        if (r == 0)
                r = parse(new_text, &new);
        if (r < 0)
                return r;
        d.out = text_stream_open(ret, &n);
        if (!d.out)
                return -ENOMEM;
        diff_value(&d, "", &old->values[0], &new->values[0]);
        if (fclose(d.out) == 0 && !d.failed)
                return 0;
        free(TAKE_PTR(*ret));
        return -ENOMEM;
}
