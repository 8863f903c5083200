/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The database file below store.c: opened, checked, migrated; and what an answer of SQLite means to us. */

#include <sqlite3.h>
#include <stdbool.h>

#include "base/cleanup.h"

enum {
        STORE_TRANSITIONS_MAX = 200, /* kept of each service */
};

/* As store_open() says. *ret_is_read_only: it lies on a read-only file system, and whoever writes gets SQLITE_READONLY.
 */
int store_database_open(const char *path, sqlite3 **ret, bool *ret_is_read_only, char **reterr_message);

/* The outcome that the result code `rc` of a call on `db`, the last one, stands for. */
int store_database_outcome(sqlite3 *db, int rc);

/* Runs SQL that gives no rows. */
int store_database_run(sqlite3 *db, const char *sql);

DEFINE_CLEANUP(sqlite3 *, sqlite3_close)
