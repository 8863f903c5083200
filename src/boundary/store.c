/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/store.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>

#include "boundary/store_database.h"

typedef enum Query {
        QUERY_BEGIN,
        QUERY_COMMIT,
        QUERY_ROLLBACK,
        QUERY_LOAD,
        QUERY_PUT_DEFINITION,
        QUERY_REMOVE_SERVICE,
        QUERY_SET_WANTED,
        QUERY_SET_INTENTION,
        QUERY_GET_BOOT_ID,
        QUERY_SET_BOOT_ID,
        QUERY_ADD_TRANSITION,
        QUERY_LOAD_TRANSITIONS,
        QUERY_PUT_VERDICT,
        QUERY_GET_VERDICT,
        QUERY_PUT_HEALING,
        QUERY_DROP_HEALING,
        QUERY_GET_HEALING,
        _QUERY_MAX,
} Query;

#define ID_OF_NAME "(SELECT id FROM service WHERE name = ?1)"

static const char *const query_sql[_QUERY_MAX] = {
        [QUERY_BEGIN] = "BEGIN IMMEDIATE",
        [QUERY_COMMIT] = "COMMIT",
        [QUERY_ROLLBACK] = "ROLLBACK",
        [QUERY_LOAD] = "SELECT name, definition, wanted_up, actions_down, intention, asked_usec,"
                       " definition_checksum <> checksum(name, definition),"
                       " wanted_checksum <> checksum(name, wanted_up, actions_down) FROM service ORDER BY name",
        [QUERY_PUT_DEFINITION] =
                "INSERT INTO service (name, definition, wanted_up, actions_down, definition_checksum, wanted_checksum)"
                " VALUES (?1, ?2, ?3, '', checksum(?1, ?2), checksum(?1, ?3, '')) ON CONFLICT (name) DO UPDATE SET"
                " definition = excluded.definition, definition_checksum = excluded.definition_checksum",
        [QUERY_REMOVE_SERVICE] = "DELETE FROM service WHERE name = ?1",
        [QUERY_SET_WANTED] = "UPDATE service SET wanted_up = ?2, actions_down = ?3,"
                             " wanted_checksum = checksum(?1, ?2, ?3) WHERE name = ?1",
        [QUERY_SET_INTENTION] = "UPDATE service SET intention = ?2, asked_usec = ?3 WHERE name = ?1",
        [QUERY_GET_BOOT_ID] = "SELECT value FROM setting WHERE key = 'boot-id'",
        [QUERY_SET_BOOT_ID] = "INSERT OR REPLACE INTO setting (key, value) VALUES ('boot-id', ?1)",
        [QUERY_ADD_TRANSITION] = "INSERT INTO transition (service_id, realtime_usec, old_state, new_state, reason_code,"
                                 " reason_text) VALUES (" ID_OF_NAME ", ?2, ?3, ?4, ?5, ?6)",
        [QUERY_LOAD_TRANSITIONS] =
                "SELECT realtime_usec, old_state, new_state, reason_code, reason_text FROM transition"
                " WHERE service_id = " ID_OF_NAME " ORDER BY id DESC LIMIT ?2",
        /* One row a probe: the verdict of another invocation gives way. */
        [QUERY_PUT_VERDICT] = "INSERT OR REPLACE INTO verdict (service_id, probe, invocation_id, verdict, error,"
                              " realtime_usec) VALUES (" ID_OF_NAME ", ?2, ?3, ?4, ?5, ?6)",
        [QUERY_GET_VERDICT] = "SELECT verdict, error, realtime_usec FROM verdict"
                              " WHERE service_id = " ID_OF_NAME " AND probe = ?2 AND invocation_id = ?3",
        [QUERY_PUT_HEALING] = "INSERT OR REPLACE INTO healing (service_id, n_attempts, is_spent, last_realtime_usec)"
                              " VALUES (" ID_OF_NAME ", ?2, ?3, ?4)",
        [QUERY_DROP_HEALING] = "DELETE FROM healing WHERE service_id = " ID_OF_NAME,
        [QUERY_GET_HEALING] =
                "SELECT n_attempts, is_spent, last_realtime_usec FROM healing WHERE service_id = " ID_OF_NAME,
};

static const char *const intention_words[_INTENTION_MAX] = {
        [INTENTION_NONE] = "none",       [INTENTION_START] = "start",     [INTENTION_STOP] = "stop",
        [INTENTION_RESTART] = "restart", [INTENTION_REPLACE] = "replace", [INTENTION_REMOVE] = "remove",
        [INTENTION_REFRESH] = "refresh",
};

struct Store {
        sqlite3 *db;
        sqlite3_stmt *queries[_QUERY_MAX]; /* prepared at first use, kept */
        bool is_read_only;
        bool in_transaction;
        int transaction_error;   /* the first write of it that failed: none of it will be committed */
        bool has_new_definition; /* in that transaction */
};

/* A transaction that was begun has to end, also where there is no memory left to say so. */
static int prepare_ending(Store *s) {
        static const Query ending[] = { QUERY_COMMIT, QUERY_ROLLBACK };
        int rc = SQLITE_OK;

        for (size_t i = 0; rc == SQLITE_OK && i < ELEMENTSOF(ending); i++)
                rc = sqlite3_prepare_v3(s->db, query_sql[ending[i]], -1, SQLITE_PREPARE_PERSISTENT,
                                        &s->queries[ending[i]], NULL);
        return store_database_outcome(s->db, rc);
}

int store_open(const char *path, Store **ret, char **reterr_message) {
        _cleanup_(store_closep) Store *s = NULL;
        int r;

        *reterr_message = NULL;
        s = calloc(1, sizeof(Store));
        if (!s)
                return -ENOMEM;
        r = store_database_open(path, &s->db, &s->is_read_only, reterr_message);
        if (r == 0)
                r = prepare_ending(s);
        if (r != 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

void store_release_memory(Store *s) {
        (void) sqlite3_db_release_memory(s->db);
}

Store *store_close(Store *s) {
        if (!s)
                return NULL;
        for (int i = 0; i < _QUERY_MAX; i++)
                (void) sqlite3_finalize(s->queries[i]);
        (void) sqlite3_close(s->db);
        free(s);
        return NULL;
}

/* ---- running queries ---- */

/* Prepares `query` and binds its arguments, one a letter of `types`: s a string (NULL: empty), which must live until
 * the query is reset; i an int64_t. */
static int query_bind(Store *s, Query query, sqlite3_stmt **ret, const char *types, va_list ap) {
        sqlite3_stmt **q = &s->queries[query];
        int rc = SQLITE_OK;

        if (!*q)
                rc = sqlite3_prepare_v3(s->db, query_sql[query], -1, SQLITE_PREPARE_PERSISTENT, q, NULL);
        for (int i = 0; rc == SQLITE_OK && types[i]; i++)
                if (types[i] == 's') {
                        const char *text = va_arg(ap, const char *);

                        rc = sqlite3_bind_text(*q, i + 1, text ? text : "", -1, SQLITE_STATIC);
                } else
                        rc = sqlite3_bind_int64(*q, i + 1, va_arg(ap, int64_t));
        if (rc != SQLITE_OK)
                return store_database_outcome(s->db, rc);
        *ret = *q;
        return 0;
}

static void query_reset(sqlite3_stmt *q) {
        (void) sqlite3_reset(q);
        (void) sqlite3_clear_bindings(q);
}
DEFINE_CLEANUP(sqlite3_stmt *, query_reset)

static int query_open(Store *s, Query query, sqlite3_stmt **ret, const char *types, ...) {
        va_list ap;
        int r;

        va_start(ap, types);
        r = query_bind(s, query, ret, types, ap);
        va_end(ap);
        return r;
}

/* *ret_is_row: there is a next row, and its columns can be read. */
static int query_next(Store *s, sqlite3_stmt *q, bool *ret_is_row) {
        int rc = sqlite3_step(q);

        *ret_is_row = rc == SQLITE_ROW;
        return store_database_outcome(s->db, rc);
}

static int column_copy(sqlite3_stmt *q, int column, char **ret) {
        const char *text = (const char *) sqlite3_column_text(q, column);

        *ret = text ? strdup(text) : NULL;
        return *ret ? 0 : -ENOMEM;
}

static int roll_back(Store *s) {
        _cleanup_(query_resetp) sqlite3_stmt *q = s->queries[QUERY_ROLLBACK];
        bool is_row;

        return query_next(s, q, &is_row);
}

/* One statement that changes something. */
static int store_write(Store *s, Query query, const char *types, ...) {
        _cleanup_(query_resetp) sqlite3_stmt *q = NULL;
        bool is_row;
        va_list ap;
        int r;

        if (s->is_read_only)
                return HERO_E_STORE_FULL;
        /* What could not be rolled back would swallow this: it would be there for us, and never be committed. */
        if (!s->in_transaction && !sqlite3_get_autocommit(s->db) && (r = roll_back(s)) != 0)
                return r;
        /* After some failures SQLite has rolled back by itself; what came now would be committed alone. */
        if (s->in_transaction && s->transaction_error != 0)
                return s->transaction_error;

        va_start(ap, types);
        r = query_bind(s, query, &q, types, ap);
        va_end(ap);
        if (r == 0)
                r = query_next(s, q, &is_row);
        if (r != 0 && s->in_transaction)
                s->transaction_error = r;
        return r;
}

/* The same for one that must have met a row. */
static int store_found(Store *s, int r) {
        return r != 0 ? r : sqlite3_changes(s->db) > 0 ? 0 : -ENOENT;
}

/* ---- transactions ---- */

int store_begin(Store *s) {
        int r;

        assert(!s->in_transaction);
        r = store_write(s, QUERY_BEGIN, "");
        if (r != 0)
                return r;
        s->in_transaction = true;
        s->transaction_error = 0;
        s->has_new_definition = false;
        return 0;
}

/* A frame of the log that is damaged ends it for SQLite, without a word: what was taken must not stand in there alone.
 * What fails here is in there still, and comes with the next. */
static void move_out_of_log(Store *s) {
        (void) sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

int store_commit(Store *s) {
        int r;

        assert(s->in_transaction);
        r = store_write(s, QUERY_COMMIT, "");
        if (r != 0)
                store_rollback(s);
        s->in_transaction = false;
        if (r == 0 && s->has_new_definition)
                move_out_of_log(s);
        return r;
}

void store_rollback(Store *s) {
        s->in_transaction = false;
        if (!sqlite3_get_autocommit(s->db))
                (void) roll_back(s);
}

/* ---- services ---- */

static int intention_from_word(const char *word, IntentionKind *ret) {
        for (int i = 0; i < _INTENTION_MAX; i++)
                if (strcmp(word, intention_words[i]) == 0) {
                        *ret = (IntentionKind) i;
                        return 0;
                }
        return -EUCLEAN;
}

/* Fills one zeroed item from the row at hand; what it leaves half-filled after a failure is freed with the list. */
typedef int (*ReadItem)(sqlite3_stmt *q, void *item);

/* All rows of `q`, also those read before a failure. */
static int load_list(Store *s, sqlite3_stmt *q, size_t item_bytes, ReadItem read_item, void **list, size_t *n) {
        bool is_row;
        int r;

        while ((r = query_next(s, q, &is_row)) == 0 && is_row) {
                if ((*n & (*n - 1)) == 0) { /* full: it grows at the powers of two */
                        void *grown = realloc(*list, (*n ? 2 * *n : 1) * item_bytes);

                        if (!grown)
                                return -ENOMEM;
                        *list = grown;
                }
                void *item = (char *) *list + *n * item_bytes;
                memset(item, 0, item_bytes);
                (*n)++;
                r = read_item(q, item);
                if (r != 0)
                        return r;
        }
        return r;
}

static int read_service(sqlite3_stmt *q, void *item) {
        const char *intention = (const char *) sqlite3_column_text(q, 4);
        StoredService *service = item;
        int r;

        if ((r = column_copy(q, 0, &service->name)) < 0 || (r = column_copy(q, 1, &service->text)) < 0 ||
            (r = column_copy(q, 3, &service->actions_down)) < 0)
                return r;
        service->wanted_up = sqlite3_column_int(q, 2) != 0;
        service->asked_usec = (uint64_t) sqlite3_column_int64(q, 5);
        if (!intention)
                return -ENOMEM;
        if (intention_from_word(intention, &service->intention) < 0)
                service->damaged = "intention";
        if (sqlite3_column_int(q, 7) != 0)
                service->damaged = "wish";
        if (sqlite3_column_int(q, 6) != 0)
                service->damaged = "definition";
        return 0;
}

int store_load(Store *s, StoredService **ret, size_t *ret_n) {
        _cleanup_(query_resetp) sqlite3_stmt *q = NULL;
        void *list = NULL;
        size_t n = 0;
        int r;

        r = query_open(s, QUERY_LOAD, &q, "");
        if (r == 0)
                r = load_list(s, q, sizeof(StoredService), read_service, &list, &n);
        if (r != 0) {
                stored_service_free_list(list, n);
                return r;
        }
        *ret = list;
        *ret_n = n;
        return 0;
}

void stored_service_free_list(StoredService *list, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(list[i].name);
                free(list[i].text);
                free(list[i].actions_down);
        }
        free(list);
}

int store_put_definition(Store *s, const char *name, const char *text, bool wanted_up) {
        int r = store_write(s, QUERY_PUT_DEFINITION, "ssi", name, text, (int64_t) wanted_up);

        if (r != 0)
                return r;
        s->has_new_definition = true;
        if (!s->in_transaction)
                move_out_of_log(s);
        return 0;
}

int store_remove_service(Store *s, const char *name) {
        return store_found(s, store_write(s, QUERY_REMOVE_SERVICE, "s", name));
}

int store_set_wanted(Store *s, const char *name, bool wanted_up, const char *actions_down) {
        return store_found(s, store_write(s, QUERY_SET_WANTED, "sis", name, (int64_t) wanted_up, actions_down));
}

int store_set_intention(Store *s, const char *name, IntentionKind intention, uint64_t asked_usec) {
        return store_found(
                s, store_write(s, QUERY_SET_INTENTION, "ssi", name, intention_words[intention], (int64_t) asked_usec));
}

/* ---- the boot id ---- */

int store_get_boot_id(Store *s, char **ret) {
        _cleanup_(query_resetp) sqlite3_stmt *q = NULL;
        bool is_row = false;
        int r;

        r = query_open(s, QUERY_GET_BOOT_ID, &q, "");
        if (r == 0)
                r = query_next(s, q, &is_row);
        if (r != 0)
                return r;
        if (is_row)
                return column_copy(q, 0, ret);
        *ret = strdup("");
        return *ret ? 0 : -ENOMEM;
}

int store_set_boot_id(Store *s, const char *boot_id) {
        return store_write(s, QUERY_SET_BOOT_ID, "s", boot_id);
}

/* ---- history ---- */

int store_add_transition(Store *s, const char *name, uint64_t realtime_usec, const char *old_state,
                         const char *new_state, const char *reason_code, const char *reason_text) {
        return store_write(s, QUERY_ADD_TRANSITION, "sissss", name, (int64_t) realtime_usec, old_state, new_state,
                           reason_code, reason_text);
}

static int read_transition(sqlite3_stmt *q, void *item) {
        StoredTransition *t = item;
        int r;

        t->realtime_usec = (uint64_t) sqlite3_column_int64(q, 0);
        if ((r = column_copy(q, 1, &t->old_state)) < 0 || (r = column_copy(q, 2, &t->new_state)) < 0 ||
            (r = column_copy(q, 3, &t->reason_code)) < 0)
                return r;
        return column_copy(q, 4, &t->reason_text);
}

int store_load_transitions(Store *s, const char *name, unsigned limit, StoredTransition **ret, size_t *ret_n) {
        _cleanup_(query_resetp) sqlite3_stmt *q = NULL;
        void *list = NULL;
        size_t n = 0;
        int r;

        r = query_open(s, QUERY_LOAD_TRANSITIONS, &q, "si", name, (int64_t) limit);
        if (r == 0)
                r = load_list(s, q, sizeof(StoredTransition), read_transition, &list, &n);
        if (r != 0) {
                stored_transition_free_list(list, n);
                return r;
        }
        *ret = list;
        *ret_n = n;
        return 0;
}

void stored_transition_free_list(StoredTransition *list, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(list[i].old_state);
                free(list[i].new_state);
                free(list[i].reason_code);
                free(list[i].reason_text);
        }
        free(list);
}

/* ---- healing ---- */

int store_put_healing(Store *s, const char *name, const StoredHealing *healing) {
        if (healing->n_attempts == 0)
                return store_write(s, QUERY_DROP_HEALING, "s", name);
        return store_write(s, QUERY_PUT_HEALING, "siii", name, (int64_t) healing->n_attempts,
                           (int64_t) healing->is_spent, (int64_t) healing->last_realtime_usec);
}

int store_get_healing(Store *s, const char *name, StoredHealing *ret) {
        _cleanup_(query_resetp) sqlite3_stmt *q = NULL;
        bool is_row = false;
        int r;

        r = query_open(s, QUERY_GET_HEALING, &q, "s", name);
        if (r == 0)
                r = query_next(s, q, &is_row);
        if (r != 0 || !is_row)
                return r != 0 ? r : -ENOENT;
        *ret = (StoredHealing){
                .n_attempts = (unsigned) sqlite3_column_int64(q, 0),
                .is_spent = sqlite3_column_int64(q, 1) != 0,
                .last_realtime_usec = (uint64_t) sqlite3_column_int64(q, 2),
        };
        return 0;
}

/* ---- verdicts ---- */

int store_put_verdict(Store *s, const char *service, const char *probe, const char *invocation_id, const char *verdict,
                      const char *error, uint64_t realtime_usec) {
        return store_write(s, QUERY_PUT_VERDICT, "sssssi", service, probe, invocation_id, verdict, error,
                           (int64_t) realtime_usec);
}

int store_get_verdict(Store *s, const char *service, const char *probe, const char *invocation_id, char **ret_verdict,
                      char **ret_error, uint64_t *ret_realtime_usec) {
        _cleanup_(query_resetp) sqlite3_stmt *q = NULL;
        _cleanup_free_ char *verdict = NULL, *error = NULL;
        bool is_row = false;
        int r;

        r = query_open(s, QUERY_GET_VERDICT, &q, "sss", service, probe, invocation_id);
        if (r == 0)
                r = query_next(s, q, &is_row);
        if (r != 0)
                return r;
        if (!is_row)
                return -ENOENT;
        if ((r = column_copy(q, 0, &verdict)) < 0 || (r = column_copy(q, 1, &error)) < 0)
                return r;
        *ret_realtime_usec = (uint64_t) sqlite3_column_int64(q, 2);
        *ret_verdict = TAKE_PTR(verdict);
        *ret_error = TAKE_PTR(error);
        return 0;
}
