/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/pressure.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

/* Percent of the last ten seconds. Somebody waits for a processor most of the time on any busy machine, which is no
 * emergency; that all processes at once wait for memory is one long before. */
#define CPU_SOME_MAX 99.5
#define MEMORY_FULL_MAX 30.0

/* The value of "some avg10=1.23 …" or "full avg10=…"; 0 where there is none. */
static double read_average(const char *file, const char *kind) {
        _cleanup_fclose_ FILE *f = fopen(file, "re");
        char line[128], word[8];
        double average;

        while (f && fgets(line, sizeof line, f))
                if (sscanf(line, "%7s avg10=%lf", word, &average) == 2 && strcmp(word, kind) == 0)
                        return average;
        return 0;
}

bool pressure_is_high(void) {
        return read_average("/proc/pressure/cpu", "some") > CPU_SOME_MAX ||
               read_average("/proc/pressure/memory", "full") > MEMORY_FULL_MAX;
}
