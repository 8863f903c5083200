/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Names of units in the folders in which systemd looks for them, most important first: where a name's file is, and
 * which names are links to others. Functions return a negative errno, -ENOENT where there is none. */

#include <stdbool.h>
#include <stddef.h>

enum {
        UNIT_ALIASES_MAX = 64,
};

typedef struct UnitAliases {
        char *names[UNIT_ALIASES_MAX];
        size_t n;
} UnitAliases;

void unit_aliases_done(UnitAliases *a);

bool unit_links_hold_folder(const char *folder, char *const *folders);
/* The file that counts for a name, or else for its template. */
int unit_links_find(char *const *folders, const char *name, char **ret_path);
/* From a name and its file to the unit that it is an alias of. Changes both. */
int unit_links_follow(char *const *folders, char **name, char **path);
/* All names that lead to the unit, but its own. -E2BIG: too many. Whatever is returned, `ret` has to be done with. */
int unit_links_find_aliases(char *const *folders, const char *unit, UnitAliases *ret);
