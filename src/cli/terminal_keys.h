/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From the bytes that a terminal sends to the keys that were pressed. Pure. */

#include <stddef.h>

/* A printable ASCII character is its own code; the others begin behind these. */
typedef enum TerminalKey {
        KEY_NONE, /* nothing that anybody here knows */
        KEY_BACKSPACE = 0x08,
        KEY_ENTER = 0x0d,
        KEY_REDRAW = 0x0c,    /* Ctrl-L */
        KEY_ERASE_ALL = 0x15, /* Ctrl-U */
        KEY_ESCAPE = 0x1b,
        KEY_UP = 0x100,
        KEY_DOWN,
        KEY_LEFT,
        KEY_RIGHT,
        KEY_PAGE_UP,
        KEY_PAGE_DOWN,
        KEY_HOME,
        KEY_END,
} TerminalKey;

/* The first key in `bytes`. Returns how many bytes it took; 0 when they are the beginning of a key whose rest may still
 * come. With `is_all` nothing more comes: an escape alone is the key of that name. */
size_t terminal_keys_decode(const char *bytes, size_t n, int is_all, TerminalKey *ret);
