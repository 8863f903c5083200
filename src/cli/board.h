/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The live board of `hero_proc watch`: which services it shows in which order, and how that looks on a screen of any
 * size. Pure: values in, lines out. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boundary/service_view.h"
#include "cli/terminal_style.h"

typedef struct BoardRow {
        const ViewedService *service;
        uint64_t memory_bytes; /* UINT64_MAX: not known */
        uint32_t cpu_tenths;   /* of a percent; UINT32_MAX: not known */
} BoardRow;

typedef struct Board {
        const char *where;   /* which machine's or whose services; "": this machine's */
        const char *trouble; /* why nothing is known of any service; NULL: all is well */
        const BoardRow *rows;
        size_t n_rows;                                 /* those that match the filter, in the order of board_sort() */
        size_t n_services, counts[_SERVICE_STATE_MAX]; /* of all */
        size_t top, selected; /* rows: the first that is seen, and the one that is pointed at */
        const char *filter;   /* "": none */
        bool filter_is_typed; /* right now */
        uint64_t now_usec;    /* CLOCK_REALTIME */
} Board;

/* Worst first, then by name. */
void board_sort(BoardRow *rows, size_t n);

/* Whether `filter` stands in its name, state or leading reason, whatever the case of its letters. */
bool board_filter_matches(const ViewedService *service, const char *filter);

/* How many services fit on a screen of so many rows. */
size_t board_room(size_t rows);

/* The `top` with which `selected` is seen and no row is left empty that could show a service. */
size_t board_scroll(size_t top, size_t selected, size_t n_rows, size_t room);

/* `rows` lines of at most `columns` columns; the array and each to be freed. NULL: out of memory. */
char **board_lines(const Board *board, const TerminalStyle *style, size_t rows, size_t columns);

/* The same for a text about one service: its lines are broken to the width, and shown from line `top` on, which is
 * brought within bounds. */
char **board_text_lines(const char *title, const char *text, const TerminalStyle *style, size_t rows, size_t columns,
                        size_t *top);

char **board_free_lines(char **lines, size_t n);
