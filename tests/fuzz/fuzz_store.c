/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The database file, damaged: a list of edits to one of two databases, one that was closed in order and one that was
 * left by a crash with all that came after the definitions in its log. It is refused with a clear text, or it works;
 * and it never opens with fewer services than it held. */
#include "fuzz_target.h"

#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "boundary/store.h"

enum {
        N_SERVICES = 40,
        PAGE_BYTES = 4096,
        FILE_BYTES_MAX = 1024 * 1024,
        EDITS_MAX = 32,
};

typedef struct Bytes {
        uint8_t *bytes;
        size_t n;
} Bytes;

typedef struct Database {
        Bytes file, log;
} Database;

static char folder[256], path[300], log_path[320];
static Database closed, crashed;

static Bytes read_file(const char *from) {
        Bytes b = { malloc(FILE_BYTES_MAX), 0 };
        int fd = open(from, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, b.bytes, FILE_BYTES_MAX);

        if (fd >= 0)
                (void) close(fd);
        CLAIM(n >= 0, "%s", from);
        b.n = (size_t) n;
        return b;
}

static void write_file(const char *to, const Bytes *b) {
        int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        CLAIM(fd >= 0 && write(fd, b->bytes, b->n) == (ssize_t) b->n && close(fd) == 0, "%s", to);
}

static void fill(Store *s) {
        char name[32], text[6000];

        for (int i = 0; i < N_SERVICES; i++) {
                (void) snprintf(name, sizeof name, "service_%02d", i * 7 % N_SERVICES);
                (void) snprintf(text, sizeof text, "{\"name\": \"%s\", \"exec\": [\"/bin/true\", \"%0*d\"]}", name,
                                i % 10 == 0 ? 5000 : 100, i);
                CLAIM(store_put_definition(s, name, text, i % 2) == 0, "%s", name);
        }
        for (int i = 0; i < N_SERVICES; i++) {
                (void) snprintf(name, sizeof name, "service_%02d", i * 7 % N_SERVICES);
                CLAIM(store_set_wanted(s, name, i % 3, "main") == 0, "%s", name);
                CLAIM(store_add_transition(s, name, (uint64_t) i, "starting", "running", "", "text") == 0, "%s", name);
                CLAIM(store_put_verdict(s, name, "health", "0123456789abcdef0123456789abcdef", "passing", "", 1) == 0,
                      "%s", name);
        }
        CLAIM(store_set_boot_id(s, "00000000-0000-0000-0000-000000000000") == 0, "boot id");
}

static void forget_files(void) {
        (void) unlink(path);
        (void) unlink(log_path);
}

static void forget_folder(void) {
        forget_files();
        (void) rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(_unused_ int *argc, _unused_ char ***argv) {
        const char *parent = getenv("TMPDIR");
        char *message = NULL;
        Store *s = NULL;

        (void) snprintf(folder, sizeof folder, "%s/fuzz_store.XXXXXX", parent ? parent : "/tmp");
        CLAIM(mkdtemp(folder), "%s", folder);
        (void) atexit(forget_folder);
        (void) snprintf(path, sizeof path, "%s/db", folder);
        (void) snprintf(log_path, sizeof log_path, "%s-wal", path);
        CLAIM(store_open(path, &s, &message) == 0, "%s", message);
        fill(s);
        crashed = (Database){ read_file(path), read_file(log_path) };
        (void) store_close(s);
        closed = (Database){ read_file(path), read_file(log_path) };
        CLAIM(closed.log.n == 0 && crashed.log.n > 0, "a log only after a crash");
        forget_files();
        return 0;
}

static size_t place_in(FuzzInput *in, const Bytes *b) {
        return b->n > 0 ? fuzz_number(in, 3) % b->n : 0;
}

static void copy_page(FuzzInput *in, Bytes *b) {
        size_t n_pages = b->n / PAGE_BYTES, from = fuzz_byte(in), to = fuzz_byte(in);

        if (n_pages > 0)
                memmove(b->bytes + to % n_pages * PAGE_BYTES, b->bytes + from % n_pages * PAGE_BYTES, PAGE_BYTES);
}

static void put_bytes(FuzzInput *in, Bytes *b) {
        size_t at = place_in(in, b), n;
        _cleanup_free_ char *bytes = fuzz_string(in, &n);

        n = n < b->n - at ? n : b->n - at;
        memcpy(b->bytes + at, bytes, n);
}

static void edit(FuzzInput *in, Database *d) {
        uint8_t what = fuzz_byte(in);
        Bytes *b = what & 0x80 ? &d->log : &d->file;
        size_t at;

        switch (what % 5) {
        case 0:
                at = place_in(in, b);
                if (b->n > 0)
                        b->bytes[at] ^= (uint8_t) (1U << fuzz_byte(in) % 8);
                break;
        case 1:
                put_bytes(in, b);
                break;
        case 2:
                b->n = place_in(in, b);
                break;
        case 3:
                copy_page(in, b);
                break;
        case 4:
                at = place_in(in, b) / PAGE_BYTES * PAGE_BYTES;
                memset(b->bytes + at, 0, b->n - at < PAGE_BYTES ? b->n - at : PAGE_BYTES);
                break;
        }
}

static size_t count_services(Store *s, int *ret_outcome) {
        StoredService *list = NULL;
        size_t n = 0;

        *ret_outcome = store_load(s, &list, &n);
        for (size_t i = 0; *ret_outcome == 0 && i < n; i++)
                CLAIM(list[i].name && list[i].text && list[i].actions_down && list[i].intention < _INTENTION_MAX &&
                              (i == 0 || strcmp(list[i - 1].name, list[i].name) <= 0),
                      "a service in its order");
        if (*ret_outcome == 0)
                stored_service_free_list(list, n);
        return n;
}

static void read_the_rest(Store *s) {
        _cleanup_free_ char *boot_id = NULL, *verdict = NULL, *error = NULL;
        StoredTransition *transitions = NULL;
        size_t n = 0;
        uint64_t at;

        (void) store_get_boot_id(s, &boot_id);
        (void) store_get_verdict(s, "service_07", "health", "0123456789abcdef0123456789abcdef", &verdict, &error, &at);
        if (store_load_transitions(s, "service_07", 200, &transitions, &n) == 0)
                stored_transition_free_list(transitions, n);
}

static void claim_it_works(Store *s, size_t n_before) {
        int r, q;

        r = store_begin(s);
        if (r == 0)
                r = store_put_definition(s, "new", "{}", true);
        if (r == 0)
                r = store_set_wanted(s, "new", false, "main");
        if (r == 0)
                r = store_commit(s);
        else
                store_rollback(s);
        if (r == 0) {
                size_t n = count_services(s, &q);

                CLAIM(q != 0 || n == n_before + 1, "%zu after %zu", n, n_before);
        }
        (void) store_add_transition(s, "service_07", 1, "a", "b", "c", "d");
        (void) store_remove_service(s, "service_08");
}

static void claim_refused_or_works(const Database *d) {
        char *message = NULL;
        Store *s = NULL;
        size_t n;
        int r, q;

        write_file(path, &d->file);
        if (d->log.n > 0)
                write_file(log_path, &d->log);
        r = store_open(path, &s, &message);
        CLAIM(r != 0 || (s && !message), "%d: %s", r, message);
        CLAIM(r == 0 || (message && strncmp(message, path, strlen(path)) == 0 && is_printable_line(message)), "%d: %s",
              r, message);
        free(message);
        if (r != 0)
                return;
        n = count_services(s, &q);
        CLAIM(q != 0 || n >= N_SERVICES, "%zu services of %d", n, N_SERVICES);
        read_the_rest(s);
        if (q == 0)
                claim_it_works(s, n);
        (void) store_close(s);
}

static Bytes copy_of(const Bytes *b) {
        Bytes copy = { malloc(b->n ? b->n : 1), b->n };

        memcpy(copy.bytes, b->bytes, b->n);
        return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FuzzInput in = { data, size };
        const Database *base = fuzz_byte(&in) & 1 ? &crashed : &closed;
        Database d = { copy_of(&base->file), copy_of(&base->log) };

        for (unsigned i = 0; i < EDITS_MAX && in.n > 0; i++)
                edit(&in, &d);
        forget_files();
        claim_refused_or_works(&d);
        free(d.file.bytes);
        free(d.log.bytes);
        return 0;
}
