/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Trees of JSON that are whole or not there at all. json-c ends the process where an object that could not be made is
 * added to, takes a string that could not be made for a null, and leaves out of a text what it has no memory for: each
 * of them would be an answer that looks like one. Here a part for which memory ran out is remembered in what it belongs
 * to, up to the root, and json_tree_finish() tells. Objects and arrays may be NULL all the way. */

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/json_text.h"

/* Takes `value` in every case; NULL: memory ran out when it was made. Keys must outlive the tree. */
void json_tree_add(struct json_object *object, const char *key, struct json_object *value);
/* The same with a copy of the key. */
void json_tree_add_copied(struct json_object *object, const char *key, struct json_object *value);
void json_tree_append(struct json_object *array, struct json_object *value);

/* A null. */
void json_tree_add_null(struct json_object *object, const char *key);
/* NULL: a null. */
void json_tree_add_string(struct json_object *object, const char *key, const char *value);
void json_tree_add_unsigned(struct json_object *object, const char *key, uint64_t value);
void json_tree_add_boolean(struct json_object *object, const char *key, bool value);
/* What is JSON already: a string to json-c, and written as it is by json_tree_write(). */
void json_tree_add_raw(struct json_object *object, const char *key, const char *json);
void json_tree_append_string(struct json_object *array, const char *value);

/* What the text says, which has to be as json_strict.h wants it: 0, -EBADMSG or -ENOMEM. */
int json_tree_parse(const char *text, struct json_object **ret);

/* The tree, or NULL (and it is put) where any part of it is missing. Of what was added to it before it was whole itself
 * only the two below find out. */
struct json_object *json_tree_finish(struct json_object *tree);

/* Appends it as a value; what is not whole makes all of `t` fail. */
void json_tree_write(JsonText *t, const struct json_object *tree);

/* As JSON without blanks, to be freed. NULL: memory ran out, now or before. */
char *json_tree_text(const struct json_object *tree);
