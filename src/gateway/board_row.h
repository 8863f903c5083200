/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One service as HTML: the row of the list, which the page and its live stream have in common, and parts that the
 * service's own page shows too. */

#include "gateway/html_text.h"
#include "gateway/service_mirror.h"

typedef struct BoardView {
        const ServiceMirror *mirror;
        const char *root; /* of links: "", "../", or the prefix that a router in front took away */
        bool may_operate; /* the buttons are for those who may */
        uint64_t now_usec;
} BoardView;

const char *board_sign(ServiceState state);
/* Failed first: 0 the worst. */
unsigned board_rank(ServiceState state);

/* <tr>; without line breaks, so that it is one line of an event. */
void board_row_put(HtmlText *h, const BoardView *v, const MirrorService *s);

/* Sign and word. */
void board_state_put(HtmlText *h, ServiceState state);
/* The last answers of a probe as a picture: a bar for each, as high as it took long (each doubling the same step), n at
 * most. */
void board_strip_put(HtmlText *h, const MirrorProbe *p, size_t n);
/* Forms: start or stop, restart, reset-failed. Nothing where the caller may not. `back`: the page to return to, below
 * the root. */
void board_buttons_put(HtmlText *h, const BoardView *v, const MirrorService *s, const char *back);
