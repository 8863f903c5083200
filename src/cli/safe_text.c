/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/safe_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

/* C1 too, U+0080 to U+009F: terminals take U+009B for "ESC [". */
static bool is_control(uint32_t c) {
        return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* Characters that change how those beside them are shown: marks, embeddings, overrides and isolates of direction, and
 * separators of lines. A right-to-left override makes "exe.txt" of "txt.exe". */
static bool is_layout_control(uint32_t c) {
        return c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* Writes the character at `p`, made harmless, to *w, which moves on. Returns how many bytes it took in the text. */
static size_t write_safely(char **w, const char *p, size_t n, bool utf8) {
        uint32_t c;
        size_t n_read = utf8_decode(p, n, &c);

        if (n_read == 0) { /* no character */
                *(*w)++ = '?';
                return 1;
        }
        if (is_control(c))
                *w += sprintf(*w, "\\x%02x", c);
        else if (!utf8 && c >= 0x80)
                *(*w)++ = '?';
        else if (is_layout_control(c))
                *w += sprintf(*w, "\\u%04x", c);
        else
                *w = mempcpy(*w, p, n_read);
        return n_read;
}

char *safe_text_dup(const char *text, bool utf8, bool lines) {
        size_t n = strlen(text);
        char *copy = malloc(n * 4 + 1), *w = copy;

        if (!copy)
                return NULL;
        while (n > 0) {
                size_t n_read = 1;

                if (lines && *text == '\n')
                        *w++ = '\n';
                else
                        n_read = write_safely(&w, text, n, utf8);
                text += n_read;
                n -= n_read;
        }
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
