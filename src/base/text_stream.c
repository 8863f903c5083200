/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/text_stream.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct TextStream {
        char *bytes, **text;
        size_t n, n_allocated, *ret_n;
        bool failed; /* once, and for good */
} TextStream;

static bool reserve(TextStream *s, size_t n) {
        size_t wanted = s->n_allocated ? s->n_allocated : 256;
        char *larger;

        if (n <= s->n_allocated)
                return true;
        while (wanted < n)
                wanted *= 2;
        larger = realloc(s->bytes, wanted);
        if (!larger)
                return false;
        s->bytes = larger;
        s->n_allocated = wanted;
        return true;
}

static ssize_t write_bytes(void *cookie, const char *bytes, size_t n) {
        TextStream *s = cookie;

        if (s->failed || !reserve(s, s->n + n + 1)) {
                s->failed = true;
                errno = ENOMEM;
                return 0; /* what is less than n is an error to stdio */
        }
        memcpy(s->bytes + s->n, bytes, n);
        s->n += n;
        return (ssize_t) n;
}

static int finish(void *cookie) {
        TextStream *s = cookie;
        bool failed = s->failed || !reserve(s, s->n + 1);
        char *fitting;

        if (failed)
                free(s->bytes);
        else {
                s->bytes[s->n] = '\0';
                /* What is made here is often kept, for each of a thousand services. Cut to size where it lies, each
                 * would have a hole behind it. */
                fitting = malloc(s->n + 1);
                if (fitting) {
                        memcpy(fitting, s->bytes, s->n + 1);
                        free(s->bytes);
                }
                *s->text = fitting ? fitting : s->bytes;
                *s->ret_n = s->n;
        }
        free(s);
        errno = failed ? ENOMEM : errno;
        return failed ? EOF : 0;
}

FILE *text_stream_open(char **text, size_t *n) {
        TextStream *s = calloc(1, sizeof *s);
        FILE *f;

        *text = NULL;
        *n = 0;
        if (!s)
                return NULL;
        s->text = text;
        s->ret_n = n;
        f = fopencookie(s, "w", (cookie_io_functions_t){ .write = write_bytes, .close = finish });
        if (!f)
                free(s);
        return f;
}
