/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "boundary/store.h"

static char base[] = "/tmp/test_store.XXXXXX", folder[64], path[80];

__attribute__((constructor)) static void base_make(void) {
        if (!mkdtemp(base))
                abort();
        snprintf(folder, sizeof folder, "%s/state/hero %%?#", base); /* as hard as a path gets */
        snprintf(path, sizeof path, "%s/hero_proc.db", folder);
        (void) signal(SIGXFSZ, SIG_IGN);
        alarm(120);
}

static void remove_files(void) {
        char command[160];

        snprintf(command, sizeof command, "rm -rf '%s/state'", base);
        if (system(command) != 0)
                abort();
}

static pid_t main_pid;

__attribute__((constructor)) static void note_pid(void) {
        main_pid = getpid();
}

__attribute__((destructor)) static void base_remove(void) {
        if (getpid() != main_pid)
                return;
        remove_files();
        (void) rmdir(base);
}

/* NULL where it does not open; the message, if any, goes to *ret_message or is dropped. */
static Store *open_store(int *ret_r, char **ret_message) {
        _cleanup_free_ char *message = NULL;
        Store *s = NULL;
        int r = store_open(path, &s, &message);

        if (ret_r)
                *ret_r = r;
        if (ret_message)
                *ret_message = TAKE_PTR(message);
        else if (r != 0)
                printf("     store_open: %d %s\n", r, message ? message : "(no message)");
        return s;
}

static Store *fresh_store(void) {
        remove_files();
        return open_store(NULL, NULL);
}

/* The text of service `name`, "" when there is none; to be freed. */
static char *text_of(Store *s, const char *name) {
        StoredService *list = NULL;
        char *text = NULL;
        size_t n = 0;

        if (store_load(s, &list, &n) != 0)
                return strdup("(cannot be read)");
        for (size_t i = 0; i < n; i++)
                if (strcmp(list[i].name, name) == 0)
                        text = strdup(list[i].text);
        stored_service_free_list(list, n);
        return text ? text : strdup("");
}

#define ASSERT_TEXT(store, name, expected)                                \
        do {                                                              \
                _cleanup_free_ char *text_now = text_of((store), (name)); \
                ASSERT_STREQ(text_now, (expected));                       \
        } while (0)

/* ---- what is kept ---- */

TEST(everything_comes_back_after_a_restart) {
        _cleanup_(store_closep) Store *s = fresh_store();
        _cleanup_free_ char *boot_id = NULL, *verdict = NULL, *error = NULL;
        StoredTransition *history;
        StoredService *list;
        uint64_t when;
        size_t n;

        ASSERT(s);
        ASSERT_EQ(store_put_definition(s, "b", "{\"name\": \"b\"}\n", true), 0);
        ASSERT_EQ(store_put_definition(s, "a", "grüß ' \" ;", false), 0);
        ASSERT_EQ(store_set_wanted(s, "b", true, "ui worker"), 0);
        ASSERT_EQ(store_set_intention(s, "b", INTENTION_REPLACE, 0), 0);
        ASSERT_EQ(store_set_boot_id(s, "boot-1"), 0);
        ASSERT_EQ(store_add_transition(s, "b", UINT64_MAX, "starting", "running", "", "text"), 0);
        ASSERT_EQ(store_put_verdict(s, "b", "rpc", "0123", "failed", "closed", 42), 0);
        store_close(s);
        s = open_store(NULL, NULL);
        ASSERT(s);

        ASSERT_EQ(store_load(s, &list, &n), 0);
        ASSERT_EQ(n, 2);
        ASSERT_STREQ(list[0].name, "a");
        ASSERT_STREQ(list[0].text, "grüß ' \" ;");
        ASSERT(!list[0].wanted_up);
        ASSERT_STREQ(list[0].actions_down, "");
        ASSERT_EQ(list[0].intention, INTENTION_NONE);
        ASSERT_STREQ(list[1].text, "{\"name\": \"b\"}\n");
        ASSERT(list[1].wanted_up);
        ASSERT_STREQ(list[1].actions_down, "ui worker");
        ASSERT_EQ(list[1].intention, INTENTION_REPLACE);
        stored_service_free_list(list, n);

        ASSERT_EQ(store_get_boot_id(s, &boot_id), 0);
        ASSERT_STREQ(boot_id, "boot-1");
        ASSERT_EQ(store_load_transitions(s, "b", 10, &history, &n), 0);
        ASSERT_EQ(n, 1);
        ASSERT(history[0].realtime_usec == UINT64_MAX);
        ASSERT_STREQ(history[0].old_state, "starting");
        ASSERT_STREQ(history[0].new_state, "running");
        ASSERT_STREQ(history[0].reason_code, "");
        ASSERT_STREQ(history[0].reason_text, "text");
        stored_transition_free_list(history, n);
        ASSERT_EQ(store_get_verdict(s, "b", "rpc", "0123", &verdict, &error, &when), 0);
        ASSERT_STREQ(verdict, "failed");
        ASSERT_STREQ(error, "closed");
        ASSERT_EQ(when, 42);
}

TEST(a_new_store_is_empty_and_for_our_eyes_only) {
        _cleanup_(store_closep) Store *s = fresh_store();
        _cleanup_free_ char *boot_id = NULL;
        StoredService *list;
        struct stat st;
        size_t n;

        ASSERT(s);
        ASSERT_EQ(store_load(s, &list, &n), 0);
        ASSERT_EQ(n, 0);
        stored_service_free_list(list, n);
        ASSERT_EQ(store_get_boot_id(s, &boot_id), 0);
        ASSERT_STREQ(boot_id, "");
        ASSERT(stat(folder, &st) == 0 && (st.st_mode & 0777) == 0700);
        ASSERT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
}

TEST(a_new_definition_leaves_what_is_wanted_alone) {
        _cleanup_(store_closep) Store *s = fresh_store();
        StoredService *list;
        size_t n;

        ASSERT_EQ(store_put_definition(s, "a", "1", true), 0);
        ASSERT_EQ(store_set_wanted(s, "a", false, "ui"), 0);
        ASSERT_EQ(store_set_intention(s, "a", INTENTION_RESTART, UINT64_MAX), 0);
        ASSERT_EQ(store_put_definition(s, "a", "2", true), 0);
        ASSERT_EQ(store_load(s, &list, &n), 0);
        ASSERT_EQ(n, 1);
        ASSERT_STREQ(list[0].text, "2");
        ASSERT(!list[0].wanted_up);
        ASSERT_STREQ(list[0].actions_down, "ui");
        ASSERT_EQ(list[0].intention, INTENTION_RESTART);
        ASSERT_EQ(list[0].asked_usec, UINT64_MAX);
        stored_service_free_list(list, n);
}

TEST(what_is_said_of_an_unknown_service_is_refused) {
        _cleanup_(store_closep) Store *s = fresh_store();

        ASSERT_EQ(store_set_wanted(s, "x", true, NULL), -ENOENT);
        ASSERT_EQ(store_set_intention(s, "x", INTENTION_STOP, 0), -ENOENT);
        ASSERT_EQ(store_remove_service(s, "x"), -ENOENT);
        ASSERT_EQ(store_add_transition(s, "x", 1, "a", "b", "", ""), -ENOENT);
        ASSERT_EQ(store_put_verdict(s, "x", "p", "0", "ok", "", 1), -ENOENT);
}

static size_t n_transitions(Store *s, const char *name, unsigned limit, uint64_t *ret_newest, uint64_t *ret_oldest) {
        StoredTransition *list;
        size_t n;

        if (store_load_transitions(s, name, limit, &list, &n) != 0)
                return SIZE_MAX;
        if (n > 0) {
                *ret_newest = list[0].realtime_usec;
                *ret_oldest = list[n - 1].realtime_usec;
        }
        stored_transition_free_list(list, n);
        return n;
}

TEST(history_keeps_the_newest_200_of_each_service) {
        _cleanup_(store_closep) Store *s = fresh_store();
        uint64_t newest = 0, oldest = 0;

        ASSERT_EQ(store_put_definition(s, "busy", "", true), 0);
        ASSERT_EQ(store_put_definition(s, "calm", "", true), 0);
        ASSERT_EQ(store_add_transition(s, "calm", 7, "a", "b", "", ""), 0);
        ASSERT_EQ(store_begin(s), 0);
        for (uint64_t i = 1; i <= 500; i++)
                ASSERT_EQ(store_add_transition(s, "busy", i, "a", "b", "", ""), 0);
        ASSERT_EQ(store_commit(s), 0);
        ASSERT_EQ(n_transitions(s, "busy", 1000, &newest, &oldest), 200);
        ASSERT_EQ(newest, 500);
        ASSERT_EQ(oldest, 301);
        ASSERT_EQ(n_transitions(s, "busy", 3, &newest, &oldest), 3);
        ASSERT_EQ(oldest, 498);
        ASSERT_EQ(n_transitions(s, "calm", 1000, &newest, &oldest), 1);
}

TEST(a_removed_service_takes_its_history_and_verdicts_along) {
        _cleanup_(store_closep) Store *s = fresh_store();
        _cleanup_free_ char *verdict = NULL, *error = NULL;
        uint64_t newest, oldest;

        ASSERT_EQ(store_put_definition(s, "a", "", true), 0);
        ASSERT_EQ(store_add_transition(s, "a", 1, "a", "b", "", ""), 0);
        ASSERT_EQ(store_put_verdict(s, "a", "p", "0", "ok", "", 1), 0);
        ASSERT_EQ(store_remove_service(s, "a"), 0);
        ASSERT_EQ(store_put_definition(s, "a", "", true), 0);
        ASSERT_EQ(n_transitions(s, "a", 10, &newest, &oldest), 0);
        ASSERT_EQ(store_get_verdict(s, "a", "p", "0", &verdict, &error, &newest), -ENOENT);
}

TEST(a_verdict_is_of_one_definition) {
        _cleanup_(store_closep) Store *s = fresh_store();
        _cleanup_free_ char *verdict = NULL, *error = NULL;
        uint64_t when;

        ASSERT_EQ(store_put_definition(s, "a", "{}", true), 0);
        ASSERT_EQ(store_put_definition(s, "b", "{}", true), 0);
        ASSERT_EQ(store_put_verdict(s, "a", "p", "first", "failed", "x", 1), 0);
        ASSERT_EQ(store_put_verdict(s, "b", "p", "first", "failed", "x", 1), 0);
        ASSERT_EQ(store_put_definition(s, "a", "{ }", true), 0);
        ASSERT_EQ(store_get_verdict(s, "a", "p", "first", &verdict, &error, &when), -ENOENT);
        ASSERT_EQ(store_get_verdict(s, "b", "p", "first", &verdict, &error, &when), 0);
}

TEST(a_verdict_is_of_one_invocation) {
        _cleanup_(store_closep) Store *s = fresh_store();
        _cleanup_free_ char *verdict = NULL, *error = NULL;
        uint64_t when;

        ASSERT_EQ(store_put_definition(s, "a", "", true), 0);
        ASSERT_EQ(store_put_verdict(s, "a", "p", "first", "failed", "x", 1), 0);
        ASSERT_EQ(store_put_verdict(s, "a", "p", "second", "ok", "", 2), 0);
        ASSERT_EQ(store_get_verdict(s, "a", "p", "first", &verdict, &error, &when), -ENOENT);
        ASSERT_EQ(store_get_verdict(s, "a", "p", "second", &verdict, &error, &when), 0);
        ASSERT_STREQ(verdict, "ok");
}

/* ---- all or nothing ---- */

TEST(a_transaction_rolled_back_was_never_there) {
        _cleanup_(store_closep) Store *s = fresh_store();

        ASSERT_EQ(store_put_definition(s, "a", "old", true), 0);
        ASSERT_EQ(store_begin(s), 0);
        ASSERT_EQ(store_put_definition(s, "a", "new", true), 0);
        ASSERT_EQ(store_put_definition(s, "b", "new", true), 0);
        store_rollback(s);
        store_rollback(s); /* twice does no harm */
        ASSERT_TEXT(s, "a", "old");
        ASSERT_TEXT(s, "b", "");
        ASSERT_EQ(store_put_definition(s, "c", "after", true), 0);
        ASSERT_TEXT(s, "c", "after");
}

TEST(a_failed_write_fails_its_whole_transaction) {
        _cleanup_(store_closep) Store *s = fresh_store();

        ASSERT_EQ(store_begin(s), 0);
        ASSERT_EQ(store_put_definition(s, "a", "1", true), 0);
        ASSERT_EQ(store_add_transition(s, "nobody", 1, "a", "b", "", ""), -ENOENT);
        ASSERT_EQ(store_put_definition(s, "b", "1", true), -ENOENT);
        ASSERT_EQ(store_commit(s), -ENOENT);
        ASSERT_TEXT(s, "a", "");
        ASSERT_TEXT(s, "b", "");
}

/* Writes the same number in two places a commit, and tells each commit by one byte. */
static _Noreturn void write_until_killed(int ack_fd) {
        Store *s = open_store(NULL, NULL);
        char number[32];

        for (unsigned i = 0; s; i++) {
                snprintf(number, sizeof number, "%u", i);
                if (store_begin(s) != 0 || store_put_definition(s, "a", number, true) != 0 ||
                    store_add_transition(s, "a", i, "x", "y", "", number) != 0 || store_set_boot_id(s, number) != 0 ||
                    store_commit(s) != 0 || write(ack_fd, "", 1) != 1)
                        break;
        }
        _exit(1);
}

/* How many commits a writer acknowledged until it was killed, some time after the first `n_wanted`. */
static long kill_a_writer(long n_wanted) {
        char acks[4096];
        long n = 0;
        ssize_t r;
        int fds[2];
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                abort();
        pid = fork();
        if (pid == 0)
                write_until_killed(fds[1]);
        close(fds[1]);
        while (n < n_wanted && (r = read(fds[0], acks, 1)) > 0)
                n += r;
        (void) kill(pid, SIGKILL);
        while ((r = read(fds[0], acks, sizeof acks)) > 0)
                n += r;
        close(fds[0]);
        (void) waitpid(pid, NULL, 0);
        return n;
}

TEST(no_acknowledged_commit_is_lost_and_none_is_half_there_when_the_writer_is_killed) {
        for (int round = 0; round < 25; round++) {
                remove_files();
                long n_acknowledged = kill_a_writer(1 + round * 7);
                _cleanup_(store_closep) Store *s = open_store(NULL, NULL);
                _cleanup_free_ char *text = NULL, *boot_id = NULL;
                uint64_t newest = 0, oldest = 0;

                ASSERT(s);
                ASSERT(n_acknowledged >= 1 + round * 7);
                text = text_of(s, "a");
                ASSERT_EQ(store_get_boot_id(s, &boot_id), 0);
                ASSERT_STREQ(text, boot_id);
                ASSERT(n_transitions(s, "a", 1, &newest, &oldest) == 1);
                ASSERT_EQ(newest, atol(text));
                /* The one commit more is one that was made and not yet told. */
                ASSERT(atol(text) == n_acknowledged - 1 || atol(text) == n_acknowledged);
        }
}

/* ---- what is refused ---- */

static bool same_as_file(const char *bytes, size_t size) {
        _cleanup_free_ char *now = malloc(size + 1);
        _cleanup_fclose_ FILE *f = fopen(path, "re");

        return now && f && fread(now, 1, size + 1, f) == size && memcmp(now, bytes, size) == 0;
}

static void write_file(const char *bytes, size_t size) {
        _cleanup_fclose_ FILE *f = NULL;

        store_close(fresh_store()); /* for the folder */
        (void) unlink(path);
        f = fopen(path, "we");
        if (!f || fwrite(bytes, 1, size, f) != size)
                abort();
}

/* Alters the database behind the store's back. */
static void alter(const char *sql) {
        sqlite3 *db;

        if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                abort();
        sqlite3_close(db);
}

TEST(a_file_of_something_else_is_refused_and_left_as_it_is) {
        static const size_t sizes[] = { 2, 15, 99, 100, 4096, 10000 };
        char garbage[10000];

        memset(garbage, 'g', sizeof garbage);
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                _cleanup_free_ char *message = NULL;
                int r;

                write_file(garbage, sizes[i]);
                ASSERT(!open_store(&r, &message));
                ASSERT_EQ(r, -EUCLEAN);
                ASSERT(message && strstr(message, path));
                ASSERT(same_as_file(garbage, sizes[i]));
        }
}

TEST(a_database_of_another_program_is_refused_and_left_as_it_is) {
        _cleanup_free_ char *message = NULL;
        char before[65536];
        int r;

        write_file("", 0);
        alter("CREATE TABLE other (x); INSERT INTO other VALUES (1)");
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        size_t size = fread(before, 1, sizeof before, f);
        ASSERT(!open_store(&r, &message));
        ASSERT_EQ(r, -EUCLEAN);
        ASSERT(strstr(message, "not one of hero_proc"));
        ASSERT(same_as_file(before, size));
}

TEST(a_newer_schema_is_refused_and_named) {
        _cleanup_free_ char *message = NULL;
        int r;

        store_close(fresh_store());
        alter("PRAGMA user_version = 7");
        ASSERT(!open_store(&r, &message));
        ASSERT_EQ(r, -EPROTO);
        ASSERT(strstr(message, path));
        ASSERT(strstr(message, "schema 7"));
}

TEST(damage_is_found_at_the_start) {
        _cleanup_(store_closep) Store *s = fresh_store();
        _cleanup_free_ char *message = NULL;
        char big[3000], nothing[200] = "";
        int r;

        memset(big, 'x', sizeof big);
        big[sizeof big - 1] = '\0';
        for (char name[2] = "a"; name[0] <= 'z'; name[0]++)
                ASSERT_EQ(store_put_definition(s, name, big, true), 0);
        s = store_close(s);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
        struct stat st;
        ASSERT_EQ(fstat(fd, &st), 0);
        ASSERT(st.st_size > 20 * 4096);
        ASSERT(pwrite(fd, nothing, sizeof nothing, st.st_size - 2 * 4096) == sizeof nothing);
        ASSERT(!open_store(&r, &message));
        ASSERT_EQ(r, -EUCLEAN);
        ASSERT(strstr(message, "damaged"));
}

/* Writes `to` over the first place in the file where `from` stands. */
static bool overwrite(const char *from, const char *to) {
        _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
        static char bytes[256 * 1024];
        ssize_t n = read(fd, bytes, sizeof bytes);
        char *found = n > 0 ? memmem(bytes, (size_t) n, from, strlen(from)) : NULL;

        return found && pwrite(fd, to, strlen(to), found - bytes) == (ssize_t) strlen(to);
}

TEST(an_index_that_has_another_name_than_its_table_is_found_at_the_start) {
        _cleanup_(store_closep) Store *s = fresh_store();
        _cleanup_free_ char *message = NULL;
        int r;

        ASSERT_EQ(store_put_definition(s, "the_only_one", "{}", true), 0);
        s = store_close(s);
        ASSERT(overwrite("the_only_one", "the_only_onf"));
        ASSERT(!open_store(&r, &message));
        ASSERT_EQ(r, -EUCLEAN);
        ASSERT(strstr(message, "damaged"));
}

/* A store with a log beside it, as after a crash: a link keeps that, where a clean end would remove it. */
static void leave_a_log(char **ret_log) {
        _cleanup_(store_closep) Store *s = fresh_store();
        _cleanup_free_ char *kept = NULL;

        ASSERT_EQ(store_put_definition(s, "a", "{}", true), 0);
        ASSERT_EQ(store_set_boot_id(s, "boot-1"), 0);
        ASSERT(asprintf(ret_log, "%s-wal", path) >= 0 && asprintf(&kept, "%s-kept", path) >= 0);
        ASSERT(link(*ret_log, kept) == 0);
        s = store_close(s);
        ASSERT(rename(kept, *ret_log) == 0);
}

TEST(what_is_left_of_a_file_that_was_cut_is_no_new_store) {
        for (size_t n = 0; n < 100; n += 33) {
                _cleanup_free_ char *message = NULL, *log = NULL;
                struct stat st;
                int r;

                leave_a_log(&log);
                ASSERT(truncate(path, (off_t) n) == 0);
                ASSERT(!open_store(&r, &message));
                ASSERT_EQ(r, -EUCLEAN);
                ASSERT(strstr(message, "bytes of it are left"));
                ASSERT(stat(path, &st) == 0 && st.st_size == (off_t) n && stat(log, &st) == 0 && st.st_size > 0);
        }
}

TEST(a_log_without_its_file_is_no_new_store) {
        _cleanup_free_ char *message = NULL, *log = NULL;
        int r;

        leave_a_log(&log);
        ASSERT(unlink(path) == 0);
        ASSERT(!open_store(&r, &message));
        ASSERT_EQ(r, -EUCLEAN);
        ASSERT(strstr(message, "only 0 bytes of it are left"));
        ASSERT(access(log, F_OK) == 0 && access(path, F_OK) < 0);
}

/* The journal shows a message with a control character in it as "blob data". */
TEST(what_is_said_of_a_damaged_file_can_be_read) {
        _cleanup_free_ char *message = NULL;
        int r;

        store_close(fresh_store());
        ASSERT(overwrite("CREATE TABLE transition (", "CREATE TABLE transition \1\xff"));
        ASSERT(!open_store(&r, &message));
        ASSERT(strstr(message, "malformed") && !strchr(message, 1) && !strchr(message, '\xff'));
}

/* A new one has its first page when it takes its name. */
TEST(a_file_that_was_cut_to_nothing_is_no_new_store) {
        _cleanup_free_ char *message = NULL;
        int r;

        write_file("", 0);
        ASSERT(!open_store(&r, &message));
        ASSERT_EQ(r, -EUCLEAN);
        ASSERT(strstr(message, "only 0 bytes of it are left"));
}

static int count_files(void) {
        char command[160];

        snprintf(command, sizeof command, "exit $(ls -A '%s' | wc -l)", folder);
        return WEXITSTATUS(system(command));
}

TEST(a_store_that_was_closed_is_one_file) {
        store_close(fresh_store());
        ASSERT_EQ(count_files(), 1);
        store_close(open_store(NULL, NULL));
        ASSERT_EQ(count_files(), 1);
}

/* ---- what was changed by somebody else ---- */

/* What is said to be damaged of the first service, "" for nothing. */
static const char *damage_of_first(Store *s) {
        StoredService *list = NULL;
        const char *damaged = "(cannot be read)";
        size_t n = 0;

        if (s && store_load(s, &list, &n) == 0 && n > 0)
                damaged = list[0].damaged ? list[0].damaged : "";
        stored_service_free_list(list, n);
        return damaged;
}

TEST(a_definition_that_something_else_has_changed_is_told_until_it_is_put_again) {
        _cleanup_(store_closep) Store *s = fresh_store();

        ASSERT_EQ(store_put_definition(s, "a", "{\"exec\": [\"/bin/one\"]}", true), 0);
        ASSERT_STREQ(damage_of_first(s), "");
        s = store_close(s);
        ASSERT(overwrite("/bin/one", "/bin/onE"));
        s = open_store(NULL, NULL);
        ASSERT_STREQ(damage_of_first(s), "definition");
        ASSERT_EQ(store_set_wanted(s, "a", true, ""), 0);
        ASSERT_EQ(store_set_intention(s, "a", INTENTION_STOP, 1), 0);
        ASSERT_STREQ(damage_of_first(s), "definition");
        ASSERT_EQ(store_put_definition(s, "a", "{\"exec\": [\"/bin/one\"]}", true), 0);
        ASSERT_STREQ(damage_of_first(s), "");
        s = store_close(s);
        s = open_store(NULL, NULL);
        ASSERT_STREQ(damage_of_first(s), "");
}

TEST(what_something_else_has_changed_of_a_wish_is_told_until_it_is_wished_again) {
        static const char *const changes[] = { "UPDATE service SET wanted_up = 0",
                                               "UPDATE service SET actions_down = 'uj'" };

        for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
                _cleanup_(store_closep) Store *s = fresh_store();

                ASSERT_EQ(store_put_definition(s, "a", "{}", true), 0);
                ASSERT_EQ(store_set_wanted(s, "a", true, "ui"), 0);
                ASSERT_STREQ(damage_of_first(s), "");
                s = store_close(s);
                alter(changes[i]);
                s = open_store(NULL, NULL);
                ASSERT_STREQ(damage_of_first(s), "wish");
                ASSERT_EQ(store_put_definition(s, "a", "{ }", true), 0);
                ASSERT_STREQ(damage_of_first(s), "wish");
                ASSERT_EQ(store_set_wanted(s, "a", true, ""), 0);
                ASSERT_STREQ(damage_of_first(s), "");
        }
}

TEST(an_intention_that_is_no_word_is_told_of_its_service_alone) {
        _cleanup_(store_closep) Store *s = fresh_store();

        ASSERT_EQ(store_put_definition(s, "a", "{}", true), 0);
        ASSERT_EQ(store_put_definition(s, "b", "{}", true), 0);
        s = store_close(s);
        alter("UPDATE service SET intention = 'nonf' WHERE name = 'a'");
        s = open_store(NULL, NULL);
        ASSERT_STREQ(damage_of_first(s), "intention");
        ASSERT_TEXT(s, "b", "{}");
        ASSERT_EQ(store_set_intention(s, "a", INTENTION_NONE, 0), 0);
        ASSERT_STREQ(damage_of_first(s), "");
}

/* Somebody who knows what he does has no checksum to give. */
TEST(a_row_without_a_checksum_is_taken_as_it_is) {
        _cleanup_(store_closep) Store *s = fresh_store();

        ASSERT_EQ(store_put_definition(s, "a", "{}", true), 0);
        s = store_close(s);
        alter("UPDATE service SET definition = '{ }', definition_checksum = NULL, wanted_up = 0, wanted_checksum = "
              "NULL");
        s = open_store(NULL, NULL);
        ASSERT_STREQ(damage_of_first(s), "");
        ASSERT_TEXT(s, "a", "{ }");
}

TEST(what_an_older_server_stored_has_a_checksum_from_then_on) {
        _cleanup_(store_closep) Store *s = fresh_store();

        ASSERT_EQ(store_put_definition(s, "a", "{\"exec\": [\"/bin/one\"]}", true), 0);
        ASSERT_EQ(store_set_wanted(s, "a", true, "ui"), 0);
        s = store_close(s);
        alter("ALTER TABLE service DROP COLUMN definition_checksum; ALTER TABLE service DROP COLUMN wanted_checksum;"
              "PRAGMA user_version = 4");
        s = open_store(NULL, NULL);
        ASSERT_STREQ(damage_of_first(s), "");
        ASSERT_TEXT(s, "a", "{\"exec\": [\"/bin/one\"]}");
        s = store_close(s);
        ASSERT(overwrite("/bin/one", "/bin/onE"));
        s = open_store(NULL, NULL);
        ASSERT_STREQ(damage_of_first(s), "definition");
}

TEST(a_schema_without_what_is_asked_for_is_called_damaged) {
        _cleanup_free_ char *message = NULL;
        int r;

        store_close(fresh_store());
        ASSERT(overwrite("intention TEXT", "intentioo TEXT"));
        ASSERT(!open_store(&r, &message));
        ASSERT_EQ(r, -EUCLEAN);
        ASSERT(strstr(message, path) && strstr(message, "damaged") && strstr(message, "intention"));
}

TEST(two_servers_cannot_have_it) {
        _cleanup_(store_closep) Store *s = NULL;
        int status, fds[2];
        pid_t pid;
        char go;

        remove_files();
        ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
        pid = fork(); /* before it is opened here: SQLite must not be taken across a fork */
        if (pid == 0) {
                _cleanup_free_ char *message = NULL;
                int r;

                close(fds[1]);
                (void) !read(fds[0], &go, 1);
                bool is_right = !open_store(&r, &message) && r == -EBUSY && strstr(message, "another process");
                _exit(is_right ? 0 : 1);
        }
        close(fds[0]);
        s = open_store(NULL, NULL);
        close(fds[1]);
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
        ASSERT_EQ(store_put_definition(s, "a", "1", true), 0);
}

/* ---- a disk that takes nothing ---- */

/* Until the disk, which must not be large, is full: how many went in. */
static long fill(Store *s, int *ret_r) {
        char text[2000];
        long n = 0;

        memset(text, 'x', sizeof text);
        text[sizeof text - 1] = '\0';
        for (char name[32]; n < 10000; n++) {
                snprintf(name, sizeof name, "s%ld", n);
                *ret_r = store_put_definition(s, name, text, true);
                if (*ret_r != 0)
                        break;
        }
        return n;
}

static size_t n_services(Store *s) {
        StoredService *list;
        size_t n;

        if (store_load(s, &list, &n) != 0)
                return SIZE_MAX;
        stored_service_free_list(list, n);
        return n;
}

TEST(a_full_disk_stops_writes_and_not_reads_until_there_is_room_again) {
        _cleanup_(store_closep) Store *s = fresh_store();
        struct rlimit before, small;
        long n_written;
        int r, r_begin, r_put, r_commit;
        size_t n_full;

        ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
        small = (struct rlimit){ .rlim_cur = 300 * 1024, .rlim_max = before.rlim_max };
        ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
        n_written = fill(s, &r);
        r_begin = store_begin(s);
        r_put = store_put_definition(s, "more", "x", true);
        r_commit = r_begin == 0 ? store_commit(s) : r_begin;
        n_full = n_services(s);
        ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);

        ASSERT_EQ(r, HERO_E_STORE_FULL);
        ASSERT(n_written > 10);
        ASSERT(r_put == HERO_E_STORE_FULL || r_commit == HERO_E_STORE_FULL);
        ASSERT_EQ(n_full, n_written);
        ASSERT_EQ(store_put_definition(s, "after", "1", true), 0);
        store_close(s);
        s = open_store(NULL, NULL);
        ASSERT_EQ(n_services(s), n_written + 1);
}

/* Runs `claims` in a child with a mount namespace of its own; it returns the line that failed, or 0. */
static int in_own_mounts(int (*claims)(void)) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                        _exit(255);
                int line = claims();
                _exit(line == 0 ? 0 : 1 + line % 250);
        }
        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                return -1;
        if (WEXITSTATUS(status) == 255)
                printf("     not shown here: mounting needs root\n");
        return WEXITSTATUS(status) == 255 ? 0 : WEXITSTATUS(status);
}
#define CLAIM(condition)                                                    \
        do {                                                                \
                if (!(condition)) {                                         \
                        printf("     line %d: %s\n", __LINE__, #condition); \
                        return __LINE__;                                    \
                }                                                           \
        } while (0)

/* On a real tmpfs that is full, which the store must also survive opening. */
static int claim_full_tmpfs(void) {
        char ballast[128];
        Store *s;
        int r;

        CLAIM(mount("none", base, "tmpfs", 0, "size=512k") == 0);
        s = open_store(NULL, NULL);
        CLAIM(s);
        long n = fill(s, &r);
        CLAIM(r == HERO_E_STORE_FULL && n > 10);
        CLAIM(n_services(s) == (size_t) n);
        store_close(s);

        snprintf(ballast, sizeof ballast, "dd if=/dev/zero of='%s/ballast' bs=4k 2>/dev/null; true", base);
        CLAIM(system(ballast) == 0);
        s = open_store(NULL, NULL);
        CLAIM(s);
        CLAIM(n_services(s) == (size_t) n);
        /* A log that could not be emptied at the end is written anew from its start, so a little still goes. */
        (void) fill(s, &r);
        CLAIM(r == HERO_E_STORE_FULL);
        CLAIM(n_services(s) >= (size_t) n);
        store_close(s);
        return 0;
}

TEST(a_full_file_system_can_be_read_from_the_start) {
        remove_files();
        ASSERT_EQ(in_own_mounts(claim_full_tmpfs), 0);
}

static bool mount_read_only(void) {
        return mount(base, base, NULL, MS_BIND, NULL) == 0 &&
               mount(NULL, base, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0;
}

static int claim_read_only(void) {
        _cleanup_free_ char *text = NULL, *boot_id = NULL;
        Store *s;

        CLAIM(mount_read_only());
        s = open_store(NULL, NULL);
        CLAIM(s);
        text = text_of(s, "a");
        CLAIM(strcmp(text, "newest") == 0);
        CLAIM(store_get_boot_id(s, &boot_id) == 0 && strcmp(boot_id, "newest") == 0);
        CLAIM(store_put_definition(s, "a", "x", true) == HERO_E_STORE_FULL);
        CLAIM(store_set_wanted(s, "a", true, "") == HERO_E_STORE_FULL);
        CLAIM(store_begin(s) == HERO_E_STORE_FULL);
        store_rollback(s);
        store_close(s);
        return 0;
}

TEST(a_read_only_file_system_can_be_read_after_a_clean_end) {
        _cleanup_(store_closep) Store *s = fresh_store();

        ASSERT_EQ(store_put_definition(s, "a", "newest", true), 0);
        ASSERT_EQ(store_set_boot_id(s, "newest"), 0);
        s = store_close(s);
        ASSERT_EQ(in_own_mounts(claim_read_only), 0);
}

TEST(a_read_only_file_system_shows_the_newest_commit_after_a_crash) {
        _cleanup_(store_closep) Store *s = fresh_store();
        pid_t pid;

        ASSERT_EQ(store_put_definition(s, "a", "old", true), 0);
        s = store_close(s);
        pid = fork();
        if (pid == 0) {
                Store *crashing = open_store(NULL, NULL);

                _exit(crashing && store_put_definition(crashing, "a", "newest", true) == 0 &&
                                      store_set_boot_id(crashing, "newest") == 0
                              ? 0
                              : 1);
        }
        int status;
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
        ASSERT_EQ(in_own_mounts(claim_read_only), 0);
}

static int claim_nothing_to_read(void) {
        _cleanup_free_ char *message = NULL;
        int r;

        CLAIM(mount_read_only());
        CLAIM(!open_store(&r, &message));
        CLAIM(r == HERO_E_STORE_FULL);
        CLAIM(message && strstr(message, "Read-only file system"));
        return 0;
}

TEST(where_nothing_can_be_made_there_is_no_store) {
        remove_files();
        ASSERT_EQ(in_own_mounts(claim_nothing_to_read), 0);
}
