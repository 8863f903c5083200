/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* What an on_failure_unit is told: a file for its EnvironmentFile=, one a service, since systemd takes no environment
 * along with a start. */

typedef struct AlertVariable {
        const char *name, *value; /* the value may hold anything: it came from a service */
} AlertVariable;

/* Writes directory/service whole, by rename; makes the folder, 0755. Every byte of a value that systemd's quoting could
 * take for something else is quoted, control characters become blanks. */
int alert_file_write(const char *directory, const char *service, const AlertVariable *variables, size_t n);
