/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One line for a terminal, built from the left and never wider than it is to be, whatever the texts hold: control
 * characters are made harmless (safe_text.h), and what does not fit is cut off with a sign that it was. Pure but for
 * the locale, which knows how wide a character is. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/terminal_style.h"

typedef struct TerminalLine {
        const TerminalStyle *style;
        FILE *f;
        char *text;
        size_t size, width, columns; /* columns: taken so far */
        bool styled, failed;
} TerminalLine;

/* A line of at most `width` columns. */
void terminal_line_begin(TerminalLine *l, const TerminalStyle *style, size_t width);
/* The line, without a line feed, to be freed; NULL: out of memory. Has to be called once. */
char *terminal_line_end(TerminalLine *l);

void terminal_line_add(TerminalLine *l, const char *text);
/* A cell of a table: exactly so many columns, cut off or filled up with blanks before (`right`) or behind. */
void terminal_line_add_cell(TerminalLine *l, const char *text, size_t columns, bool right);
/* An escape sequence as of terminal_style_color(); takes no columns. The line's end ends it as well. */
void terminal_line_add_style(TerminalLine *l, const char *escape);

/* How many bytes of `text`, which is harmless already, fit into so many columns; broken behind a blank where there is
 * one in the second half. At least one character of a text that is not empty. */
size_t terminal_line_break(const char *text, size_t columns, const TerminalStyle *style);

/* How many columns `text` takes once it is harmless; 0 when out of memory. */
size_t terminal_line_columns(const char *text, const TerminalStyle *style);
/* The same of a text that is harmless already, for which no memory is needed. */
size_t terminal_line_columns_of_safe(const char *text, const TerminalStyle *style);
