/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/journal_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

typedef struct Paths {
        char **paths; /* NULL-terminated */
        size_t n;
} Paths;

static void paths_done(Paths *p) {
        for (size_t i = 0; i < p->n; i++)
                free(p->paths[i]);
        free(p->paths);
}

static void close_folder(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

static int add(Paths *p, const char *folder, const char *name) {
        char **larger = reallocarray(p->paths, p->n + 2, sizeof *larger);

        if (!larger)
                return -ENOMEM;
        p->paths = larger;
        if (asprintf(&larger[p->n], "%s/%s", folder, name) < 0) {
                larger[p->n] = NULL;
                return -ENOMEM;
        }
        larger[p->n + 1] = NULL;
        if (access(larger[p->n], R_OK) < 0) /* another user's */
                free(TAKE_PTR(larger[p->n]));
        else
                p->n++;
        return 0;
}

/* What ends with ".journal~" was left by a crash, and has lines too. */
static int add_folder(Paths *p, const char *folder) {
        _cleanup_(close_folder) DIR *d = opendir(folder);
        const struct dirent *e;
        int r = 0;

        if (!d)
                return errno == ENOMEM ? -ENOMEM : 0;
        while (r >= 0 && (e = readdir(d)))
                if (strstr(e->d_name, ".journal"))
                        r = add(p, folder, e->d_name);
        return r;
}

static int open_each(sd_journal **ret) {
        static const char *const folders[] = { "/run/log/journal", "/var/log/journal" };
        _cleanup_(paths_done) Paths p = { 0 };
        sd_id128_t machine;
        int r = sd_id128_get_machine(&machine);

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(folders); i++) {
                char folder[64];

                (void) snprintf(folder, sizeof folder, "%s/" SD_ID128_FORMAT_STR, folders[i],
                                SD_ID128_FORMAT_VAL(machine));
                r = add_folder(&p, folder);
        }
        if (r >= 0 && p.n == 0)
                r = -ENOENT;
        return r < 0 ? r : sd_journal_open_files(ret, (const char **) p.paths, 0);
}

int journal_files_open(sd_journal **ret, uint64_t *ret_n_bytes) {
        sd_journal *j = NULL;
        int r = open_each(&j);

        /* A file that is damaged, or was removed a moment ago, must not hide the others. */
        if (r < 0 && r != -ENOMEM)
                r = sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY);
        if (r >= 0)
                r = sd_journal_get_usage(j, ret_n_bytes);
        if (r < 0) {
                sd_journal_close(j);
                return r;
        }
        *ret = j;
        return 0;
}

bool journal_files_were_lost(sd_journal *j, uint64_t n_bytes) {
        uint64_t now;

        return sd_journal_get_usage(j, &now) < 0 || now < n_bytes;
}
