/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/json_to_bus.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Length of the first complete type of `s`; 0 where there is none. */
static size_t complete_type_length(const char *s) {
        size_t depth = 0, n = 0;

        while (s[n] == 'a')
                n++;
        do {
                if (s[n] == '\0')
                        return 0;
                if (s[n] == '(')
                        depth++;
                else if (s[n] == ')')
                        depth--;
                n++;
        } while (depth > 0);
        return n;
}

static int append_basic(sd_bus_message *m, char type, struct json_object *value) {
        switch (type) {
        case 's':
        case 'o':
                if (!json_object_is_type(value, json_type_string))
                        return -EINVAL;
                return sd_bus_message_append_basic(m, type, json_object_get_string(value));
        case 'b': {
                int b = json_object_get_boolean(value);
                return sd_bus_message_append_basic(m, 'b', &b);
        }
        case 'i': {
                int32_t i = json_object_get_int(value);
                return sd_bus_message_append_basic(m, 'i', &i);
        }
        case 'u': {
                uint32_t u = (uint32_t) json_object_get_int64(value);
                return sd_bus_message_append_basic(m, 'u', &u);
        }
        case 'x': {
                int64_t x = json_object_get_int64(value);
                return sd_bus_message_append_basic(m, 'x', &x);
        }
        case 't': {
                uint64_t t = json_object_get_uint64(value);
                return sd_bus_message_append_basic(m, 't', &t);
        }
        default:
                return -EINVAL;
        }
}

static int append_array(sd_bus_message *m, const char *element, struct json_object *value) {
        int r;

        if (!json_object_is_type(value, json_type_array))
                return -EINVAL;
        r = sd_bus_message_open_container(m, 'a', element);
        for (size_t i = 0; r >= 0 && i < json_object_array_length(value); i++)
                r = json_to_bus_append(m, element, json_object_array_get_idx(value, i));
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* `members` is the signature between the brackets. */
static int append_struct(sd_bus_message *m, const char *members, struct json_object *value) {
        int r;

        if (!json_object_is_type(value, json_type_array))
                return -EINVAL;
        r = sd_bus_message_open_container(m, 'r', members);
        for (size_t i = 0; r >= 0 && *members; i++) {
                size_t n = complete_type_length(members);
                char type[32];

                if (n == 0 || n >= sizeof type)
                        return -EINVAL;
                memcpy(type, members, n);
                type[n] = '\0';
                r = json_to_bus_append(m, type, json_object_array_get_idx(value, i));
                members += n;
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int json_to_bus_append(sd_bus_message *m, const char *signature, struct json_object *value) {
        size_t n = strlen(signature);
        char members[64];

        if (n == 0 || n >= sizeof members || complete_type_length(signature) != n)
                return -EINVAL;
        if (signature[0] == 'a')
                return append_array(m, signature + 1, value);
        if (signature[0] != '(')
                return append_basic(m, signature[0], value);
        memcpy(members, signature + 1, n - 2);
        members[n - 2] = '\0';
        return append_struct(m, members, value);
}
