/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* While services are awaited: what each of them is and why, a line each, drawn anew with each event, and gone before
 * the result is printed. Nothing at all where the output is no terminal that can go back. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/terminal_style.h"

typedef struct ProgressItem {
        const char *name, *reason; /* reason: in words, or "" */
        ServiceState state;        /* SERVICE_STATE_INVALID: there is no such service */
        bool done;
} ProgressItem;

typedef struct ProgressBlock {
        FILE *f;
        const TerminalStyle *style;
        size_t n_lines; /* on the terminal now */
        char *drawn;    /* the text of these; NULL: none */
} ProgressBlock;

/* Whether there is any use in having one. */
bool progress_block_wanted(const TerminalStyle *style, const char *term);

/* Lines of at most `columns`, at most `rows` of them: `head`, unless there is but one item, then the items that are not
 * done. To be freed; NULL: out of memory. Pure. */
char *progress_block_text(const TerminalStyle *style, size_t columns, size_t rows, const char *head,
                          const ProgressItem *items, size_t n);

void progress_block_draw(ProgressBlock *p, const char *head, const ProgressItem *items, size_t n);
/* Before anything else is printed. May be called twice. */
void progress_block_clear(ProgressBlock *p);
