/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/printable_text.h"

#include <stdbool.h>
#include <string.h>

#include "core/utf8.h"

static bool is_printable(uint32_t c) {
        static const struct {
                uint32_t first, last;
        } excluded[] = {
                { 0x00, 0x1f },     { 0x7f, 0x9f },                         /* terminals take U+009B for "ESC [" */
                { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 }, /* invisible, new lines, directions */
                { 0xfeff, 0xfeff }, { 0xfff0, 0xffff },
        };

        for (size_t i = 0; i < sizeof(excluded) / sizeof(excluded[0]); i++)
                if (c >= excluded[i].first && c <= excluded[i].last)
                        return false;
        return !utf8_is_noncharacter(c);
}

void printable_text(const char *bytes, size_t n, char *ret, size_t size) {
        static const char ellipsis[] = "…";
        size_t n_out = 0, n_whole = 0; /* n_whole: so much of it leaves room for the ellipsis */

        for (size_t i = 0; i < n;) {
                uint32_t c = 0;
                size_t n_bytes = utf8_decode(bytes + i, n - i, &c);
                bool as_it_is = n_bytes > 0 && is_printable(c);
                size_t n_more = as_it_is ? n_bytes : 1;

                if (n_out + n_more >= size) {
                        strcpy(ret + n_whole, ellipsis);
                        return;
                }
                if (as_it_is)
                        memcpy(ret + n_out, bytes + i, n_bytes);
                else
                        ret[n_out] = '?';
                n_out += n_more;
                if (n_out + sizeof(ellipsis) <= size)
                        n_whole = n_out;
                i += n_bytes > 0 ? n_bytes : 1;
        }
        ret[n_out] = '\0';
}
