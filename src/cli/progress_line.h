/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* While services change: one line on a terminal, drawn anew with each event. Never more than the line, and nothing at
 * all where the output is no terminal that can go back to the line's start. */

#include <stdbool.h>
#include <stdio.h>

#include "boundary/hero_proc_client.h"
#include "cli/terminal_style.h"

typedef struct ProgressLine {
        FILE *f;
        const TerminalStyle *style;
        const ServiceChangeCall *calls; /* those that it is about */
        size_t n_calls;
        bool drawn;
} ProgressLine;

/* Whether there is any use in having one. */
bool progress_line_wanted(const TerminalStyle *style, const char *term);

/* A HeroProcObserver; `userdata` is the ProgressLine. */
void progress_line_on_event(const HeroProcEvent *e, void *userdata);
/* Before anything else is printed. */
void progress_line_clear(ProgressLine *p);
