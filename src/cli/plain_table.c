/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/plain_table.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/safe_text.h"
#include "cli/terminal_line.h"

#define SEPARATOR "  "

typedef struct Row {
        const char *color;
        char *texts[PLAIN_TABLE_COLUMNS_MAX]; /* harmless */
} Row;

struct PlainTable {
        FILE *out;
        const TerminalStyle *style;
        bool headings;
        size_t n_columns, widths[PLAIN_TABLE_COLUMNS_MAX];
        Row *rows; /* the first holds the titles */
        size_t n_rows;
};

PlainTable *plain_table_free(PlainTable *table) {
        if (!table)
                return NULL;
        for (size_t i = 0; i < table->n_rows; i++)
                for (size_t k = 0; k < table->n_columns; k++)
                        free(table->rows[i].texts[k]);
        free(table->rows);
        free(table);
        return NULL;
}

PlainTable *plain_table_new(FILE *out, const TerminalStyle *style, bool headings, const char *const *titles,
                            size_t n_titles) {
        _cleanup_(plain_table_freep) PlainTable *table = calloc(1, sizeof *table);

        if (!table)
                return NULL;
        table->out = out;
        table->style = style;
        table->headings = headings;
        table->n_columns = n_titles;
        return plain_table_add(table, "", titles) == 0 ? TAKE_PTR(table) : NULL;
}

int plain_table_add(PlainTable *table, const char *color, const char *const *texts) {
        Row *rows = reallocarray(table->rows, table->n_rows + 1, sizeof *rows), *row;
        bool counts = table->n_rows > 0 || table->headings;

        if (!rows)
                return -ENOMEM;
        table->rows = rows;
        row = &rows[table->n_rows++];
        *row = (Row){ .color = color };
        for (size_t k = 0; k < table->n_columns; k++) {
                size_t width;

                row->texts[k] = safe_text_dup(texts[k], table->style->utf8, false);
                if (!row->texts[k])
                        return -ENOMEM;
                width = terminal_line_columns_of_safe(row->texts[k], table->style);
                if (counts && width > table->widths[k])
                        table->widths[k] = width;
        }
        return 0;
}

/* The cells from `first` on, without blanks at the end. */
static int print_cells(const PlainTable *table, const Row *row, size_t first, size_t n, size_t width) {
        _cleanup_free_ char *text = NULL;
        TerminalLine line;

        terminal_line_begin(&line, table->style, width);
        for (size_t k = first; k < first + n; k++) {
                if (k > 0)
                        terminal_line_add(&line, SEPARATOR);
                if (k == table->n_columns - 1)
                        terminal_line_add(&line, row->texts[k]);
                else
                        terminal_line_add_cell(&line, row->texts[k], table->widths[k], false);
        }
        text = terminal_line_end(&line);
        if (!text)
                return -ENOMEM;
        for (size_t end = strlen(text); first > 0 && end > 0 && text[end - 1] == ' ';)
                text[--end] = '\0';
        fputs(text, table->out);
        return 0;
}

/* The first cell by itself: its colour ends with it. */
static int print_row(const PlainTable *table, const Row *row) {
        size_t width = table->style->width > 0 ? table->style->width : SIZE_MAX, first = table->widths[0];
        int r;

        fputs(row->color, table->out);
        r = print_cells(table, row, 0, 1, width);
        if (*row->color)
                fputs(terminal_style_plain(table->style), table->out);
        if (r == 0)
                r = print_cells(table, row, 1, table->n_columns - 1, width > first ? width - first : 0);
        fputc('\n', table->out);
        return r;
}

int plain_table_print(PlainTable *table) {
        int r = 0;

        if (table->n_rows == 1)
                return 0;
        for (size_t i = table->headings ? 0 : 1; r == 0 && i < table->n_rows; i++)
                r = print_row(table, &table->rows[i]);
        return r;
}
