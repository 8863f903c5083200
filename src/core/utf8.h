/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length in bytes of the character at `s` (of which `n` bytes are there), and its number. 0: not UTF-8; overlong forms,
 * surrogates and numbers above U+10FFFF are not. */
size_t utf8_decode(const char *s, size_t n, uint32_t *ret);

/* One that Unicode keeps for itself (U+FFFE and its like). UTF-8 has them, and sd-bus takes no text that does. */
bool utf8_is_noncharacter(uint32_t c);

/* Writes at most 4 bytes for a valid character number; how many. */
size_t utf8_encode(uint32_t c, char *out);

/* For a text that was cut to fit: takes off the character at its end of which only the beginning is left. */
void utf8_drop_broken_end(char *text);
