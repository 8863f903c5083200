/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gateway/http_exchange.h"

/* POST /do/VERB?name=NAME&back=PAGE: what a button asks for. Answers as soon as the server has taken it, and sends the
 * browser back to the page. `userdata` is the Gateway. */
void board_actions_handle(HttpExchange *x, void *userdata);
