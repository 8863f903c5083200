/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/agenda.h"

#include <errno.h>
#include <stdlib.h>

void agenda_done(Agenda *a) {
        free(a->heap);
        *a = (Agenda){ 0 };
}

int agenda_join(Agenda *a) {
        if (a->n_members == a->n_allocated) {
                size_t n = a->n_allocated ? 2 * a->n_allocated : 16;
                AgendaPlace *larger = reallocarray(a->heap, n, sizeof(*larger));

                if (!larger)
                        return -ENOMEM;
                a->heap = larger;
                a->n_allocated = n;
        }
        a->n_members++;
        return 0;
}

void agenda_leave(Agenda *a, AgendaEntry *e) {
        agenda_unset(a, e);
        a->n_members--;
}

static void put(Agenda *a, AgendaPlace p, size_t place) {
        a->heap[place - 1] = p;
        p.entry->place = place;
}

/* Finds the place of `p`, from the free one at `place` down, or up. */
static void settle(Agenda *a, AgendaPlace p, size_t place) {
        for (size_t child; (child = 2 * place) <= a->n; place = child) {
                if (child < a->n && a->heap[child].at_usec < a->heap[child - 1].at_usec)
                        child++;
                if (a->heap[child - 1].at_usec >= p.at_usec)
                        break;
                put(a, a->heap[child - 1], place);
        }
        for (; place > 1 && a->heap[place / 2 - 1].at_usec > p.at_usec; place /= 2)
                put(a, a->heap[place / 2 - 1], place);
        put(a, p, place);
}

void agenda_set(Agenda *a, AgendaEntry *e, uint64_t at_usec) {
        settle(a, (AgendaPlace){ at_usec, e }, e->place > 0 ? e->place : ++a->n);
}

void agenda_unset(Agenda *a, AgendaEntry *e) {
        size_t place = e->place;

        if (place == 0)
                return;
        e->place = 0;
        a->n--;
        if (place <= a->n)
                settle(a, a->heap[a->n], place);
}

const AgendaPlace *agenda_first(const Agenda *a) {
        return a->n > 0 ? &a->heap[0] : NULL;
}
