/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is due when: a heap of entries that live in what they are about. Setting one never fails. Pure. */

#include <stddef.h>
#include <stdint.h>

typedef struct AgendaEntry {
        size_t place; /* in the heap, from 1; 0: nothing is due */
} AgendaEntry;

/* The times lie side by side: to compare two of them, no entry has to be fetched. */
typedef struct AgendaPlace {
        uint64_t at_usec;
        AgendaEntry *entry;
} AgendaPlace;

typedef struct Agenda {
        AgendaPlace *heap; /* heap[0] is the earliest */
        size_t n, n_members, n_allocated;
} Agenda;

void agenda_done(Agenda *a);

/* Makes room for one more entry that may be set. -ENOMEM. */
int agenda_join(Agenda *a);
/* `e` joined once, and is set no more. */
void agenda_leave(Agenda *a, AgendaEntry *e);

/* At that time, in place of any before. */
void agenda_set(Agenda *a, AgendaEntry *e, uint64_t at_usec);
void agenda_unset(Agenda *a, AgendaEntry *e);

/* The earliest; NULL: none is set. */
const AgendaPlace *agenda_first(const Agenda *a);
