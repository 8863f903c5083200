/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tables in the house's form: two spaces between columns, the first one in colour if need be, and only the last one
 * ever cut off. */

#include <stdbool.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/terminal_style.h"

enum {
        PLAIN_TABLE_COLUMNS_MAX = 8,
};

typedef struct PlainTable PlainTable;

/* Of at least two columns; `style` has to stay. NULL: out of memory. */
PlainTable *plain_table_new(FILE *out, const TerminalStyle *style, bool headings, const char *const *titles,
                            size_t n_titles);
PlainTable *plain_table_free(PlainTable *table);
DEFINE_CLEANUP(PlainTable *, plain_table_free)

/* One line of as many texts as there are titles. `color` is an escape sequence that stays, or "". 0 or -ENOMEM. */
int plain_table_add(PlainTable *table, const char *color, const char *const *texts);

/* Nothing at all, headings neither, when there are no lines. 0 or -ENOMEM. */
int plain_table_print(PlainTable *table);
