/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/store_database.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/outcome.h"
#include "core/utf8.h"

#define APPLICATION_ID 0x4865726f /* "Hero": file(1) and we ourselves know the file by it */

enum {
        HEADER_BYTES = 100, /* of an SQLite file */
};

/* How the schema came to be, one step a version: never edit a step that was released, append the next. Words, not
 * numbers, stand for states and intentions, so that no reordering of an enum changes what is stored. */
static const char *const migrations[] = {
        "CREATE TABLE service ("
        "  id INTEGER PRIMARY KEY,"
        "  name TEXT NOT NULL UNIQUE,"
        "  definition TEXT NOT NULL,"
        "  wanted_up INTEGER NOT NULL,"
        "  actions_down TEXT NOT NULL DEFAULT '',"
        "  intention TEXT NOT NULL DEFAULT 'none'"
        ") STRICT;"
        "CREATE TABLE transition ("
        "  id INTEGER PRIMARY KEY,"
        "  service_id INTEGER NOT NULL REFERENCES service (id) ON DELETE CASCADE,"
        "  realtime_usec INTEGER NOT NULL,"
        "  old_state TEXT NOT NULL,"
        "  new_state TEXT NOT NULL,"
        "  reason_code TEXT NOT NULL,"
        "  reason_text TEXT NOT NULL"
        ") STRICT;"
        "CREATE INDEX transition_by_service ON transition (service_id, id);"
        /* In the schema, so that no writer can forget the bound. */
        "CREATE TRIGGER transition_bound AFTER INSERT ON transition BEGIN"
        "  DELETE FROM transition WHERE service_id = NEW.service_id AND id <="
        "    (SELECT id FROM transition WHERE service_id = NEW.service_id ORDER BY id DESC LIMIT 1 OFFSET 200);"
        "END;"
        "CREATE TABLE verdict ("
        "  service_id INTEGER NOT NULL REFERENCES service (id) ON DELETE CASCADE,"
        "  probe TEXT NOT NULL,"
        "  invocation_id TEXT NOT NULL,"
        "  verdict TEXT NOT NULL,"
        "  error TEXT NOT NULL,"
        "  realtime_usec INTEGER NOT NULL,"
        "  PRIMARY KEY (service_id, probe)"
        ") STRICT, WITHOUT ROWID;"
        "CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;",
        "CREATE TABLE healing ("
        "  service_id INTEGER PRIMARY KEY REFERENCES service (id) ON DELETE CASCADE,"
        "  n_attempts INTEGER NOT NULL,"
        "  is_spent INTEGER NOT NULL,"
        "  last_realtime_usec INTEGER NOT NULL"
        ") STRICT;",
        /* Or probes that were renamed would leave rows behind. The server writes what still holds anew. */
        "CREATE TRIGGER verdict_of_definition AFTER UPDATE OF definition ON service BEGIN"
        "  DELETE FROM verdict WHERE service_id = NEW.id;"
        "END;",
        /* Of a service that runs its intention alone cannot say whether it was restarted yet. */
        "ALTER TABLE service ADD COLUMN asked_usec INTEGER NOT NULL DEFAULT 0;",
        /* A bit that flips inside a value is nothing that SQLite would see. NULL: of somebody who wrote by hand. */
        "ALTER TABLE service ADD COLUMN definition_checksum INTEGER;"
        "ALTER TABLE service ADD COLUMN wanted_checksum INTEGER;"
        "UPDATE service SET definition_checksum = checksum(name, definition),"
        "  wanted_checksum = checksum(name, wanted_up, actions_down);",
};

static_assert(STORE_TRANSITIONS_MAX == 200, "the trigger transition_bound says the same");

/* Durable, careful with what it reads, and small: this is a few hundred rows, read at start.
 *
 * locking_mode: one process, one connection. EXCLUSIVE makes a second server impossible rather than harmful, and keeps
 * the index of the WAL in our own memory, so that there is no shared file that could be cut under us (SIGBUS). */
static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE;"
                               "PRAGMA trusted_schema = OFF;"
                               "PRAGMA cell_size_check = ON;"
                               "PRAGMA mmap_size = 0;"
                               "PRAGMA cache_size = -128;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA foreign_keys = ON;"
                               "PRAGMA synchronous = FULL;"
                               "PRAGMA wal_autocheckpoint = 64;"
                               "PRAGMA journal_size_limit = 1048576;";

/* ---- what an answer means ---- */

static bool errno_means_full(int error) {
        return error == ENOSPC || error == EDQUOT || error == EFBIG || error == EROFS;
}

int store_database_outcome(sqlite3 *db, int rc) {
        switch (rc & 0xff) {
        case SQLITE_OK:
        case SQLITE_ROW:
        case SQLITE_DONE:
                return 0;
        case SQLITE_FULL:
        case SQLITE_READONLY:
                return HERO_E_STORE_FULL;
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
                return errno_means_full(sqlite3_system_errno(db)) ? HERO_E_STORE_FULL : -EIO;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return -EUCLEAN;
        case SQLITE_CONSTRAINT: /* a row that belongs to a service we do not have */
                return rc == SQLITE_CONSTRAINT_FOREIGNKEY || rc == SQLITE_CONSTRAINT_NOTNULL ? -ENOENT : -EINVAL;
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return -EBUSY;
        case SQLITE_TOOBIG:
                return -E2BIG;
        default:
                return -EIO;
        }
}

int store_database_run(sqlite3 *db, const char *sql) {
        return store_database_outcome(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

/* The first column of the first row. */
static int read_number(sqlite3 *db, const char *sql, int64_t *ret) {
        sqlite3_stmt *statement = NULL;
        int rc;

        rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW)
                *ret = sqlite3_column_int64(statement, 0);
        (void) sqlite3_finalize(statement);
        return rc == SQLITE_DONE ? -EUCLEAN : store_database_outcome(db, rc);
}

/* Whether the first row is this one word. */
static int expect_word(sqlite3 *db, const char *sql, const char *word) {
        sqlite3_stmt *statement = NULL;
        int rc, r;

        rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(statement);
        r = store_database_outcome(db, rc);
        if (r == 0) {
                const char *got = rc == SQLITE_ROW ? (const char *) sqlite3_column_text(statement, 0) : NULL;

                r = got && strcmp(got, word) == 0 ? 0 : -EUCLEAN;
        }
        (void) sqlite3_finalize(statement);
        return r;
}

/* checksum(value, …) in SQL: FNV-1a over the values as text. Each with its NUL, so that none runs into the next. */
static void checksum(sqlite3_context *context, int n, sqlite3_value **values) {
        uint64_t sum = UINT64_C(14695981039346656037);

        for (int i = 0; i < n; i++) {
                bool is_null = sqlite3_value_type(values[i]) == SQLITE_NULL;
                const char *text = is_null ? "" : (const char *) sqlite3_value_text(values[i]);
                int n_bytes = is_null ? 0 : sqlite3_value_bytes(values[i]);

                if (!text) {
                        sqlite3_result_error_nomem(context);
                        return;
                }
                for (int j = 0; j <= n_bytes; j++)
                        sum = (sum ^ (uint8_t) text[j]) * UINT64_C(1099511628211);
        }
        sqlite3_result_int64(context, (int64_t) sum);
}

/* ---- what may lie there ---- */

/* SQLite quotes what it finds in a damaged file. With a control character in it the journal shows a message as "blob
 * data". */
static void make_readable(char *text) {
        for (char *c = text; *c;) {
                uint32_t character;
                size_t n = utf8_decode(c, strnlen(c, 4), &character);

                if (n == 0 || character < ' ' || (character >= 0x7f && character < 0xa0))
                        *c++ = '?';
                else
                        c += n;
        }
}

static _printf_(3, 4) int fail(int r, char **reterr_message, const char *format, ...) {
        char *text = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        va_end(ap);
        if (text)
                make_readable(text);
        *reterr_message = text;
        return r;
}

/* What went wrong last on `db`, of outcome `r`, in words. */
static const char *cause(sqlite3 *db, int r) {
        return r == -EBUSY ? "another process has it open" : db ? sqlite3_errmsg(db) : "out of memory";
}

/* Makes the folders above `path`; what lies in them is for nobody else's eyes. */
static int make_folders(const char *path) {
        _cleanup_free_ char *folder = strdup(path);

        if (!folder)
                return -ENOMEM;
        for (char *slash = folder; (slash = strchr(slash + 1, '/'));) {
                *slash = '\0';
                if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
                        int error = errno;

                        /* A folder above that is not ours to write, or lies read-only, is there all the same. */
                        if (access(folder, F_OK) < 0)
                                return -error;
                }
                *slash = '/';
        }
        return 0;
}

/* Makes of an empty file a database of ours without anything in it. */
static int write_first_page(const char *path) {
        _cleanup_(sqlite3_closep) sqlite3 *db = NULL;
        char sql[96];
        int rc;

        (void) snprintf(sql, sizeof sql, "PRAGMA journal_mode = OFF; PRAGMA application_id = %d", APPLICATION_ID);
        rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
        return store_database_outcome(db, rc);
}

/* Made here since SQLite would make it readable by all; it holds secrets. It takes its name when something is in it, so
 * that a file cut to nothing is not taken for a new one. */
static int make_file(const char *path) {
        _cleanup_free_ char *unfinished = NULL;
        struct stat st;
        int r, fd;

        if (lstat(path, &st) == 0)
                return 0;
        r = make_folders(path);
        if (r < 0)
                return r;
        if (asprintf(&unfinished, "%s.XXXXXX", path) < 0) {
                unfinished = NULL;
                return -ENOMEM;
        }
        fd = mkostemp(unfinished, O_CLOEXEC); /* 0600 */
        if (fd < 0)
                return -errno;
        (void) close(fd);
        r = write_first_page(unfinished);
        /* Not renamed: two may be at it, and one has put something in there meanwhile. */
        if (r == 0 && link(unfinished, path) < 0 && errno != EEXIST)
                r = -errno;
        (void) unlink(unfinished);
        return r;
}

/* Ours, and of which version; 0 for an empty file. Writes nothing, so that a file of someone else stays as it is. */
static int identify(sqlite3 *db, const char *path, int64_t *ret_version, char **reterr_message) {
        int64_t id = 0, version = 0, n_objects = 0;
        int r;

        if ((r = read_number(db, "PRAGMA application_id", &id)) != 0 ||
            (r = read_number(db, "PRAGMA user_version", &version)) != 0 ||
            (r = read_number(db, "SELECT count(*) FROM sqlite_schema", &n_objects)) != 0)
                return fail(r, reterr_message, "%s: %s", path, cause(db, r));
        if (id != APPLICATION_ID && (id != 0 || version != 0 || n_objects != 0))
                return fail(-EUCLEAN, reterr_message, "%s: a database, but not one of hero_proc", path);
        if (version < 0 || version > (int64_t) ELEMENTSOF(migrations))
                return fail(-EPROTO, reterr_message,
                            "%s: written by a newer hero_proc (schema %lld, this one knows up to %zu)", path,
                            (long long) version, ELEMENTSOF(migrations));
        *ret_version = version;
        return 0;
}

/* All steps or none: after a failure the caller closes `db`, which rolls back. */
static int migrate(sqlite3 *db, size_t version) {
        char stamp[96];
        int r;

        r = store_database_run(db, "BEGIN IMMEDIATE");
        for (size_t i = version; r == 0 && i < ELEMENTSOF(migrations); i++)
                r = store_database_run(db, migrations[i]);
        (void) snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %zu; COMMIT",
                        APPLICATION_ID, ELEMENTSOF(migrations));
        if (r == 0)
                r = store_database_run(db, stamp);
        return r;
}

/* The quick check leaves out whether an index has all that its table has, and services are read by theirs. */
static int check_integrity(sqlite3 *db, int64_t version) {
        int r;

        r = expect_word(db, "PRAGMA quick_check(1)", "ok");
        if (r == 0 && version > 0)
                r = expect_word(db, "PRAGMA integrity_check(service)", "ok");
        return r;
}

/* A schema can be damaged into one that SQLite understands and that has not what is asked for. */
static int check_columns(sqlite3 *db, const char *path, char **reterr_message) {
        int rc = sqlite3_exec(db,
                              "SELECT name, definition, wanted_up, actions_down, intention, asked_usec,"
                              " definition_checksum, wanted_checksum FROM service LIMIT 0",
                              NULL, NULL, NULL);
        int r = (rc & 0xff) == SQLITE_ERROR ? -EUCLEAN : store_database_outcome(db, rc);

        return r != 0 ? fail(r, reterr_message, "%s: %s%s", path, r == -EUCLEAN ? "damaged: " : "", cause(db, r)) : 0;
}

static int check_and_migrate(sqlite3 *db, const char *path, bool is_read_only, char **reterr_message) {
        int64_t version = 0;
        int r;

        r = identify(db, path, &version, reterr_message);
        if (r != 0)
                return r;
        r = check_integrity(db, version);
        if (r != 0)
                return fail(r, reterr_message, "%s: %s", path, r == -EUCLEAN ? "damaged" : cause(db, r));
        if (!is_read_only) {
                r = expect_word(db, "PRAGMA journal_mode = WAL", "wal");
                if (r != 0)
                        return fail(r, reterr_message, "%s: cannot use a write-ahead log: %s", path,
                                    sqlite3_errmsg(db));
        }
        if (version == (int64_t) ELEMENTSOF(migrations))
                return check_columns(db, path, reterr_message);
        r = is_read_only ? HERO_E_STORE_FULL : migrate(db, (size_t) version);
        if (r != 0)
                return fail(r, reterr_message, "%s: cannot be brought from schema %lld to %zu: %s", path,
                            (long long) version, ELEMENTSOF(migrations),
                            is_read_only ? "read-only file system" : cause(db, r));
        return 0;
}

/* ---- opening ---- */

/* Once a process, before SQLite's first use. What is left out is memory kept in advance for thousands of statements. */
static void configure_library(void) {
        static bool is_done;

        if (is_done)
                return;
        is_done = true;
        (void) sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
        (void) sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        (void) sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
        (void) sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

/* "file:…?immutable=1" of a path. */
static char *immutable_uri(const char *path) {
        char *uri, *p;

        uri = malloc(3 * strlen(path) + sizeof "file:?immutable=1");
        if (!uri)
                return NULL;
        p = stpcpy(uri, "file:");
        for (; *path; path++)
                if (strchr("%?#", *path))
                        p += sprintf(p, "%%%02X", (unsigned) *path);
                else
                        *p++ = *path;
        strcpy(p, "?immutable=1");
        return uri;
}

static bool has_write_ahead_log(const char *path) {
        char log[PATH_MAX];
        struct stat st;
        int n = snprintf(log, sizeof log, "%s-wal", path);

        /* Without memory: one that is taken for missing is thrown away. */
        return n > 0 && (size_t) n < sizeof log && stat(log, &st) == 0 && st.st_size > 0;
}

/* On a read-only file system nobody writes, so locks are neither possible nor needed. With a log beside it, left by a
 * crash, the newest commits are in there: SQLite reads it when it believes to have the file for itself. Without one it
 * must be told that the file does not change, or it tries to make one. */
static int open_read_only(const char *path, sqlite3 **ret) {
        _cleanup_free_ char *uri = NULL;

        if (has_write_ahead_log(path))
                return sqlite3_open_v2(path, ret, SQLITE_OPEN_READONLY, "unix-none");
        uri = immutable_uri(path);
        if (!uri)
                return SQLITE_NOMEM;
        return sqlite3_open_v2(uri, ret, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
}

/* Where less than the header is left, SQLite sees a new database and throws away the log beside it. */
static int refuse_remains(const char *path, char **reterr_message) {
        struct stat st = { 0 };

        if (stat(path, &st) < 0 ? !has_write_ahead_log(path) : st.st_size >= HEADER_BYTES)
                return 0;
        return fail(-EUCLEAN, reterr_message, "%s: damaged: only %lld bytes of it are left", path,
                    (long long) st.st_size);
}

int store_database_open(const char *path, sqlite3 **ret, bool *ret_is_read_only, char **reterr_message) {
        _cleanup_(sqlite3_closep) sqlite3 *db = NULL;
        bool is_read_only;
        int r, rc;

        configure_library();
        r = refuse_remains(path, reterr_message);
        if (r < 0)
                return r;

        r = make_file(path);
        is_read_only = access(path, W_OK) < 0 && errno == EROFS;
        if (r != 0 && !is_read_only)
                return fail(r > 0 || errno_means_full(-r) ? HERO_E_STORE_FULL : r, reterr_message,
                            "%s: cannot be made: %s", path, strerror(r > 0 ? ENOSPC : -r));

        rc = is_read_only ? open_read_only(path, &db) : sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
        if (rc == SQLITE_OK) {
                (void) sqlite3_extended_result_codes(db, 1);
                (void) sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
                rc = sqlite3_create_function_v2(db, "checksum", -1,
                                                SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL, checksum,
                                                NULL, NULL, NULL);
        }
        if (rc == SQLITE_OK)
                rc = sqlite3_exec(db, settings, NULL, NULL, NULL);
        if (rc != SQLITE_OK) {
                r = db ? store_database_outcome(db, rc) : -ENOMEM;
                return fail(r, reterr_message, "%s: %s", path, cause(db, r));
        }
        r = check_and_migrate(db, path, is_read_only, reterr_message);
        if (r != 0)
                return r;
        *ret = TAKE_PTR(db);
        *ret_is_read_only = is_read_only;
        return 0;
}
