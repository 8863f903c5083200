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

/* Characters that change how those beside them are shown: marks, embeddings, overrides and isolates of direction, and
 * separators of lines. A right-to-left override makes "exe.txt" of "txt.exe". The number of the one at
 * `p`, and its bytes; 0: it is none. */
static unsigned find_layout_control(const unsigned char *p, size_t *ret_n_bytes) {
        *ret_n_bytes = 3;
        if (p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae)))
                return 0x2000u | (p[2] & 0x3fu);
        if (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)
                return 0x2040u | (p[2] & 0x3fu);
        *ret_n_bytes = 2;
        return p[0] == 0xd8 && p[1] == 0x9c ? 0x61cu : 0;
}

/* Writes the character at `p`, made harmless, to *w, which moves on. Returns how many bytes it took in the text. */
static size_t write_safely(char **w, const unsigned char *p, bool utf8) {
        unsigned control;
        size_t n = 1;

        if (is_control(p)) {
                *w += sprintf(*w, "\\x%02x", *p);
        } else if (utf8 && is_c1_control(p)) {
                *w += sprintf(*w, "\\x%02x", p[1]);
                return 2;
        } else if (utf8 && (control = find_layout_control(p, &n)) != 0) {
                *w += sprintf(*w, "\\u%04x", control);
                return n;
        } else if (utf8 || *p < 0x80) {
                *(*w)++ = (char) *p;
        } else if ((*p & 0xc0) != 0x80) {
                *(*w)++ = '?'; /* for the whole character; the rest of its bytes is dropped */
        }
        return 1;
}

char *safe_text_dup(const char *text, bool utf8, bool lines) {
        char *copy = malloc(strlen(text) * 4 + 1), *w = copy;

        if (!copy)
                return NULL;
        for (const unsigned char *p = (const unsigned char *) text; *p;)
                if (lines && *p == '\n')
                        *w++ = (char) *p++;
                else
                        p += write_safely(&w, p, utf8);
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
