/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/progress_block.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text_stream.h"
#include "cli/terminal_line.h"

enum {
        ROWS_MAX = 12, /* beyond it a block is in the way rather than of help */
};

bool progress_block_wanted(const TerminalStyle *style, const char *term) {
        return style->is_terminal && term && strcmp(term, "dumb") != 0;
}

static int put_line(FILE *f, TerminalLine *line) {
        _cleanup_free_ char *text = terminal_line_end(line);

        return text && fprintf(f, "%s\n", text) >= 0 ? 0 : -1;
}

static int put_item(FILE *f, const TerminalStyle *style, size_t columns, const ProgressItem *item) {
        TerminalLine line;

        terminal_line_begin(&line, style, columns);
        terminal_line_add_style(&line, terminal_style_color(style, item->state));
        terminal_line_add(&line, terminal_style_sign(style, item->state));
        terminal_line_add_style(&line, terminal_style_plain(style));
        terminal_line_add(&line, " ");
        terminal_line_add(&line, item->name);
        terminal_line_add(&line, ": ");
        terminal_line_add(&line, (int) item->state < 0 ? "not there" : service_state_to_string(item->state));
        terminal_line_add(&line, *item->reason ? ": " : "");
        terminal_line_add(&line, item->reason);
        return put_line(f, &line);
}

static int put_text(FILE *f, const TerminalStyle *style, size_t columns, const char *text) {
        TerminalLine line;

        terminal_line_begin(&line, style, columns);
        terminal_line_add(&line, text);
        return put_line(f, &line);
}

static int put_rest(FILE *f, const TerminalStyle *style, size_t columns, size_t n) {
        char text[64];

        (void) snprintf(text, sizeof text, "  and %zu more", n);
        return put_text(f, style, columns, text);
}

static int put_items(FILE *f, const TerminalStyle *style, size_t columns, size_t rows, const ProgressItem *items,
                     size_t n) {
        size_t n_left = 0;
        int r = 0;

        for (size_t i = 0; i < n; i++)
                n_left += !items[i].done;
        for (size_t i = 0; r >= 0 && i < n && rows > 0; i++) {
                if (items[i].done)
                        continue;
                if (rows == 1 && n_left > 1)
                        return put_rest(f, style, columns, n_left);
                r = put_item(f, style, columns, &items[i]);
                rows--;
                n_left--;
        }
        return r;
}

char *progress_block_text(const TerminalStyle *style, size_t columns, size_t rows, const char *head,
                          const ProgressItem *items, size_t n) {
        char *text = NULL;
        size_t size;
        FILE *f = text_stream_open(&text, &size);
        int r = f ? 0 : -1;

        if (r >= 0 && n > 1 && rows > 1) {
                r = put_text(f, style, columns, head);
                rows--;
        }
        if (r >= 0)
                r = put_items(f, style, columns, rows, items, n);
        if (f && fclose(f) == 0 && r >= 0)
                return text;
        free(text);
        return NULL;
}

/* Back to where the block begins. */
static void go_back(ProgressBlock *p) {
        if (p->n_lines > 0)
                fprintf(p->f, "\033[%zuA\r", p->n_lines);
        p->n_lines = 0;
}

void progress_block_clear(ProgressBlock *p) {
        if (!p->drawn)
                return;
        go_back(p);
        fputs("\033[J", p->f);
        (void) fflush(p->f);
        free(TAKE_PTR(p->drawn));
}

void progress_block_draw(ProgressBlock *p, const char *head, const ProgressItem *items, size_t n) {
        size_t rows = ROWS_MAX, columns = p->style->width;
        char *text;

        /* One row stays free, for the cursor to stand in: with none the terminal would scroll. */
        if (terminal_style_size(fileno(p->f), &rows, &columns))
                rows = rows > ROWS_MAX ? ROWS_MAX : rows > 1 ? rows - 1 : 1;
        text = progress_block_text(p->style, columns, rows, head, items, n);
        if (!text)
                return;
        if (p->drawn && strcmp(p->drawn, text) == 0) {
                free(text);
                return;
        }
        go_back(p);
        for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
                fprintf(p->f, "%.*s\033[K\n", (int) strcspn(line, "\n"), line);
                p->n_lines++;
        }
        fputs("\033[J", p->f);
        (void) fflush(p->f);
        free(p->drawn);
        p->drawn = text;
}
