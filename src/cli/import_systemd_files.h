/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which files systemd reads for a service: its unit file, found as `systemctl cat` finds it, and the drop-ins of all
 * its names. Looks at names and links in folders, asks nobody, and reads no file. */

#include <stdbool.h>
#include <stddef.h>

typedef struct UnitFiles {
        char *asked;  /* the unit's name as it was asked for, "web.service" */
        char *name;   /* that of the unit which it is an alias of; else the same */
        char **paths; /* the unit file, and then its drop-ins, in the order in which they count */
        size_t n_paths;
} UnitFiles;

void unit_files_done(UnitFiles *f);

/* The folders in which systemd looks for units of the machine, or of the calling user, most important first. Negative
 * errno. */
int unit_files_search_path(bool is_user, char ***ret);
char **unit_files_free_search_path(char **folders);

/* `unit`: a name, which is looked for in `folders`, or a path. A file that lies in none of these folders is no unit of
 * theirs: its drop-ins are those beside it. Negative errno: -ENOENT where there is no such unit, -ESHUTDOWN where it is
 * masked; with a text but for -ENOMEM. */
int unit_files_find(const char *unit, char *const *folders, UnitFiles *ret, char **reterr_message);
