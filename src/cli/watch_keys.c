/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/outcome.h"
#include "cli/terminal_keys.h"
#include "cli/watch_state.h"

#include <string.h>

static void open_details(WatchBoard *b) {
        if (b->n_rows == 0)
                return;
        watch_select_row(b, b->selected);
        watch_forget_why(b);
        b->mode = MODE_DETAILS;
        b->why_top = 0;
        watch_ask_why(b);
}

static size_t add_down_to_0(size_t a, long d) {
        return d < 0 && a < (size_t) -d ? 0 : a + (size_t) d;
}

static void move(WatchBoard *b, long by) {
        if (b->mode == MODE_DETAILS)
                b->why_top = add_down_to_0(b->why_top, by);
        else
                watch_select_row(b, add_down_to_0(b->selected, by));
}

/* Those that mean the same in the list and in the details. */
static bool take_moving_key(WatchBoard *b, int key) {
        long page = b->page > 1 ? (long) b->page - 1 : 1;

        switch (key) {
        case KEY_UP:
        case 'k':
                move(b, -1);
                return true;
        case KEY_DOWN:
        case 'j':
                move(b, 1);
                return true;
        case KEY_PAGE_UP:
                move(b, -page);
                return true;
        case KEY_PAGE_DOWN:
        case ' ':
                move(b, page);
                return true;
        case KEY_HOME:
        case 'g':
                move(b, -(long) INT32_MAX);
                return true;
        case KEY_END:
        case 'G':
                move(b, INT32_MAX);
                return true;
        default:
                return false;
        }
}

static void take_list_key(WatchBoard *b, int key) {
        switch (key) {
        case 'q':
        case 'Q':
                (void) sd_event_exit(b->event, EX_DONE);
                break;
        case '/':
                b->mode = MODE_FILTER;
                break;
        case KEY_ESCAPE:
                b->filter[0] = '\0';
                break;
        case KEY_ENTER:
        case KEY_RIGHT:
        case 'l':
                open_details(b);
                break;
        default:
                break;
        }
}

static void take_details_key(WatchBoard *b, int key) {
        switch (key) {
        case 'q':
        case 'h':
        case KEY_LEFT:
        case KEY_ESCAPE:
        case KEY_ENTER:
                b->mode = MODE_LIST;
                watch_forget_why(b);
                break;
        case 'r':
                watch_ask_why(b);
                break;
        default:
                break;
        }
}

static void take_filter_key(WatchBoard *b, int key) {
        size_t n = strlen(b->filter);

        if (key == KEY_ENTER || key == KEY_ESCAPE)
                b->mode = MODE_LIST;
        if (key == KEY_ESCAPE || key == KEY_ERASE_ALL)
                b->filter[0] = '\0';
        else if (key == KEY_BACKSPACE && n > 0)
                b->filter[n - 1] = '\0';
        else if (key >= 0x20 && key < 0x7f && n < sizeof b->filter - 1)
                (void) snprintf(b->filter + n, sizeof b->filter - n, "%c", key);
}

void watch_take_key(WatchBoard *b, int key) {
        watch_redraw_soon(b);
        if (b->mode == MODE_FILTER) {
                take_filter_key(b, key);
                return;
        }
        if (key == KEY_REDRAW || key == 'r')
                terminal_screen_forget(&b->screen);
        if (take_moving_key(b, key))
                return;
        if (b->mode == MODE_DETAILS)
                take_details_key(b, key);
        else
                take_list_key(b, key);
}
