/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gateway/gateway.h"

/* GET /events: what changes on the board, as server-sent events of rows that are made here, so that page and stream
 * cannot differ.
 *
 *     row      a service's row, new or changed. Changes of a state come for every service; the numbers of probes only
 * for the first page of what `q` selects, which is what the page shows gone     the name of a service that is no more
 *     summary  the line above the list
 *     reload   more has changed than rows can tell (the server went or came): the page is to be asked for again
 *
 * Events are numbered by the mirror's changes, so that a stream that was cut goes on where it was. */
typedef struct BoardEvents BoardEvents;

int board_events_new(Gateway *g, BoardEvents **ret);
BoardEvents *board_events_free(BoardEvents *e);
DEFINE_CLEANUP(BoardEvents *, board_events_free)

/* `userdata` is the BoardEvents. */
void board_events_handle(HttpExchange *x, void *userdata);
