/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Does an environment variable hold a secret, by its name? systemd shows the environment of a unit to everyone on the
 * machine, so such a variable is refused and the better ways are named. The rule is the two tables in secret_name.c. */

/* The word in `name` that says so, e.g. "PASSWORD" of "DB_PASSWORD"; NULL: nothing does. */
const char *secret_name_find(const char *name);
