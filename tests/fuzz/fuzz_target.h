/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What fuzz targets share. Each is one file fuzz_NAME.c with LLVMFuzzerTestOneInput(), which takes any bytes, gives
 * them to one reader of outside data, and claims what must hold whatever they are. Its corpus is corpus/NAME/. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A claim. What does not hold is a finding. */
#define CLAIM(condition, ...)                                                           \
        do {                                                                            \
                if (!(condition)) {                                                     \
                        fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
                        fprintf(stderr, __VA_ARGS__);                                   \
                        fprintf(stderr, "\n");                                          \
                        abort();                                                        \
                }                                                                       \
        } while (0)

/* Input taken piece by piece, for targets that are told what to do; where it is used up, zeros follow. */
typedef struct FuzzInput {
        const uint8_t *next;
        size_t n;
} FuzzInput;

static _unused_ uint8_t fuzz_byte(FuzzInput *in) {
        if (in->n == 0)
                return 0;
        in->n--;
        return *in->next++;
}

/* Little-endian. */
static _unused_ uint32_t fuzz_number(FuzzInput *in, unsigned n_bytes) {
        uint32_t v = 0;

        for (unsigned i = 0; i < n_bytes; i++)
                v |= (uint32_t) fuzz_byte(in) << 8 * i;
        return v;
}

/* A length (one byte) and so many bytes, as far as there are so many. To be freed; NUL-terminated, and may hold NULs.
 */
static _unused_ char *fuzz_string(FuzzInput *in, size_t *ret_n) {
        size_t n = fuzz_byte(in);
        char *s;

        if (n > in->n)
                n = in->n;
        s = malloc(n + 1);
        if (!s)
                abort();
        memcpy(s, in->next, n);
        s[n] = '\0';
        in->next += n;
        in->n -= n;
        if (ret_n)
                *ret_n = n;
        return s;
}

/* The bytes as a string that ends with their buffer, so that a sanitizer sees who reads on. To be freed. */
static _unused_ char *fuzz_text(const uint8_t *data, size_t size) {
        char *s = malloc(size + 1);

        if (!s)
                abort();
        memcpy(s, data, size);
        s[size] = '\0';
        return s;
}

/* One line that a terminal shows as it is: no control characters, valid UTF-8. */
static _unused_ bool is_printable_line(const char *s) {
        size_t n = strlen(s), length;
        uint32_t c;

        for (size_t i = 0; i < n; i += length) {
                length = utf8_decode(s + i, n - i, &c);
                if (length == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0))
                        return false;
        }
        return true;
}
