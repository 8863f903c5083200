/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/safe_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_control(const unsigned char *p) {
        return p[0] < 0x20 || p[0] == 0x7f;
}

/* U+0080 to U+009F: terminals take U+009B for "ESC [". */
static bool is_c1_control(const unsigned char *p) {
        return p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;
}

char *safe_text_dup(const char *text, bool utf8, bool lines) {
        char *copy = malloc(strlen(text) * 4 + 1), *w = copy;

        if (!copy)
                return NULL;
        for (const unsigned char *p = (const unsigned char *) text; *p; p++)
                if (lines && *p == '\n')
                        *w++ = '\n';
                else if (is_control(p))
                        w += sprintf(w, "\\x%02x", *p);
                else if (utf8 && is_c1_control(p))
                        w += sprintf(w, "\\x%02x", *++p);
                else if (!utf8 && (*p & 0xc0) == 0x80)
                        continue; /* the rest of a character whose first byte became the '?' */
                else
                        *w++ = utf8 || *p < 0x80 ? (char) *p : '?';
        *w = '\0';
        return copy;
}

static int make_string_safe(struct json_object *json, bool utf8) {
        char *safe = safe_text_dup(json_object_get_string(json), utf8, false);
        int r;

        if (!safe)
                return -ENOMEM;
        r = json_object_set_string(json, safe) ? 0 : -ENOMEM;
        free(safe);
        return r;
}

static int make_members_safe(struct json_object *json, bool utf8) {
        int r = 0;

        json_object_object_foreach(json, key, value) {
                (void) key;
                if (r == 0)
                        r = safe_text_json(value, utf8);
        }
        return r;
}

int safe_text_json(struct json_object *json, bool utf8) {
        int r = 0;

        if (json_object_is_type(json, json_type_string))
                return make_string_safe(json, utf8);
        if (json_object_is_type(json, json_type_object))
                return make_members_safe(json, utf8);
        if (json_object_is_type(json, json_type_array))
                for (size_t i = 0; r == 0 && i < json_object_array_length(json); i++)
                        r = safe_text_json(json_object_array_get_idx(json, i), utf8);
        return r;
}
