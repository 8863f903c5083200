/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The small parts of JSON text: blanks, strings, numbers, and how a fault is told. What they make up is
 * json_strict.h's. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct JsonScanner {
        const char *text;
        size_t length, at;
        char *message; /* of the one fault; owned by whoever owns the scanner */
} JsonScanner;

/* Makes the message "line 1, column 2: expected …, found …", for here or for `at`. -EBADMSG, or -ENOMEM. */
int json_scan_fail(JsonScanner *s, const char *expected);
int json_scan_fail_at(JsonScanner *s, size_t at, const char *expected);

/* The next byte; 0 at the end. A real NUL byte is refused by whoever asked, since nothing expects one. */
char json_scan_peek(const JsonScanner *s);
void json_scan_space(JsonScanner *s);

/* One character of a string, its escape undone. */
int json_scan_character(JsonScanner *s, uint32_t *ret);

/* A string from its first quote on. Where `out` is not NULL the characters go there with a NUL, and *ret_end is behind
 * it; what is written never outgrows what is read, since the shortest spelling of a character is itself and the two
 * quotes make room for the NUL. */
int json_scan_string(JsonScanner *s, char *out, char **ret_end);

/* A number; *ret_integer is set where it has neither fraction nor exponent, and *ret_real where it has. */
int json_scan_number(JsonScanner *s, int64_t *ret_integer, bool *ret_real);
