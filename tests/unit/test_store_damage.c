/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store with bits of its files flipped, one place after the other, and with its files cut, one length after the
 * other, opened as the server opens it. It is refused by a text that names the file, or each service is there as it was
 * acknowledged or is told of as damaged: never another text or wish, never a service less, never a crash.
 *
 * Of the log, which lies there only after a crash, SQLite promises less: it takes what stands before the first frame
 * that is damaged, and says nothing. Definitions never stand in there alone (move_out_of_log() in store.c), so they are
 * there whatever becomes of it. What was written since the last of them may go with the log's end and is not told: what
 * is wanted up, intentions, removals. A log that was cut cannot be told from one whose writer was killed a moment
 * earlier.
 *
 * Nothing is promised of what has no checksum (history, verdicts, counts of restarts, when something was asked for),
 * but that it crashes nobody.
 *
 * Each bit, and all of a byte at once, in the heads of the rows, by which values change their type, length and place;
 * one in some bytes elsewhere. With $FAULTS=all so in each byte of a store that was closed, and one bit in each byte of
 * one that was left by a crash. */
#include "unit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "boundary/store.h"

enum {
        FILE_BYTES_MAX = 512 * 1024,
        PAGE_BYTES = 4096,
        ROW_HEAD_BYTES = 24, /* of a record, before its first text */
        N_FLIPS = 400,       /* of a file, where not each is tried */
        N_CUTS = 150,
        SHOWN_MAX = 8,
};

typedef struct Bytes {
        uint8_t *bytes;
        size_t n;
} Bytes;

typedef struct Files {
        Bytes file, log;
} Files;

typedef struct Acknowledged {
        const char *name, *text;
        bool wanted_up;
        const char *actions_down;
        IntentionKind intention;
} Acknowledged;

/* What came of the tries. */
typedef struct Tally {
        size_t n_refused, n_told, n_whole, n_wrong;
} Tally;

static char long_text[6000]; /* more than a page */
static const Acknowledged services[] = {
        /* by name */
        { "api", "{\"name\": \"api\", \"exec\": [\"/bin/api\", \"--port\", \"8080\"]}", true, "", INTENTION_NONE },
        { "batch", "{\"name\": \"batch\", \"exec\": [\"/bin/batch\"]}", false, "", INTENTION_STOP },
        { "long", long_text, true, "worker", INTENTION_RESTART },
        { "web", "{\"name\": \"web\", \"exec\": [\"/bin/web\"]}", true, "ui worker", INTENTION_NONE },
};

static char base[] = "/dev/shm/test_store_damage.XXXXXX", path[64], log_path[80];
static pid_t main_pid;
static Files closed, crashed;

static bool is_long(void) {
        const char *which = getenv("FAULTS");

        return which && strcmp(which, "all") == 0;
}

static void forget_files(void) {
        (void) unlink(path);
        (void) unlink(log_path);
}

static Bytes read_file(const char *from) {
        _cleanup_close_ int fd = open(from, O_RDONLY | O_CLOEXEC);
        Bytes b = { malloc(FILE_BYTES_MAX), 0 };
        ssize_t n = fd >= 0 && b.bytes ? read(fd, b.bytes, FILE_BYTES_MAX) : 0;

        if (!b.bytes || n < 0)
                abort();
        b.n = (size_t) n;
        return b;
}

static void write_file(const char *to, const Bytes *b) {
        int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0 || write(fd, b->bytes, b->n) != (ssize_t) b->n || close(fd) < 0)
                abort();
}

/* What is written of a service after its definition. */
static bool write_wishes(Store *s, const Acknowledged *a) {
        const StoredHealing healing = { .n_attempts = 3, .last_realtime_usec = 7 };
        int r = store_set_wanted(s, a->name, !a->wanted_up, "");

        if (r == 0)
                r = store_begin(s);
        if (r == 0)
                r = store_set_wanted(s, a->name, a->wanted_up, a->actions_down);
        if (r == 0)
                r = store_set_intention(s, a->name, a->intention, 7);
        for (uint64_t i = 0; r == 0 && i < 5; i++)
                r = store_add_transition(s, a->name, i, "starting", "running", "none", "text");
        if (r == 0)
                r = store_put_verdict(s, a->name, "health", "0123456789abcdef0123456789abcdef", "passing", "", 7);
        if (r == 0)
                r = store_put_healing(s, a->name, &healing);
        return r == 0 && store_commit(s) == 0;
}

/* Its files as they are after an end in order, and as a server leaves them that is killed. */
static bool make_files(void) {
        _cleanup_(store_closep) Store *s = NULL;
        _cleanup_free_ char *message = NULL;

        if (store_open(path, &s, &message) != 0)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(services); i++)
                if (store_put_definition(s, services[i].name, services[i].text, true) != 0)
                        return false;
        for (size_t i = 0; i < ELEMENTSOF(services); i++)
                if (!write_wishes(s, &services[i]))
                        return false;
        if (store_set_boot_id(s, "00000000-0000-0000-0000-000000000000") != 0)
                return false;
        crashed = (Files){ read_file(path), read_file(log_path) };
        s = store_close(s);
        closed = (Files){ read_file(path), read_file(log_path) };
        return crashed.log.n > 10 * PAGE_BYTES && closed.log.n == 0;
}

__attribute__((constructor)) static void base_make(void) {
        if (!mkdtemp(base))
                abort();
        main_pid = getpid();
        (void) snprintf(path, sizeof path, "%s/db", base);
        (void) snprintf(log_path, sizeof log_path, "%s-wal", path);
        (void) snprintf(long_text, sizeof long_text, "{\"name\": \"long\", \"exec\": [\"/bin/long\", \"%0*d\"]}", 5000,
                        7);
        (void) alarm(is_long() ? 3600 : 120);
        if (!make_files())
                abort();
}

__attribute__((destructor)) static void base_remove(void) {
        if (getpid() != main_pid)
                return;
        forget_files();
        (void) rmdir(base);
        free(closed.file.bytes);
        free(closed.log.bytes);
        free(crashed.file.bytes);
        free(crashed.log.bytes);
}

/* ---- one try ---- */

/* NULL, or what is wrong with what is not said to be damaged. */
static const char *compare(const StoredService *found, const Acknowledged *a, bool log_is_whole) {
        if (found->damaged)
                return NULL;
        if (strcmp(found->text, a->text) != 0)
                return "a definition is another";
        if (!log_is_whole)
                return NULL;
        if (found->wanted_up != a->wanted_up || strcmp(found->actions_down, a->actions_down) != 0)
                return "a wish is another";
        return found->intention != a->intention ? "an intention is another" : NULL;
}

static const char *judge(Store *s, bool log_is_whole, Tally *t) {
        StoredService *list = NULL;
        const char *wrong = NULL;
        bool is_told = false;
        size_t n = 0;
        int r = store_load(s, &list, &n);

        if (r != 0) {
                t->n_refused++;
                return r == -EUCLEAN ? NULL : "it cannot be read, and is not called damaged";
        }
        if (n != ELEMENTSOF(services))
                wrong = "there are more or fewer services";
        for (size_t i = 0; i < n && !wrong; i++) {
                is_told = is_told || list[i].damaged;
                wrong = strcmp(list[i].name, services[i].name) != 0 ? "a service is missing"
                                                                    : compare(&list[i], &services[i], log_is_whole);
        }
        stored_service_free_list(list, n);
        t->n_told += is_told;
        t->n_whole += !is_told;
        return wrong;
}

/* What the server reads too. */
static void read_the_rest(Store *s) {
        _cleanup_free_ char *boot_id = NULL, *verdict = NULL, *error = NULL;
        StoredTransition *transitions = NULL;
        StoredHealing healing;
        size_t n = 0;
        uint64_t at;

        (void) store_get_boot_id(s, &boot_id);
        (void) store_get_verdict(s, "web", "health", "0123456789abcdef0123456789abcdef", &verdict, &error, &at);
        (void) store_get_healing(s, "web", &healing);
        if (store_load_transitions(s, "web", 200, &transitions, &n) == 0)
                stored_transition_free_list(transitions, n);
}

static const char *try_files(const Files *f, bool log_is_whole, Tally *t) {
        _cleanup_(store_closep) Store *s = NULL;
        _cleanup_free_ char *message = NULL;
        const char *wrong;

        write_file(path, &f->file);
        if (f->log.n > 0)
                write_file(log_path, &f->log);
        else
                (void) unlink(log_path);
        if (store_open(path, &s, &message) != 0) {
                t->n_refused++;
                return message && strncmp(message, path, strlen(path)) == 0 ? NULL : "it is refused without a word";
        }
        wrong = judge(s, log_is_whole, t);
        read_the_rest(s);
        return wrong;
}

static void show(Tally *t, const char *what, size_t at, const char *wrong) {
        if (wrong && ++t->n_wrong <= SHOWN_MAX)
                printf("     %s %zu: %s\n", what, at, wrong);
}

/* For the report of `make faults` (tests/faults/fault_report.py). */
static void print_sum(const Tally *t) {
        if (is_long())
                printf("     %zu refused, %zu told, %zu whole, %zu wrong\n", t->n_refused, t->n_told, t->n_whole,
                       t->n_wrong);
}

/* ---- one after the other ---- */

/* In `b`, one of `f`, from `at` to `end`. */
static void flip(const Files *f, const Bytes *b, size_t at, size_t end, size_t stride, bool is_each_bit, Tally *t) {
        for (size_t n = 0; at < end; n++, at += stride)
                for (unsigned bit = 0; bit <= 8; bit++) {
                        uint8_t mask = bit < 8 ? (uint8_t) (1U << bit) : 0xff;
                        const char *wrong;

                        if (!is_each_bit && bit != n % 8)
                                continue;
                        b->bytes[at] ^= mask;
                        wrong = try_files(f, b != &f->log, t);
                        b->bytes[at] ^= mask;
                        show(t, bit < 8 ? "a bit flips in byte" : "all bits flip in byte", at, wrong);
                }
}

static Tally flip_all(const Files *f, const Bytes *b) {
        size_t stride = is_long() ? 1 : b->n / N_FLIPS | 1; /* odd: all places in a page come to be */
        Tally t = { 0 };

        flip(f, b, 0, b->n, stride, is_long() && f == &closed, &t);
        print_sum(&t);
        return t;
}

/* At each length below the whole, those among them at which a page ends. */
static Tally cut_all(const Files *f, bool is_log) {
        const Bytes *b = is_log ? &f->log : &f->file;
        Tally t = { 0 };

        for (size_t n = 0; n < b->n; n++) {
                Files cut = *f;

                if (!is_long() && n % (b->n / N_CUTS | 1) != 0 && n % PAGE_BYTES != 0)
                        continue;
                *(is_log ? &cut.log.n : &cut.file.n) = n;
                show(&t, "cut at", n, try_files(&cut, !is_log, &t));
        }
        print_sum(&t);
        return t;
}

TEST(what_is_whole_is_there) {
        Tally t = { 0 };

        ASSERT(!try_files(&closed, true, &t));
        ASSERT(!try_files(&crashed, true, &t));
        ASSERT_EQ(t.n_whole, 2);
}

TEST(a_bit_that_flips_in_the_head_of_a_row_gives_no_other_service) {
        Tally t = { 0 };

        for (size_t i = 0; i < ELEMENTSOF(services); i++) {
                char begin[32];
                const uint8_t *row;
                size_t at;

                (void) snprintf(begin, sizeof begin, "%s%.10s", services[i].name, services[i].text);
                row = memmem(closed.file.bytes, closed.file.n, begin, strlen(begin));
                ASSERT(row);
                at = (size_t) (row - closed.file.bytes);
                flip(&closed, &closed.file, at - ROW_HEAD_BYTES, at + strlen(begin), 1, true, &t);
        }
        ASSERT_EQ(t.n_wrong, 0);
        ASSERT(t.n_refused > 0 && t.n_told > 0 && t.n_whole > 0);
}

TEST(a_bit_that_flips_in_the_file_is_refused_told_or_harmless) {
        Tally t = flip_all(&closed, &closed.file);

        ASSERT_EQ(t.n_wrong, 0);
        ASSERT(t.n_refused > 0 && t.n_told > 0 && t.n_whole > 0);
}

TEST(a_bit_that_flips_in_the_file_beside_the_log_of_a_crash_is_refused_told_or_harmless) {
        Tally t = flip_all(&crashed, &crashed.file);

        ASSERT_EQ(t.n_wrong, 0);
        ASSERT(t.n_refused > 0 && t.n_whole > 0);
}

TEST(a_bit_that_flips_in_the_log_takes_no_definition_along) {
        Tally t = flip_all(&crashed, &crashed.log);

        ASSERT_EQ(t.n_wrong, 0);
        ASSERT(t.n_whole > 0);
}

/* Harmless: where nothing but the rest of a history is cut off within the last page. */
TEST(a_file_that_was_cut_is_refused_or_harmless) {
        Tally t = cut_all(&closed, false);

        ASSERT_EQ(t.n_wrong, 0);
        ASSERT(t.n_refused > t.n_whole && t.n_told == 0);
}

TEST(a_file_that_was_cut_beside_the_log_of_a_crash_is_refused_or_whole) {
        Tally t = cut_all(&crashed, false);

        ASSERT_EQ(t.n_wrong, 0);
        ASSERT(t.n_refused > 0);
}

TEST(a_log_that_was_cut_takes_no_definition_along) {
        Tally t = cut_all(&crashed, true);

        ASSERT_EQ(t.n_wrong, 0);
        ASSERT(t.n_whole > 0);
}
