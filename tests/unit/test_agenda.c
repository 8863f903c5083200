/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "core/agenda.h"

enum {
        N = 200,
        ROUNDS = 20000,
};

/* The same in the plainest way: the time of each, 0 where none is set. */
static uint64_t earliest(const uint64_t *times) {
        uint64_t first = UINT64_MAX;

        for (size_t i = 0; i < N; i++)
                if (times[i] > 0 && times[i] < first)
                        first = times[i];
        return first;
}

static uint32_t next_random(uint32_t *state) {
        *state = *state * 1664525u + 1013904223u;
        return *state >> 8;
}

TEST(the_first_is_the_earliest_whatever_is_set_set_anew_and_unset) {
        AgendaEntry entries[N] = { 0 };
        uint64_t times[N] = { 0 };
        uint32_t state = 1;
        Agenda a = { 0 };

        ASSERT(!agenda_first(&a));
        for (size_t i = 0; i < N; i++)
                ASSERT_EQ(agenda_join(&a), 0);
        for (size_t round = 0; round < ROUNDS; round++) {
                size_t i = next_random(&state) % N;
                const AgendaPlace *first;

                times[i] = next_random(&state) % 3 == 0 ? 0 : 1 + next_random(&state) % 1000;
                if (times[i] == 0)
                        agenda_unset(&a, &entries[i]);
                else
                        agenda_set(&a, &entries[i], times[i]);
                first = agenda_first(&a);
                ASSERT_EQ(first ? first->at_usec : UINT64_MAX, earliest(times));
                ASSERT(!first || times[first->entry - entries] == first->at_usec);
        }
        for (size_t i = 0; i < N; i++)
                agenda_leave(&a, &entries[i]);
        ASSERT(!agenda_first(&a));
        ASSERT_EQ(a.n_members, 0);
        agenda_done(&a);
}

TEST(all_come_in_the_order_of_their_times) {
        AgendaEntry entries[N] = { 0 };
        uint64_t before = 0;
        Agenda a = { 0 };

        for (size_t i = 0; i < N; i++) {
                ASSERT_EQ(agenda_join(&a), 0);
                agenda_set(&a, &entries[i], 1 + i * 7919 % N);
        }
        for (size_t i = 0; i < N; i++) {
                const AgendaPlace *first = agenda_first(&a);

                ASSERT_EQ(first->at_usec, before + 1);
                before = first->at_usec;
                agenda_unset(&a, first->entry);
        }
        ASSERT(!agenda_first(&a));
        agenda_done(&a);
}
