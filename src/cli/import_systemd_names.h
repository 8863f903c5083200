/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The names of systemd's units, "web.service", "web@.service" and "web@a.service", and the paths of their files, taken
 * apart and put together. Pure.
 * Functions with a `ret` return a negative errno, and what they write is to be freed. */

#include <stdbool.h>

typedef enum UnitNameKind {
        UNIT_NAME_PLAIN,
        UNIT_NAME_TEMPLATE,
        UNIT_NAME_INSTANCE,
} UnitNameKind;

UnitNameKind unit_name_kind(const char *name);
bool unit_name_is_service(const char *name);

/* As systemctl(1) takes it: what has no ending is a service; a file's name stays as it is. NULL: out of memory. */
char *unit_name_complete(const char *name, bool is_file);
/* "a@b.service" → "a@.service" */
int unit_name_template(const char *instance, char **ret);
/* With one dash less, as drop-ins are looked for: "a-b.service" → "a-.service". *ret is NULL where there is none. */
int unit_name_shorten(const char *name, char **ret);
/* What `name` becomes where its file is a link to `target`: where that is a template, its instance. -ENOENT: the one
 * cannot be an alias of the other. */
int unit_name_of_target(const char *name, const char *target, char **ret);
/* What `alias` has to be to mean `unit`: an alias of a template is one of each instance. */
int unit_name_of_alias(const char *alias, const char *unit, char **ret);

/* The last part of a path; borrowed. */
const char *unit_path_base(const char *path);
/* What stands before it. */
int unit_path_folder(const char *path, char **ret);
