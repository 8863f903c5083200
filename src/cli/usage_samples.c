/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/usage_samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boundary/cgroup_usage.h"
#include "cli/usage_text.h"

/* A mean over more than this says nothing about now. */
#define MEAN_MAX_USEC (5 * USAGE_PERIOD_USEC)

void usage_samples_init(UsageSamples *u, const char *root) {
        *u = (UsageSamples){ 0 };
        if (root)
                (void) snprintf(u->root, sizeof u->root, "%s", root);
}

void usage_samples_done(UsageSamples *u) {
        for (size_t i = 0; i < u->n; i++)
                free(u->list[i].name);
        free(u->list);
        *u = (UsageSamples){ 0 };
}

static size_t find_place(const UsageSamples *u, const char *name, bool *ret_found) {
        size_t low = 0, high = u->n;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (strcmp(u->list[middle].name, name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        *ret_found = low < u->n && strcmp(u->list[low].name, name) == 0;
        return low;
}

static UsageSample *add(UsageSamples *u, size_t place, const char *name) {
        UsageSample *grown = reallocarray(u->list, u->n + 1, sizeof *grown);
        char *copy = strdup(name);

        if (grown)
                u->list = grown;
        if (!grown || !copy) {
                free(copy);
                return NULL;
        }
        memmove(&grown[place + 1], &grown[place], (u->n - place) * sizeof *grown);
        grown[place] = (UsageSample){ copy, 0, UINT64_MAX, UINT64_MAX, UINT32_MAX };
        u->n++;
        return &grown[place];
}

static void read_now(const UsageSamples *u, UsageSample *s, uint64_t now_usec) {
        uint64_t passed_usec = s->read_usec > 0 ? now_usec - s->read_usec : 0;
        CgroupUsage usage = { UINT64_MAX, UINT64_MAX };

        if (*u->root)
                cgroup_usage_read(u->root, s->name, &usage);
        s->cpu_tenths = passed_usec > MEAN_MAX_USEC ? UINT32_MAX
                                                    : usage_text_cpu_tenths(s->cpu_usec, usage.cpu_usec, passed_usec);
        s->memory_bytes = usage.memory_bytes;
        s->cpu_usec = usage.cpu_usec;
        s->read_usec = now_usec;
}

const UsageSample *usage_samples_look(UsageSamples *u, const char *name, uint64_t now_usec) {
        bool found;
        size_t place = find_place(u, name, &found);
        UsageSample *s = found ? &u->list[place] : add(u, place, name);

        /* A timer may be early by a little. */
        if (s && (s->read_usec == 0 || now_usec - s->read_usec >= USAGE_PERIOD_USEC - USAGE_PERIOD_USEC / 10))
                read_now(u, s, now_usec);
        return s;
}

void usage_samples_forget(UsageSamples *u, const char *name) {
        bool found;
        size_t place = find_place(u, name, &found);

        if (!found)
                return;
        free(u->list[place].name);
        u->n--;
        memmove(&u->list[place], &u->list[place + 1], (u->n - place) * sizeof *u->list);
}
