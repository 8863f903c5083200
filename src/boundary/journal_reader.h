/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The last lines of units in the journal. Reading may have to wait for a disk, and a journal of many files is slow to
 * search: it is done in a thread of its own, bounded in lines, bytes and time, and its end is an event. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"

enum {
        JOURNAL_LINES_MAX = 1000,
        JOURNAL_MESSAGE_MAX_BYTES = 4096, /* of one line; the rest of it is cut off */
        JOURNAL_TAIL_MAX_BYTES = 512 * 1024,
        JOURNAL_UNITS_MAX = 64,
        JOURNAL_READS_MAX = 4, /* at a time; each is a thread */
};

typedef struct JournalLine {
        uint64_t time_usec; /* CLOCK_REALTIME */
        unsigned priority;  /* 0 to 7, as syslog has them */
        uint64_t pid;
        const char *unit, *identifier, *message; /* never NULL; message as it was logged: any bytes but NUL */
} JournalLine;

typedef struct JournalTail {
        JournalLine *lines; /* the oldest first */
        size_t n;
        bool truncated; /* a limit ended it, or not all files could be read: there is more, or a line is not whole */
} JournalTail;

typedef struct JournalReader JournalReader;

/* r: 0 or a negative errno, then there are no lines. *tail is gone after the call. */
typedef void (*journal_tail_done_t)(int r, const JournalTail *tail, void *userdata);

int journal_reader_new(sd_event *event, bool is_user, JournalReader **ret);
/* Waits for what is being read; nobody is told of it. */
JournalReader *journal_reader_free(JournalReader *r);
DEFINE_CLEANUP(JournalReader *, journal_reader_free)

/* Calls `done` once, later. Names of units are copied. -ENOBUFS: too many read already. */
int journal_reader_tail(JournalReader *r, const char *const *units, size_t n_units, size_t n_lines,
                        journal_tail_done_t done, void *userdata);
