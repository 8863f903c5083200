/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/usage_text.h"

#include <inttypes.h>
#include <stdio.h>

void usage_text_memory(uint64_t bytes, char ret[USAGE_TEXT_MAX]) {
        static const char units[] = "KMGTPE";
        uint64_t tenths;
        size_t i = 0;

        if (bytes == UINT64_MAX) {
                (void) snprintf(ret, USAGE_TEXT_MAX, "-");
                return;
        }
        if (bytes < 1024) {
                (void) snprintf(ret, USAGE_TEXT_MAX, "%" PRIu64 "B", bytes);
                return;
        }
        for (; bytes >= UINT64_C(1024) * 1024; i++)
                bytes /= 1024;
        tenths = bytes * 10 / 1024;
        if (tenths < 1000)
                (void) snprintf(ret, USAGE_TEXT_MAX, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10, units[i]);
        else
                (void) snprintf(ret, USAGE_TEXT_MAX, "%" PRIu64 "%c", tenths / 10, units[i]);
}

void usage_text_cpu(uint32_t tenths, char ret[USAGE_TEXT_MAX]) {
        if (tenths == UINT32_MAX)
                (void) snprintf(ret, USAGE_TEXT_MAX, "-");
        else if (tenths < 1000)
                (void) snprintf(ret, USAGE_TEXT_MAX, "%" PRIu32 ".%" PRIu32 "%%", tenths / 10, tenths % 10);
        else
                (void) snprintf(ret, USAGE_TEXT_MAX, "%" PRIu32 "%%", tenths / 10);
}

uint32_t usage_text_cpu_tenths(uint64_t old_cpu_usec, uint64_t new_cpu_usec, uint64_t passed_usec) {
        uint64_t tenths;

        if (old_cpu_usec == UINT64_MAX || new_cpu_usec == UINT64_MAX || new_cpu_usec < old_cpu_usec || passed_usec == 0)
                return UINT32_MAX;
        tenths = (new_cpu_usec - old_cpu_usec) * 1000 / passed_usec;
        return tenths < UINT32_MAX ? (uint32_t) tenths : UINT32_MAX - 1;
}
