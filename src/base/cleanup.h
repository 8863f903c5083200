/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Ownership in C: every owned local carries _cleanup_, and giving it away is spelled TAKE_PTR or TAKE_FD. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)

#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_ __attribute__((unused))

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))

#define TAKE_PTR(p)                     \
        ({                              \
                __typeof__(p) _p = (p); \
                (p) = NULL;             \
                _p;                     \
        })

#define TAKE_FD(fd)             \
        ({                      \
                int _fd = (fd); \
                (fd) = -1;      \
                _fd;            \
        })

/* For a destructor `T *f(T *)` or `void f(T *)`: defines fp(), which _cleanup_ can call. */
#define DEFINE_CLEANUP(type, f)                     \
        static inline _unused_ void f##p(type *p) { \
                if (*p)                             \
                        f(*p);                      \
        }

static inline void cleanup_free(void *p) {
        free(*(void **) p);
}

static inline void cleanup_close(int *fd) {
        if (*fd >= 0)
                (void) close(*fd);
}

static inline void cleanup_fclose(FILE **f) {
        if (*f)
                (void) fclose(*f);
}
