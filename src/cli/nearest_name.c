/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/nearest_name.h"

#include <string.h>

enum {
        LENGTH_MAX = 64, /* longer words are compared by nobody */
};

static size_t smaller(size_t a, size_t b) {
        return a < b ? a : b;
}

/* Optimal string alignment, three rows at a time. */
static size_t distance(const char *a, size_t n_a, const char *b, size_t n_b) {
        size_t rows[3][LENGTH_MAX + 1];

        for (size_t j = 0; j <= n_b; j++)
                rows[0][j] = j;
        for (size_t i = 1; i <= n_a; i++) {
                size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

                row[0] = i;
                for (size_t j = 1; j <= n_b; j++) {
                        row[j] = smaller(above[j - 1] + (a[i - 1] != b[j - 1]), smaller(above[j], row[j - 1]) + 1);
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                row[j] = smaller(row[j], above2[j - 2] + 1);
                }
        }
        return rows[n_a % 3][n_b];
}

const char *nearest_name_find(const char *wanted, const char *const *names, size_t n) {
        size_t length = strlen(wanted), limit = length / 3 > 2 ? length / 3 : 2;
        const char *best = NULL;

        /* Two slips turn any word of two letters into any other, and "fly" into "why". */
        if (limit > length / 2)
                limit = length / 2;
        for (size_t i = 0; i < n && length <= LENGTH_MAX; i++) {
                size_t other = strlen(names[i]), d;

                if (other > LENGTH_MAX)
                        continue;
                d = distance(wanted, length, names[i], other);
                if (d <= limit && (!best || d < limit)) {
                        best = names[i];
                        limit = d;
                }
        }
        return best;
}
