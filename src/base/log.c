/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static int max_level = LOG_INFO;

void log_set_max_level(int level) {
        max_level = level;
}

void log_line(int level, const char *format, ...) {
        char text[2048];
        int saved_errno = errno;
        va_list ap;

        if (level > max_level)
                return;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof text, format, ap);
        va_end(ap);

        /* One write a line, so that lines of several processes do not mix. */
        if (isatty(STDERR_FILENO))
                (void) dprintf(STDERR_FILENO, "%s\n", text);
        else
                (void) dprintf(STDERR_FILENO, "<%d>%s\n", level, text);
        errno = saved_errno;
}
