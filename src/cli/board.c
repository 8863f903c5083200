/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/terminal_line.h"
#include "cli/time_text.h"
#include "cli/usage_text.h"

enum {
        /* Columns of the cells, and from which width of the screen on there is room for them. */
        STATE_WIDTH = 12, /* a sign, a blank, "restarting" */
        FIGURE_WIDTH = 5,
        STATE_FROM = 24,
        SINCE_FROM = 40,
        USAGE_FROM = 60,
        NAME_WIDTH_MIN = 8,

        /* Rows, likewise. */
        TITLES_FROM = 6,
        FOOT_FROM = 4,
};

static int compare_rows(const void *a, const void *b) {
        const ViewedService *x = ((const BoardRow *) a)->service, *y = ((const BoardRow *) b)->service;
        size_t place_x = service_state_place(x->state), place_y = service_state_place(y->state);

        return place_x != place_y ? (place_x < place_y ? -1 : 1) : strcmp(x->name, y->name);
}

void board_sort(BoardRow *rows, size_t n) {
        if (n > 0)
                qsort(rows, n, sizeof *rows, compare_rows);
}

bool board_filter_matches(const ViewedService *service, const char *filter) {
        return strcasestr(service->name, filter) || strcasestr(service_state_to_string(service->state), filter) ||
               strcasestr(viewed_service_reason(service), filter);
}

size_t board_room(size_t rows) {
        size_t taken = 1 + (rows >= TITLES_FROM) + (rows >= FOOT_FROM);

        return rows > taken ? rows - taken : 0;
}

size_t board_scroll(size_t top, size_t selected, size_t n_rows, size_t room) {
        if (selected < top)
                top = selected;
        if (room > 0 && selected >= top + room)
                top = selected - room + 1;
        if (top + room > n_rows)
                top = n_rows > room ? n_rows - room : 0;
        return top;
}

/* -- lines -- */

char **board_free_lines(char **lines, size_t n) {
        for (size_t i = 0; lines && i < n; i++)
                free(lines[i]);
        free(lines);
        return NULL;
}

static void add_count(TerminalLine *l, const TerminalStyle *style, ServiceState state, size_t n) {
        char text[64];

        (void) snprintf(text, sizeof text, "%zu %s", n, service_state_to_string(state));
        terminal_line_add_style(l, terminal_style_color(style, state));
        terminal_line_add(l, text);
        terminal_line_add_style(l, terminal_style_plain(style));
}

static void add_counts(TerminalLine *l, const Board *b, const TerminalStyle *style) {
        const char *separator = ": ";
        char text[64];

        (void) snprintf(text, sizeof text, "%zu service%s", b->n_services, b->n_services == 1 ? "" : "s");
        terminal_line_add(l, text);
        for (size_t i = 0; i < _SERVICE_STATE_MAX; i++) {
                ServiceState state = service_state_order[i];

                if (b->counts[state] == 0)
                        continue;
                terminal_line_add(l, separator);
                add_count(l, style, state, b->counts[state]);
                separator = ", ";
        }
}

/* The time stands there to show that the board is alive. It goes where it fits. */
static void add_clock(TerminalLine *l, uint64_t now_usec) {
        char clock[TIME_TEXT_MAX];

        time_text_clock(now_usec, clock);
        if (l->width - l->columns > strlen(clock) + 1)
                terminal_line_add_cell(l, clock, l->width - l->columns, true);
}

static char *head_line(const Board *b, const TerminalStyle *style, size_t columns) {
        TerminalLine l;

        terminal_line_begin(&l, style, columns);
        if (*b->where) {
                terminal_line_add(&l, b->where);
                terminal_line_add(&l, "  ");
        }
        if (b->trouble) {
                terminal_line_add_style(&l, terminal_style_color(style, SERVICE_UNKNOWN));
                terminal_line_add(&l, "? ");
                terminal_line_add(&l, b->trouble);
                terminal_line_add_style(&l, terminal_style_plain(style));
        } else {
                add_counts(&l, b, style);
        }
        add_clock(&l, b->now_usec);
        return terminal_line_end(&l);
}

/* As wide as the longest name, but never so that no room is left for the reasons. */
static size_t name_width(const Board *b, const TerminalStyle *style, size_t columns) {
        size_t width = strlen("NAME"), most = columns / 4;

        for (size_t i = 0; i < b->n_rows; i++) {
                size_t n = terminal_line_columns(b->rows[i].service->name, style);

                width = n > width ? n : width;
        }
        if (most < NAME_WIDTH_MIN)
                most = NAME_WIDTH_MIN;
        return width < most ? width : most;
}

/* One line of the table; all texts are cells but the last. */
typedef struct Cells {
        const char *state, *name, *since, *memory, *cpu, *reason;
} Cells;

static void add_cells(TerminalLine *l, const Cells *c, const char *color, const char *plain, size_t columns,
                      size_t name_columns) {
        terminal_line_add_style(l, color);
        if (columns >= STATE_FROM)
                terminal_line_add_cell(l, c->state, STATE_WIDTH, false);
        else
                terminal_line_add_cell(l, c->state, 1, false);
        terminal_line_add_style(l, plain);
        terminal_line_add(l, " ");
        if (columns < SINCE_FROM) {
                terminal_line_add(l, c->name);
                return;
        }
        terminal_line_add_cell(l, c->name, name_columns, false);
        terminal_line_add(l, "  ");
        terminal_line_add_cell(l, c->since, FIGURE_WIDTH, true);
        if (columns >= USAGE_FROM) {
                terminal_line_add(l, " ");
                terminal_line_add_cell(l, c->memory, FIGURE_WIDTH, true);
                terminal_line_add(l, " ");
                terminal_line_add_cell(l, c->cpu, FIGURE_WIDTH, true);
        }
        terminal_line_add(l, "  ");
        terminal_line_add(l, c->reason);
}

static char *title_line(const TerminalStyle *style, size_t columns, size_t name_columns) {
        static const Cells titles = { "STATE", "NAME", "SINCE", "MEM", "CPU", "REASON" };
        TerminalLine l;

        terminal_line_begin(&l, style, columns);
        terminal_line_add(&l, " ");
        add_cells(&l, &titles, style->color ? "\033[0;2m" : "", style->color ? "\033[0;2m" : "", columns, name_columns);
        return terminal_line_end(&l);
}

static char *service_line(const Board *b, size_t i, const TerminalStyle *style, size_t columns, size_t name_columns) {
        const BoardRow *row = &b->rows[i];
        ServiceState state = row->service->state;
        char sign[64], since[TIME_TEXT_MAX], memory[USAGE_TEXT_MAX], cpu[USAGE_TEXT_MAX], color[32], plain[32];
        const Cells cells = { sign, row->service->name, since, memory, cpu, viewed_service_reason(row->service) };
        bool selected = i == b->selected;
        TerminalLine l;

        (void) snprintf(sign, sizeof sign, "%s %s", terminal_style_sign(style, state), service_state_to_string(state));
        if (columns < STATE_FROM)
                (void) snprintf(sign, sizeof sign, "%s", terminal_style_sign(style, state));
        time_text_short_age(row->service->since_usec, b->now_usec, since);
        usage_text_memory(row->memory_bytes, memory);
        usage_text_cpu(row->cpu_tenths, cpu);
        (void) snprintf(color, sizeof color, "%s%s", terminal_style_color(style, state),
                        selected && style->color ? "\033[7m" : "");
        (void) snprintf(plain, sizeof plain, "%s%s", terminal_style_plain(style),
                        selected && style->color ? "\033[7m" : "");
        terminal_line_begin(&l, style, columns);
        terminal_line_add(&l, selected ? ">" : " ");
        add_cells(&l, &cells, color, plain, columns, name_columns);
        return terminal_line_end(&l);
}

static void add_keys(TerminalLine *l, const Board *b) {
        char text[320];

        if (b->filter_is_typed) {
                terminal_line_add(l, "/");
                terminal_line_add(l, b->filter);
                terminal_line_add(l, "_");
        } else if (*b->filter) {
                (void) snprintf(text, sizeof text, "%zu of %zu hold \"%s\"  Esc all  Enter why  q quit", b->n_rows,
                                b->n_services, b->filter);
                terminal_line_add(l, text);
        } else {
                terminal_line_add(l, "q quit  Enter why  / filter  r redraw");
        }
}

static char *foot_line(const Board *b, const TerminalStyle *style, size_t columns, size_t room) {
        char text[96] = "";
        TerminalLine l;

        terminal_line_begin(&l, style, columns);
        terminal_line_add_style(&l, style->color ? "\033[0;2m" : "");
        add_keys(&l, b);
        if (b->n_rows > room)
                (void) snprintf(text, sizeof text, "%zu-%zu of %zu", b->top + 1,
                                b->top + room < b->n_rows ? b->top + room : b->n_rows, b->n_rows);
        if (*text && l.width - l.columns > strlen(text) + 1)
                terminal_line_add_cell(&l, text, l.width - l.columns, true);
        return terminal_line_end(&l);
}

/* Takes `line`. False: it is NULL, out of memory. */
static bool put(char **lines, size_t *n, char *line) {
        lines[*n] = line;
        *n += line != NULL;
        return line != NULL;
}

char **board_lines(const Board *b, const TerminalStyle *style, size_t rows, size_t columns) {
        char **lines = calloc(rows + 1, sizeof *lines);
        size_t n = 0, room = board_room(rows), name_columns = name_width(b, style, columns);
        bool ok = lines && put(lines, &n, head_line(b, style, columns));

        if (ok && rows >= TITLES_FROM)
                ok = put(lines, &n, title_line(style, columns, name_columns));
        for (size_t i = 0; ok && i < room; i++)
                ok = put(lines, &n,
                         b->top + i < b->n_rows ? service_line(b, b->top + i, style, columns, name_columns)
                                                : strdup(""));
        if (ok && rows >= FOOT_FROM)
                ok = put(lines, &n, foot_line(b, style, columns, room));
        return ok ? lines : board_free_lines(lines, n);
}

/* -- a text -- */

/* The lines of `text`, broken to the width. */
static int break_text(const char *text, const TerminalStyle *style, size_t columns, char ***ret, size_t *ret_n) {
        char **broken = NULL;
        size_t n = 0;

        for (;;) {
                size_t length = strcspn(text, "\n"), bytes;
                _cleanup_free_ char *line = strndup(text, length);
                char **grown = reallocarray(broken, n + 1, sizeof *grown);

                if (grown)
                        broken = grown;
                if (!line || !grown) {
                        board_free_lines(broken, n);
                        return -1;
                }
                bytes = terminal_line_break(line, columns, style);
                line[bytes] = '\0';
                broken[n++] = TAKE_PTR(line);
                text += bytes;
                if (*text == '\n')
                        text++;
                if (!*text)
                        break;
        }
        *ret = broken;
        *ret_n = n;
        return 0;
}

static char *text_line(const TerminalStyle *style, size_t columns, const char *escape, const char *text) {
        TerminalLine l;

        terminal_line_begin(&l, style, columns);
        terminal_line_add_style(&l, style->color ? escape : "");
        terminal_line_add(&l, text);
        return terminal_line_end(&l);
}

char **board_text_lines(const char *title, const char *text, const TerminalStyle *style, size_t rows, size_t columns,
                        size_t *top) {
        char **lines = calloc(rows + 1, sizeof *lines), **broken = NULL;
        size_t n = 0, n_broken = 0, room = rows > 2 ? rows - 2 : 0;
        bool ok = lines && break_text(text, style, columns, &broken, &n_broken) >= 0;

        *top = board_scroll(*top, *top, n_broken, room);
        ok = ok && put(lines, &n, text_line(style, columns, "\033[0;1m", title));
        for (size_t i = 0; ok && i < room; i++)
                ok = put(lines, &n, *top + i < n_broken ? text_line(style, columns, "", broken[*top + i]) : strdup(""));
        if (ok && rows > 1)
                ok = put(lines, &n, text_line(style, columns, "\033[0;2m", "q back  j/k scroll  r ask again"));
        board_free_lines(broken, n_broken);
        return ok ? lines : board_free_lines(lines, n);
}
