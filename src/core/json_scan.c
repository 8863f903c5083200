/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/json_scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

enum {
        REAL_PLACES_MAX = 308, /* a number of more places before its point than this may not fit a double */
};

static void describe_found(const JsonScanner *s, size_t at, char *buffer, size_t size) {
        unsigned char c = at < s->length ? (unsigned char) s->text[at] : 0;

        if (at >= s->length)
                (void) snprintf(buffer, size, "the end of the text");
        else if (c > ' ' && c < 0x7f)
                (void) snprintf(buffer, size, "'%c'", c);
        else if (s->length - at >= 3 && memcmp(s->text + at, "\xef\xbb\xbf", 3) == 0)
                (void) snprintf(buffer, size, "a byte order mark");
        else
                (void) snprintf(buffer, size, "byte 0x%02x", c);
}

int json_scan_fail_at(JsonScanner *s, size_t at, const char *expected) {
        size_t line = 1, column = 1;
        char found[32];

        for (size_t i = 0; i < at; i++)
                if (s->text[i] == '\n') {
                        line++;
                        column = 1;
                } else if (((unsigned char) s->text[i] & 0xc0) != 0x80)
                        column++;
        describe_found(s, at, found, sizeof found);
        if (asprintf(&s->message, "line %zu, column %zu: expected %s, found %s", line, column, expected, found) < 0) {
                s->message = NULL;
                return -ENOMEM;
        }
        return -EBADMSG;
}

int json_scan_fail(JsonScanner *s, const char *expected) {
        return json_scan_fail_at(s, s->at, expected);
}

char json_scan_peek(const JsonScanner *s) {
        return s->at < s->length ? s->text[s->at] : '\0';
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

void json_scan_space(JsonScanner *s) {
        while (s->at < s->length && strchr(" \t\r\n", s->text[s->at]) && s->text[s->at] != '\0')
                s->at++;
}

/* Strings */

static int take_hex4(JsonScanner *s, uint32_t *ret) {
        uint32_t c = 0;

        for (int i = 0; i < 4; i++, s->at++) {
                char d = json_scan_peek(s);

                if (is_digit(d))
                        c = c << 4 | (uint32_t) (d - '0');
                else if ((d | 0x20) >= 'a' && (d | 0x20) <= 'f')
                        c = c << 4 | (uint32_t) ((d | 0x20) - 'a' + 10);
                else
                        return json_scan_fail(s, "four hexadecimal digits");
        }
        *ret = c;
        return 0;
}

/* After "\u". */
static int take_unicode_escape(JsonScanner *s, uint32_t *ret) {
        size_t start = s->at - 2;
        uint32_t c, low;
        int r;

        r = take_hex4(s, &c);
        if (r < 0)
                return r;
        if (c == 0)
                return json_scan_fail_at(s, start, "no \\u0000 in a string");
        if (c >= 0xdc00 && c <= 0xdfff)
                return json_scan_fail_at(s, start, "a high surrogate before a low one");
        if (c >= 0xd800 && c <= 0xdbff) {
                if (s->length - s->at < 2 || memcmp(s->text + s->at, "\\u", 2) != 0)
                        return json_scan_fail(s, "the low surrogate of a pair");
                start = s->at;
                s->at += 2;
                r = take_hex4(s, &low);
                if (r < 0)
                        return r;
                if (low < 0xdc00 || low > 0xdfff)
                        return json_scan_fail_at(s, start, "the low surrogate of a pair");
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
        *ret = c;
        return 0;
}

static int take_escape(JsonScanner *s, uint32_t *ret) {
        static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
        const char *found;
        char c;

        s->at++;
        c = json_scan_peek(s);
        if (c == 'u') {
                s->at++;
                return take_unicode_escape(s, ret);
        }
        found = c ? strchr(letters, c) : NULL;
        if (!found)
                return json_scan_fail(s, "one of \" \\ / b f n r t u after a backslash");
        s->at++;
        *ret = (uint32_t) meanings[found - letters];
        return 0;
}

int json_scan_character(JsonScanner *s, uint32_t *ret) {
        size_t n;

        if (s->at >= s->length)
                return json_scan_fail(s, "a closing '\"'");
        if (s->text[s->at] == '\\')
                return take_escape(s, ret);
        if ((unsigned char) s->text[s->at] < 0x20)
                return json_scan_fail(s, "control characters to be escaped in a string");
        n = utf8_decode(s->text + s->at, s->length - s->at, ret);
        if (n == 0)
                return json_scan_fail(s, "valid UTF-8");
        s->at += n;
        return 0;
}

int json_scan_string(JsonScanner *s, char *out, char **ret_end) {
        s->at++;
        while (json_scan_peek(s) != '"') {
                uint32_t c;
                int r;

                r = json_scan_character(s, &c);
                if (r < 0)
                        return r;
                if (out)
                        out += utf8_encode(c, out);
        }
        s->at++;
        if (out) {
                *out++ = '\0';
                *ret_end = out;
        }
        return 0;
}

/* Numbers */

static int take_digits(JsonScanner *s) {
        if (!is_digit(json_scan_peek(s)))
                return json_scan_fail(s, "a digit");
        while (is_digit(json_scan_peek(s)))
                s->at++;
        return 0;
}

static int read_integer(JsonScanner *s, size_t start, size_t end, int64_t *ret) {
        bool negative = s->text[start] == '-';
        int64_t v = 0;

        for (size_t i = start + negative; i < end; i++) {
                int digit = s->text[i] - '0';

                if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, negative ? -digit : digit, &v))
                        return json_scan_fail_at(s, start, "an integer of at most 64 bits");
        }
        *ret = v;
        return 0;
}

/* How many places the number's first digit that counts stands before its point; 0 for zero. Saturates. */
static int64_t count_places(const char *s, const char *end) {
        const char *e = s, *first = NULL;
        int64_t places = 0, exponent = 0;
        bool fraction = false, negative;

        for (; e < end && *e != 'e' && *e != 'E'; e++) {
                if (*e == '.')
                        fraction = true;
                else if (is_digit(*e) && (first || *e != '0')) {
                        first = first ? first : e;
                        places += !fraction;
                } else if (is_digit(*e) && fraction)
                        places--;
        }
        if (!first)
                return 0;
        negative = e < end && e[1] == '-';
        for (; e < end; e++)
                if (is_digit(*e) && exponent < INT32_MAX)
                        exponent = exponent * 10 + (*e - '0');
        return places + (negative ? -exponent : exponent);
}

int json_scan_number(JsonScanner *s, int64_t *ret_integer, bool *ret_real) {
        size_t start = s->at;
        int64_t integer = 0;
        bool real = false;
        int r;

        s->at += json_scan_peek(s) == '-';
        if (json_scan_peek(s) == '0')
                s->at++;
        else if ((r = take_digits(s)) < 0)
                return r;
        if (is_digit(json_scan_peek(s)))
                return json_scan_fail(s, "no digit after a leading 0");
        if (json_scan_peek(s) == '.') {
                real = true;
                s->at++;
                r = take_digits(s);
                if (r < 0)
                        return r;
        }
        if (json_scan_peek(s) == 'e' || json_scan_peek(s) == 'E') {
                real = true;
                s->at++;
                s->at += json_scan_peek(s) == '+' || json_scan_peek(s) == '-';
                r = take_digits(s);
                if (r < 0)
                        return r;
        }
        if (real && count_places(s->text + start, s->text + s->at) > REAL_PLACES_MAX)
                return json_scan_fail_at(s, start, "a number below 1e308");
        r = real ? 0 : read_integer(s, start, s->at, &integer);
        if (r < 0)
                return r;
        *ret_integer = integer;
        *ret_real = real;
        return 0;
}
