/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A duration in few bits: exact below 2^m, then with m digits behind the leading one, as a float has them; so the error
 * is below 1 in 2^m at any size. Codes sort as their durations do. Pure. */

#include <stdint.h>

/* `m` digits, codes up to `max`; what is longer than the longest code is told as that. */
static inline unsigned duration_encode(uint64_t usec, unsigned m, unsigned max) {
        uint64_t code = usec;

        if (usec >> m) {
                unsigned shift = 63 - (unsigned) __builtin_clzll(usec) - m;

                code = ((uint64_t) (shift + 1) << m) | ((usec >> shift) & ((UINT64_C(1) << m) - 1));
        }
        return code < max ? (unsigned) code : max;
}

/* The shortest duration of that code; that of the next code ends it. */
static inline uint64_t duration_decode(unsigned code, unsigned m) {
        unsigned exponent = code >> m;
        uint64_t digits = code & ((UINT64_C(1) << m) - 1);

        return exponent == 0 ? digits : (digits | UINT64_C(1) << m) << (exponent - 1);
}
