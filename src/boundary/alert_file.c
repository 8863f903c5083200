/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/alert_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

/* Within double quotes systemd gives these four a meaning: systemd.exec(5), EnvironmentFile=. */
static void put_quoted(FILE *f, const char *value) {
        fputc('"', f);
        for (; *value; value++) {
                unsigned char c = (unsigned char) *value;

                if (strchr("\"\\`$", c))
                        fputc('\\', f);
                fputc(c < ' ' || c == 0x7f ? ' ' : c, f);
        }
        fputs("\"\n", f);
}

static int write_variables(const char *path, const AlertVariable *variables, size_t n) {
        FILE *f = fopen(path, "we");
        int r;

        if (!f)
                return -errno;
        for (size_t i = 0; i < n; i++) {
                fprintf(f, "%s=", variables[i].name);
                put_quoted(f, variables[i].value);
        }
        r = ferror(f) ? -EIO : 0;
        return fclose(f) == 0 ? r : -errno;
}

int alert_file_write(const char *directory, const char *service, const AlertVariable *variables, size_t n) {
        _cleanup_free_ char *path = NULL, *next = NULL;
        int r;

        /* A service's name never begins with a dot, so no other one's file is met. */
        if (asprintf(&path, "%s/%s", directory, service) < 0)
                path = NULL;
        if (asprintf(&next, "%s/.%s", directory, service) < 0)
                next = NULL;
        if (!path || !next)
                return -ENOMEM;
        if (mkdir(directory, 0755) < 0 && errno != EEXIST)
                return -errno;
        r = write_variables(next, variables, n);
        if (r >= 0 && rename(next, path) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(next);
        return r;
}
