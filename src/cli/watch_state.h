/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the parts of the live board share: its state, and what one part asks of another. */

#include <signal.h>

#include "boundary/service_view.h"
#include "cli/board.h"
#include "cli/session.h"
#include "cli/terminal_screen.h"
#include "cli/usage_samples.h"

typedef enum Mode { MODE_LIST, MODE_FILTER, MODE_DETAILS } Mode;

typedef struct WatchBoard {
        Session *session;
        sd_event *event;
        ServiceView *view;
        TerminalScreen screen;
        UsageSamples usage;
        Mode mode;

        BoardRow *rows; /* as drawn last */
        size_t n_rows, top, selected, page;
        char selected_name[256]; /* of the service that is pointed at, wherever it goes; "" before there is one */
        char filter[64];

        PendingCall why;
        bool why_sent, why_answered, why_again;
        struct json_object *why_json;
        size_t why_top;

        char keys[64]; /* bytes that are not decoded yet */
        size_t n_keys;

        sd_event_source *redraw, *tick, *reconnect, *escape;
        uint64_t drawn_usec;
        sigset_t signals, signals_before;
        int signal; /* that has ended it; 0: none */
} WatchBoard;

/* -- watch_picture.c: what is seen -- */

/* Draws what there is to be seen now. Negative errno. */
int watch_draw(WatchBoard *b);
/* Does so soon: at once, unless it has just been done. */
void watch_redraw_soon(WatchBoard *b);
void watch_select_row(WatchBoard *b, size_t i);

/* -- watch_keys.c: what is pressed -- */

/* A TerminalKey. */
void watch_take_key(WatchBoard *b, int key);

/* -- watch_board.c -- */

/* Asks why the selected service is what it is, as soon as that can be asked; and forgets question and answer. */
void watch_ask_why(WatchBoard *b);
void watch_forget_why(WatchBoard *b);
