/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/utf8.h"

#include <string.h>

size_t utf8_decode(const char *s, size_t n, uint32_t *ret) {
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        const unsigned char *u = (const unsigned char *) s;
        size_t length;
        uint32_t c;

        if (n == 0)
                return 0;
        if (u[0] < 0x80) {
                *ret = u[0];
                return 1;
        }
        length = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
        if (u[0] < 0xc0 || u[0] > 0xf4 || length > n)
                return 0;
        c = u[0] & (0x7fU >> length);
        for (size_t i = 1; i < length; i++) {
                if ((u[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (u[i] & 0x3f);
        }
        /* Overlong forms and surrogates would give one text two spellings. */
        if (c < smallest[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return 0;
        *ret = c;
        return length;
}

bool utf8_is_noncharacter(uint32_t c) {
        return (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

void utf8_drop_broken_end(char *text) {
        size_t n = strlen(text), begin = n;
        uint32_t c;

        while (begin > 0 && n - begin < 3 && ((unsigned char) text[begin - 1] & 0xc0) == 0x80)
                begin--;
        if (begin > 0 && (unsigned char) text[begin - 1] >= 0xc0 &&
            utf8_decode(text + begin - 1, n - begin + 1, &c) == 0)
                text[begin - 1] = '\0';
}

size_t utf8_encode(uint32_t c, char *out) {
        if (c < 0x80) {
                out[0] = (char) c;
                return 1;
        }
        if (c < 0x800) {
                out[0] = (char) (0xc0 | c >> 6);
                out[1] = (char) (0x80 | (c & 0x3f));
                return 2;
        }
        if (c < 0x10000) {
                out[0] = (char) (0xe0 | c >> 12);
                out[1] = (char) (0x80 | (c >> 6 & 0x3f));
                out[2] = (char) (0x80 | (c & 0x3f));
                return 3;
        }
        out[0] = (char) (0xf0 | c >> 18);
        out[1] = (char) (0x80 | (c >> 12 & 0x3f));
        out[2] = (char) (0x80 | (c >> 6 & 0x3f));
        out[3] = (char) (0x80 | (c & 0x3f));
        return 4;
}
