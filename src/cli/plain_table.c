/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/plain_table.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <string.h>

struct PlainTable {
        FILE *out;
        struct libscols_table *columns;
        size_t n_columns;
};

PlainTable *plain_table_free(PlainTable *table) {
        if (!table)
                return NULL;
        scols_unref_table(table->columns);
        free(table);
        return NULL;
}

PlainTable *plain_table_new(FILE *out, const TerminalStyle *style, bool headings, const char *const *titles,
                            size_t n_titles) {
        _cleanup_(plain_table_freep) PlainTable *table = calloc(1, sizeof *table);

        if (!table)
                return NULL;
        table->out = out;
        table->n_columns = n_titles;
        table->columns = scols_new_table();
        if (!table->columns)
                return NULL;
        for (size_t i = 0; i < n_titles; i++)
                if (!scols_table_new_column(table->columns, titles[i], 0, i == n_titles - 1 ? SCOLS_FL_TRUNC : 0))
                        return NULL;
        scols_table_enable_colors(table->columns, style->color);
        scols_table_enable_noheadings(table->columns, !headings);
        scols_table_set_column_separator(table->columns, "  ");
        scols_table_set_termforce(table->columns, style->width > 0 ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
        if (style->width > 0)
                scols_table_set_termwidth(table->columns, style->width);
        return TAKE_PTR(table);
}

int plain_table_add(PlainTable *table, const char *color, const char *const *texts) {
        struct libscols_line *line = scols_table_new_line(table->columns, NULL);

        if (!line)
                return -ENOMEM;
        for (size_t i = 0; i < table->n_columns; i++)
                if (scols_line_set_data(line, i, texts[i]) != 0)
                        return -ENOMEM;
        if (*color && scols_cell_set_color(scols_line_get_cell(line, 0), color) != 0)
                return -ENOMEM;
        return 0;
}

/* libsmartcols fills up the last column with blanks too, how many depends on its version. */
static void print_without_trailing_blanks(FILE *out, const char *text) {
        while (*text) {
                size_t line = strcspn(text, "\n"), n = line;

                while (n > 0 && text[n - 1] == ' ')
                        n--;
                (void) fwrite(text, 1, n, out);
                fputc('\n', out);
                text += line + (text[line] == '\n');
        }
}

int plain_table_print(PlainTable *table) {
        _cleanup_free_ char *text = NULL;

        if (scols_table_get_nlines(table->columns) == 0)
                return 0;
        if (scols_print_table_to_string(table->columns, &text) != 0)
                return -ENOMEM;
        print_without_trailing_blanks(table->out, text);
        return 0;
}
