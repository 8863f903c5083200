/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/journal_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/clock.h"
#include "boundary/journal_files.h"
#include "boundary/journal_match.h"

#define READ_TIME_USEC (3 * USEC_PER_SEC)

enum {
        STACK_BYTES = 512 * 1024,
};

/* One read, by itself: all that its thread touches. */
typedef struct Read {
        char *units[JOURNAL_UNITS_MAX];
        size_t n_units, n_lines_wanted, n_bytes;
        bool is_user;
        uid_t uid;
        JournalTail tail; /* the newest first, until it is done */
        int result, done_fd;
        pthread_t thread;
        journal_tail_done_t done;
        void *userdata;
} Read;

struct JournalReader {
        bool is_user;
        int pipe[2]; /* finished reads come through it, by their address */
        sd_event_source *source;
        Read *reads[JOURNAL_READS_MAX];
};

/* -- in the thread -- */

/* What the unit's processes wrote, or what systemd said of it: nobody else can be either. */
static int add_unit(sd_journal *j, const Read *read, const char *unit) {
        char uid[16];
        int r;

        (void) snprintf(uid, sizeof uid, "%u", (unsigned) read->uid);
        r = journal_match_add(j, read->is_user ? "_SYSTEMD_USER_UNIT" : "_SYSTEMD_UNIT", unit);
        if (r >= 0 && read->is_user)
                r = journal_match_add(j, "_UID", uid);
        if (r >= 0)
                r = sd_journal_add_disjunction(j);
        if (r >= 0)
                r = journal_match_add(j, read->is_user ? "USER_UNIT" : "UNIT", unit);
        if (r >= 0)
                r = read->is_user ? journal_match_add(j, "_UID", uid) : journal_match_add(j, "_PID", "1");
        return r < 0 ? r : sd_journal_add_disjunction(j);
}

/* The field's value, cut at `max` bytes; "" where it is not there, or damaged on the disk. */
static int get_field(sd_journal *j, const char *field, size_t max, const char **ret, size_t *ret_n) {
        size_t n, n_name = strlen(field) + 1;
        const void *data;
        int r = sd_journal_get_data(j, field, &data, &n);

        *ret = "";
        *ret_n = 0;
        if (r == -ENOMEM)
                return r;
        if (r < 0 || n < n_name)
                return 0;
        *ret = (const char *) data + n_name;
        n -= n_name;
        *ret_n = n < max ? n : max;
        return 0;
}

static int get_number(sd_journal *j, const char *field, uint64_t *ret) {
        const char *value;
        char digits[24] = "";
        size_t n;
        int r = get_field(j, field, sizeof digits - 1, &value, &n);

        memcpy(digits, value, n);
        *ret = strtoull(digits, NULL, 10);
        return r;
}

/* Strings lie in one block, the message first. What sd-journal lends is only good until the next field is asked for. */
static int copy_texts(sd_journal *j, JournalLine *line, bool *ret_cut) {
        static const char *const fields[] = { "MESSAGE", "SYSLOG_IDENTIFIER", "_SYSTEMD_USER_UNIT", "_SYSTEMD_UNIT" };
        char *block = malloc(JOURNAL_MESSAGE_MAX_BYTES + 3 * 256 + ELEMENTSOF(fields)), *shrunk;
        size_t offsets[ELEMENTSOF(fields)], end = 0;

        if (!block)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                const char *value;
                size_t n;
                int r = get_field(j, fields[i], i == 0 ? JOURNAL_MESSAGE_MAX_BYTES : 256, &value, &n);

                if (r < 0) {
                        free(block);
                        return r;
                }
                *ret_cut = *ret_cut || (i == 0 && n == JOURNAL_MESSAGE_MAX_BYTES);
                offsets[i] = end;
                memcpy(block + end, value, n);
                end += n;
                block[end++] = '\0';
        }
        shrunk = realloc(block, end);
        if (shrunk)
                block = shrunk;
        line->message = block;
        line->identifier = block + offsets[1];
        line->unit = block + offsets[block[offsets[2]] ? 2 : 3];
        return (int) end;
}

static int take_line(sd_journal *j, Read *read) {
        JournalLine *line = &read->tail.lines[read->tail.n];
        uint64_t priority = 0;
        int r = sd_journal_get_realtime_usec(j, &line->time_usec);

        if (r >= 0)
                r = get_number(j, "PRIORITY", &priority);
        if (r >= 0)
                r = get_number(j, "_PID", &line->pid);
        if (r >= 0)
                r = copy_texts(j, line, &read->tail.truncated);
        if (r < 0)
                return r;
        line->priority = (unsigned) priority & 7;
        read->tail.n++;
        read->n_bytes += (size_t) r;
        return 0;
}

static int read_tail(Read *read) {
        uint64_t deadline = clock_monotonic_usec() + READ_TIME_USEC;
        _cleanup_(sd_journal_closep) sd_journal *j = NULL;
        uint64_t n_bytes;
        int r = journal_files_open(&j, &n_bytes);

        read->tail.lines = calloc(read->n_lines_wanted, sizeof *read->tail.lines);
        if (!read->tail.lines)
                return -ENOMEM;
        if (r >= 0)
                r = sd_journal_set_data_threshold(j, JOURNAL_MESSAGE_MAX_BYTES + 64);
        for (size_t i = 0; r >= 0 && i < read->n_units; i++)
                r = add_unit(j, read, read->units[i]);
        if (r >= 0)
                r = sd_journal_seek_tail(j);
        while (r >= 0 && read->tail.n < read->n_lines_wanted && (r = sd_journal_previous(j)) > 0) {
                if (read->n_bytes > JOURNAL_TAIL_MAX_BYTES || clock_monotonic_usec() > deadline) {
                        read->tail.truncated = true;
                        break;
                }
                r = take_line(j, read);
        }
        if (r >= 0 && journal_files_were_lost(j, n_bytes))
                read->tail.truncated = true;
        return r < 0 ? r : 0;
}

static void *run(void *userdata) {
        Read *read = userdata;

        read->result = read_tail(read);
        while (write(read->done_fd, &read, sizeof read) < 0 && errno == EINTR)
                ;
        return NULL;
}

/* -- in the event loop -- */

static void read_free(Read *read) {
        for (size_t i = 0; i < read->n_units; i++)
                free(read->units[i]);
        for (size_t i = 0; i < read->tail.n; i++)
                free((char *) read->tail.lines[i].message);
        free(read->tail.lines);
        free(read);
}

static void put_oldest_first(JournalTail *t) {
        for (size_t i = 0, j = t->n; i + 1 < j; i++) {
                JournalLine line = t->lines[i];

                t->lines[i] = t->lines[--j];
                t->lines[j] = line;
        }
}

static int on_finished(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        static const JournalTail nothing = { 0 };
        JournalReader *r = userdata;
        Read *read_done;

        (void) source;
        (void) events;
        if (read(fd, &read_done, sizeof read_done) != sizeof read_done)
                return 0;
        (void) pthread_join(read_done->thread, NULL);
        for (size_t i = 0; i < JOURNAL_READS_MAX; i++)
                if (r->reads[i] == read_done)
                        r->reads[i] = NULL;
        put_oldest_first(&read_done->tail);
        read_done->done(read_done->result, read_done->result < 0 ? &nothing : &read_done->tail, read_done->userdata);
        read_free(read_done);
        return 0;
}

static int start(Read *read) {
        pthread_attr_t attributes;
        int r = pthread_attr_init(&attributes);

        if (r != 0)
                return -r;
        (void) pthread_attr_setstacksize(&attributes, STACK_BYTES);
        r = pthread_create(&read->thread, &attributes, run, read);
        (void) pthread_attr_destroy(&attributes);
        return r == EAGAIN ? -ENOMEM : -r; /* what it needs for a thread is memory, too */
}

int journal_reader_tail(JournalReader *r, const char *const *units, size_t n_units, size_t n_lines,
                        journal_tail_done_t done, void *userdata) {
        size_t place = 0;
        Read *read;
        int error;

        while (place < JOURNAL_READS_MAX && r->reads[place])
                place++;
        if (place == JOURNAL_READS_MAX || n_units > JOURNAL_UNITS_MAX)
                return -ENOBUFS;
        read = calloc(1, sizeof *read);
        if (!read)
                return -ENOMEM;
        read->n_lines_wanted = n_lines < JOURNAL_LINES_MAX ? n_lines : JOURNAL_LINES_MAX;
        read->is_user = r->is_user;
        read->uid = geteuid();
        read->done_fd = r->pipe[1];
        read->done = done;
        read->userdata = userdata;
        for (size_t i = 0; i < n_units && (read->units[i] = strdup(units[i])); i++)
                read->n_units++;
        error = read->n_units < n_units ? -ENOMEM : start(read);
        if (error < 0)
                read_free(read);
        else
                r->reads[place] = read;
        return error;
}

int journal_reader_new(sd_event *event, bool is_user, JournalReader **ret) {
        _cleanup_(journal_reader_freep) JournalReader *r = calloc(1, sizeof *r);
        int error;

        if (!r)
                return -ENOMEM;
        r->is_user = is_user;
        r->pipe[0] = r->pipe[1] = -1;
        if (pipe2(r->pipe, O_CLOEXEC) < 0)
                return -errno;
        error = sd_event_add_io(event, &r->source, r->pipe[0], EPOLLIN, on_finished, r);
        if (error < 0)
                return error;
        *ret = TAKE_PTR(r);
        return 0;
}

JournalReader *journal_reader_free(JournalReader *r) {
        if (!r)
                return NULL;
        sd_event_source_disable_unref(r->source);
        for (size_t i = 0; i < JOURNAL_READS_MAX; i++)
                if (r->reads[i]) {
                        (void) pthread_join(r->reads[i]->thread, NULL);
                        read_free(r->reads[i]);
                }
        cleanup_close(&r->pipe[0]);
        cleanup_close(&r->pipe[1]);
        free(r);
        return NULL;
}
