/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/status_json.h"

#include <errno.h>
#include <string.h>

#include "core/json_tree.h"

const char *status_json_text(struct json_object *object, const char *key) {
        struct json_object *value;

        if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_string))
                return "";
        return json_object_get_string(value);
}

uint64_t status_json_number(struct json_object *object, const char *key) {
        struct json_object *value;

        if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_int))
                return 0;
        return json_object_get_uint64(value);
}

static struct json_object *get_array(struct json_object *object, const char *key) {
        struct json_object *value;

        if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_array))
                return NULL;
        return value;
}

size_t status_json_count(struct json_object *object, const char *key) {
        struct json_object *array = get_array(object, key);

        return array ? json_object_array_length(array) : 0;
}

struct json_object *status_json_item(struct json_object *object, const char *key, size_t i) {
        struct json_object *array = get_array(object, key);

        return array ? json_object_array_get_idx(array, i) : NULL;
}

ServiceState status_json_state(struct json_object *service) {
        ServiceState state = service_state_from_string(status_json_text(service, "state"));

        return (int) state < 0 ? SERVICE_UNKNOWN : state;
}

const char *status_json_reason_code(struct json_object *service) {
        return status_json_text(status_json_item(service, "reasons", 0), "code");
}

const char *status_json_reason_text(struct json_object *service) {
        const char *text = status_json_text(status_json_item(service, "reasons", 0), "text");

        return *text ? text : status_json_reason_code(service);
}

static int compare_names(const void *a, const void *b) {
        return strcmp(status_json_text(*(struct json_object *const *) a, "name"),
                      status_json_text(*(struct json_object *const *) b, "name"));
}

int status_json_parse_as(enum json_type type, const char *text, struct json_object **ret) {
        struct json_object *json = NULL;
        int r = json_tree_parse(text, &json);

        if (r < 0)
                return r;
        if (!json_object_is_type(json, type)) {
                json_object_put(json);
                return -EBADMSG;
        }
        *ret = json;
        return 0;
}

int status_json_parse(const char *text, struct json_object **ret) {
        int r = status_json_parse_as(json_type_array, text, ret);

        if (r == 0)
                json_object_array_sort(*ret, compare_names);
        return r;
}
