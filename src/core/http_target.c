/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/http_target.h"

#include <string.h>

static int digit(char c) {
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
}

static bool unescape(char *s, bool plus_is_blank) {
        char *out = s;

        for (; *s; s++, out++) {
                int high, low;

                *out = *s == '+' && plus_is_blank ? ' ' : *s;
                if (*s != '%')
                        continue;
                high = digit(s[1]);
                low = high < 0 ? -1 : digit(s[2]);
                if (low < 0 || high * 16 + low < 0x20 || high * 16 + low == 0x7f)
                        return false;
                *out = (char) (high * 16 + low);
                s += 2;
        }
        *out = '\0';
        return true;
}

static bool parse_parameter(char *text, HttpTarget *t) {
        char *value = strchr(text, '=');

        if (*text == '\0')
                return true;
        if (t->n_parameters == HTTP_PARAMETERS_MAX)
                return false;
        if (value)
                *value++ = '\0';
        t->parameters[t->n_parameters].key = text;
        t->parameters[t->n_parameters++].value = value ? value : "";
        return unescape(text, true) && (!value || unescape(value, true));
}

bool http_target_parse(char *text, HttpTarget *ret) {
        char *query = strchr(text, '?');

        *ret = (HttpTarget){ .path = text };
        if (*text != '/')
                return false;
        if (query)
                *query++ = '\0';
        while (query) {
                char *next = strchr(query, '&');

                if (next)
                        *next++ = '\0';
                if (!parse_parameter(query, ret))
                        return false;
                query = next;
        }
        return unescape(text, false);
}
