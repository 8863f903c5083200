/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the pages of the board have in common, and which services a request is to see. */

#include "gateway/board_row.h"
#include "gateway/gateway.h"

enum {
        BOARD_ROWS_A_PAGE = 50,
};

/* `depth`: how many folders the page is below the root. */
void board_view_init(BoardView *v, const Gateway *g, const HttpExchange *x, unsigned depth);

/* Up to <main>, and from </main> on. `title` is escaped here. */
void board_head_put(HtmlText *h, const BoardView *v, const char *title, bool is_live);
void board_foot_put(HtmlText *h);
/* "7 services: 6 running, 1 failed", or why nothing is known. */
void board_summary_put(HtmlText *h, const BoardView *v);

/* The services whose name or state holds `filter` (NULL, "": all), failed first; to be freed. -ENOMEM. */
int board_select(const ServiceMirror *m, const char *filter, const MirrorService ***ret, size_t *ret_n);

void board_reply(HttpExchange *x, HtmlText *h);
