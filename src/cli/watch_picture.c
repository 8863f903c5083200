/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/watch_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text_stream.h"
#include "cli/why_block.h"

/* Twenty pictures a second are enough, also when a thousand services change at once. */
#define REDRAW_PAUSE_USEC (50 * USEC_PER_MSEC)

void watch_redraw_soon(WatchBoard *b) {
        int armed = SD_EVENT_OFF;

        (void) sd_event_source_get_enabled(b->redraw, &armed);
        if (armed != SD_EVENT_OFF)
                return;
        (void) sd_event_source_set_time(b->redraw, b->drawn_usec + REDRAW_PAUSE_USEC);
        (void) sd_event_source_set_enabled(b->redraw, SD_EVENT_ONESHOT);
}

/* The rows that are to be seen, and the counts of all that the verb's patterns let in. */
static int gather(WatchBoard *b, Board *board) {
        ViewedService *const *services = service_view_services(b->view, &board->n_services);
        size_t n = board->n_services;
        BoardRow *rows = reallocarray(b->rows, n + 1, sizeof *rows);

        if (!rows)
                return -ENOMEM;
        b->rows = rows;
        b->n_rows = board->n_services = 0;
        for (size_t i = 0; i < n; i++) {
                if (!session_matches_patterns(b->session, services[i]->name))
                        continue;
                board->n_services++;
                board->counts[services[i]->state]++;
                if (board_filter_matches(services[i], b->filter))
                        b->rows[b->n_rows++] = (BoardRow){ services[i], UINT64_MAX, UINT32_MAX };
        }
        board_sort(b->rows, b->n_rows);
        return 0;
}

/* The selection stays with its service; where that is gone, with its place. */
static void follow_selection(WatchBoard *b) {
        for (size_t i = 0; i < b->n_rows; i++)
                if (strcmp(b->rows[i].service->name, b->selected_name) == 0) {
                        b->selected = i;
                        return;
                }
        if (b->selected >= b->n_rows)
                b->selected = b->n_rows > 0 ? b->n_rows - 1 : 0;
}

void watch_select_row(WatchBoard *b, size_t i) {
        b->selected = i < b->n_rows ? i : b->n_rows > 0 ? b->n_rows - 1 : 0;
        if (b->n_rows > 0)
                (void) snprintf(b->selected_name, sizeof b->selected_name, "%s", b->rows[b->selected].service->name);
        watch_redraw_soon(b);
}

static void look_at_usage(WatchBoard *b, size_t room) {
        uint64_t now_usec = clock_monotonic_usec();

        for (size_t i = b->top; i < b->n_rows && i < b->top + room; i++) {
                const UsageSample *s = usage_samples_look(&b->usage, b->rows[i].service->name, now_usec);

                if (s) {
                        b->rows[i].memory_bytes = s->memory_bytes;
                        b->rows[i].cpu_tenths = s->cpu_tenths;
                }
        }
}

static const char *find_trouble(const WatchBoard *b, size_t n_services, char *buffer, size_t size) {
        const char *message;

        if (service_view_is_live(b->view))
                return NULL;
        if (service_view_error(b->view, &message) == 0)
                message = "hero_proc_server has not answered yet";
        (void) snprintf(buffer, size, "%s: nothing is known of %zu service%s", message, n_services,
                        n_services == 1 ? "" : "s");
        return buffer;
}

static const char *where(const Session *s) {
        const HeroProcTarget *t = &s->line->target;

        return t->host ? t->host : t->machine ? t->machine : t->is_user ? "user" : "";
}

static char **list_lines(WatchBoard *b, size_t rows, size_t columns) {
        Board board = { .where = where(b->session), .filter = b->filter, .now_usec = clock_realtime_usec() };
        size_t room = board_room(rows);
        char trouble[256];

        if (gather(b, &board) < 0)
                return NULL;
        follow_selection(b);
        b->page = room;
        b->top = board_scroll(b->top, b->selected, b->n_rows, room);
        look_at_usage(b, room);
        board.trouble = find_trouble(b, board.n_services, trouble, sizeof trouble);
        board.rows = b->rows;
        board.n_rows = b->n_rows;
        board.top = b->top;
        board.selected = b->selected;
        board.filter_is_typed = b->mode == MODE_FILTER;
        return board_lines(&board, &b->session->out_style, rows, columns);
}

static char *why_text(const WatchBoard *b) {
        static const TerminalStyle plain = { .is_terminal = false };
        TerminalStyle style = plain;
        const char *message;
        char *text = NULL;
        size_t size;
        FILE *f;

        if (!service_view_is_live(b->view) && service_view_error(b->view, &message) != 0)
                return asprintf(&text, "%s: nothing is known.", message) < 0 ? NULL : text;
        if (!b->why_json)
                return strdup("Asking.");
        style.utf8 = b->session->out_style.utf8;
        f = text_stream_open(&text, &size);
        if (!f)
                return NULL;
        why_block_print(f, b->why_json, &style, clock_realtime_usec());
        if (fclose(f) == 0)
                return text;
        free(text);
        return NULL;
}

static char **details_lines(WatchBoard *b, size_t rows, size_t columns) {
        _cleanup_free_ char *text = why_text(b);
        char title[300];

        (void) snprintf(title, sizeof title, "Why %s", b->selected_name);
        b->page = rows > 2 ? rows - 2 : 1;
        return text ? board_text_lines(title, text, &b->session->out_style, rows, columns, &b->why_top) : NULL;
}

int watch_draw(WatchBoard *b) {
        size_t rows = 24, columns = 80;
        char **lines;

        (void) terminal_style_size(b->screen.out_fd, &rows, &columns);
        lines = b->mode == MODE_DETAILS ? details_lines(b, rows, columns) : list_lines(b, rows, columns);
        b->drawn_usec = clock_monotonic_usec();
        return lines ? terminal_screen_draw(&b->screen, lines, rows) : -ENOMEM;
}
