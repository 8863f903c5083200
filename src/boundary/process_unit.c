/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/process_unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

static bool ends_in(const char *text, size_t n, const char *end) {
        return n > strlen(end) && strncmp(text + n - strlen(end), end, strlen(end)) == 0;
}

static bool is_unit(const char *component, size_t n) {
        return ends_in(component, n, ".service") || ends_in(component, n, ".scope");
}

static void make_ascii(char *text) {
        for (char *c = text; *c; c++)
                if ((unsigned char) *c < ' ' || (unsigned char) *c > '~')
                        *c = '?';
}

/* "/user.slice/user-1000.slice/user@1000.service/app.slice/x.service": the first unit is the system's, the one below
 * user@UID.service is that user's. A delegated cgroup below a unit belongs to the unit. */
int process_unit_of_cgroup(const char *path, bool is_user, char **ret) {
        const char *found = "";
        size_t n_found = 0;
        bool is_users = false;

        for (const char *p = path; *p;) {
                size_t n;

                p += strspn(p, "/");
                n = strcspn(p, "/");
                if (is_unit(p, n)) {
                        found = p;
                        n_found = n;
                        if (!is_user || strncmp(p, "user@", strlen("user@")) != 0)
                                break;
                        is_users = true;
                }
                p += n;
        }
        if (asprintf(ret, "%.*s%s", (int) n_found, found, is_user && !is_users && n_found > 0 ? " (system)" : "") < 0)
                return -ENOMEM;
        /* A cgroup may have any name, and whoever it was delegated to may make one; a unit has none but these. */
        make_ascii(*ret);
        return 0;
}

int process_unit_of(pid_t pid, bool is_user, char **ret) {
        _cleanup_fclose_ FILE *f = NULL;
        _cleanup_free_ char *line = NULL;
        size_t n = 0;
        char name[64];

        (void) snprintf(name, sizeof name, "/proc/%d/cgroup", (int) pid);
        f = fopen(name, "re");
        if (!f)
                return errno == ENOENT ? -ESRCH : -errno;
        errno = 0;
        while (getline(&line, &n, f) > 0) {
                line[strcspn(line, "\n")] = '\0';
                if (strncmp(line, "0::", 3) == 0)
                        return process_unit_of_cgroup(line + 3, is_user, ret);
        }
        return errno > 0 ? -errno : -ESRCH;
}

void process_command_of(pid_t pid, char ret[PROCESS_COMMAND_MAX]) {
        _cleanup_fclose_ FILE *f = NULL;
        char name[64];

        (void) snprintf(name, sizeof name, "/proc/%d/comm", (int) pid);
        f = fopen(name, "re");
        if (!f || !fgets(ret, PROCESS_COMMAND_MAX, f))
                ret[0] = '\0';
        ret[strcspn(ret, "\n")] = '\0';
        make_ascii(ret);
}
