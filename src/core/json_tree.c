/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/json_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_strict.h"

/* Said of a value by its userdata, which asks for no memory. */
static char is_incomplete, is_raw;

static bool is_whole(struct json_object *o) {
        return o && json_object_get_userdata(o) != &is_incomplete;
}

static void mark_incomplete(struct json_object *o) {
        if (o)
                json_object_set_userdata(o, &is_incomplete, NULL);
}

/* Takes `value` where it could be added, or not. */
static void settle(struct json_object *parent, struct json_object *value, bool value_is_whole, int added) {
        if (added < 0)
                json_object_put(value);
        if (added < 0 || !value_is_whole)
                mark_incomplete(parent);
}

static void add(struct json_object *o, const char *key, struct json_object *value, bool value_is_whole) {
        /* A key that json-c copies is lost to it where it then has no memory for a larger table. */
        settle(o, value, value_is_whole,
               o ? json_object_object_add_ex(o, key, value, JSON_C_OBJECT_ADD_CONSTANT_KEY) : -1);
}

/* A scalar's userdata is json-c's own. */
static bool value_is_whole(struct json_object *value) {
        return json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array)
                       ? is_whole(value)
                       : value != NULL;
}

void json_tree_add(struct json_object *object, const char *key, struct json_object *value) {
        add(object, key, value, value_is_whole(value));
}

/* json-c loses a key that it copied where it then has no memory for a larger table: with one that it need not copy the
 * table is made large enough first. */
static bool has_room(struct json_object *object, const char *key) {
        if (!object || json_object_object_get_ex(object, key, NULL))
                return object != NULL;
        if (json_object_object_add_ex(object, key, NULL, JSON_C_OBJECT_ADD_CONSTANT_KEY) < 0)
                return false;
        json_object_object_del(object, key);
        return true;
}

static void add_copied(struct json_object *o, const char *key, struct json_object *value, bool value_is_whole) {
        settle(o, value, value_is_whole, has_room(o, key) ? json_object_object_add(o, key, value) : -1);
}

void json_tree_add_copied(struct json_object *object, const char *key, struct json_object *value) {
        add_copied(object, key, value, value_is_whole(value));
}

static void append(struct json_object *array, struct json_object *value, bool value_is_whole) {
        settle(array, value, value_is_whole,
               array && (value || value_is_whole) ? json_object_array_add(array, value) : -1);
}

void json_tree_append(struct json_object *array, struct json_object *value) {
        append(array, value, value_is_whole(value));
}

void json_tree_add_null(struct json_object *object, const char *key) {
        add(object, key, NULL, true);
}

void json_tree_add_string(struct json_object *object, const char *key, const char *value) {
        if (value)
                json_tree_add(object, key, json_object_new_string(value));
        else
                json_tree_add_null(object, key);
}

void json_tree_add_unsigned(struct json_object *object, const char *key, uint64_t value) {
        json_tree_add(object, key, json_object_new_uint64(value));
}

void json_tree_add_boolean(struct json_object *object, const char *key, bool value) {
        json_tree_add(object, key, json_object_new_boolean(value));
}

void json_tree_add_raw(struct json_object *object, const char *key, const char *json) {
        struct json_object *value = json_object_new_string(json);

        if (value)
                json_object_set_userdata(value, &is_raw, NULL);
        json_tree_add(object, key, value);
}

void json_tree_append_string(struct json_object *array, const char *value) {
        json_tree_append(array, value ? json_object_new_string(value) : NULL);
}

struct json_object *json_tree_finish(struct json_object *tree) {
        if (is_whole(tree))
                return tree;
        json_object_put(tree);
        return NULL;
}

/* -- from text -- */

static struct json_object *tree_of(const JsonValue *v);

/* An object or array of what is below `v`. */
static struct json_object *container_of(const JsonValue *v) {
        bool is_object = v->kind == JSON_KIND_OBJECT;
        struct json_object *o = is_object ? json_object_new_object() : json_object_new_array();

        for (const JsonValue *child = v->first; child; child = child->next) {
                struct json_object *value = tree_of(child);
                bool whole = child->kind == JSON_KIND_NULL || value_is_whole(value);

                if (is_object)
                        add_copied(o, child->key, value, whole);
                else
                        append(o, value, whole);
        }
        return o;
}

/* Whose source is kept. */
static struct json_object *real_of(const JsonValue *v) {
        _cleanup_free_ char *source = strndup(v->source, v->source_length);

        return source ? json_object_new_double_s(strtod(source, NULL), source) : NULL;
}

/* NULL: a null, or memory ran out. */
static struct json_object *tree_of(const JsonValue *v) {
        switch (v->kind) {
        case JSON_KIND_BOOLEAN:
                return json_object_new_boolean(v->boolean);
        case JSON_KIND_INTEGER:
                return json_object_new_int64(v->integer);
        case JSON_KIND_REAL:
                return real_of(v);
        case JSON_KIND_STRING:
                return json_object_new_string(v->string);
        case JSON_KIND_ARRAY:
        case JSON_KIND_OBJECT:
                return container_of(v);
        case JSON_KIND_NULL:
                break;
        }
        return NULL;
}

int json_tree_parse(const char *text, struct json_object **ret) {
        _cleanup_(json_document_freep) JsonDocument *d = NULL;
        _cleanup_free_ char *message = NULL;
        struct json_object *tree;
        int r = json_strict_parse(text, strlen(text), &d, &message);

        if (r < 0)
                return r;
        tree = json_tree_finish(tree_of(&d->values[0]));
        if (!tree && d->values[0].kind != JSON_KIND_NULL)
                return -ENOMEM;
        *ret = tree;
        return 0;
}

/* -- as text -- */

static void write_value(JsonText *t, const struct json_object *value);

static void write_object(JsonText *t, const struct json_object *o) {
        json_text_open(t, '{');
        json_object_object_foreach((struct json_object *) o, key, value) {
                json_text_key(t, key);
                write_value(t, value);
        }
        json_text_close(t, '}');
}

static void write_array(JsonText *t, const struct json_object *array) {
        json_text_open(t, '[');
        for (size_t i = 0; i < json_object_array_length(array); i++)
                write_value(t, json_object_array_get_idx(array, i));
        json_text_close(t, ']');
}

static void write_string(JsonText *t, struct json_object *value) {
        const char *text = json_object_get_string(value);
        size_t n = (size_t) json_object_get_string_len(value);

        if (json_object_get_userdata(value) == &is_raw)
                json_text_raw(t, text, n);
        else
                json_text_bytes(t, text, n);
}

/* As it stood in the text that it was read from. */
static void write_real(JsonText *t, const struct json_object *value) {
        const char *text = json_object_get_string((struct json_object *) value);

        if (text && *text)
                json_text_raw(t, text, strlen(text));
        else
                t->failed = true;
}

static void write_value(JsonText *t, const struct json_object *value) {
        /* What it lacks may have been added to it when it was a part of the tree already. */
        t->failed = t->failed || (value && !value_is_whole((struct json_object *) value));
        switch (json_object_get_type(value)) {
        case json_type_object:
                write_object(t, value);
                break;
        case json_type_array:
                write_array(t, value);
                break;
        case json_type_string:
                write_string(t, (struct json_object *) value);
                break;
        case json_type_int:
                /* What does not fit in the one type is given as the end of its range by the other. */
                if (json_object_get_int64(value) < 0)
                        json_text_integer(t, json_object_get_int64(value));
                else
                        json_text_unsigned(t, json_object_get_uint64(value));
                break;
        case json_type_boolean:
                json_text_boolean(t, json_object_get_boolean(value));
                break;
        case json_type_double:
                write_real(t, value);
                break;
        case json_type_null:
                json_text_raw(t, "null", 4);
                break;
        }
}

void json_tree_write(JsonText *t, const struct json_object *tree) {
        if (tree)
                write_value(t, tree);
        else
                t->failed = true;
}

char *json_tree_text(const struct json_object *tree) {
        _cleanup_(json_text_done) JsonText t = { 0 };
        size_t n;

        json_tree_write(&t, tree);
        return json_text_take(&t, &n);
}
