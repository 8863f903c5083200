/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gateway/http_exchange.h"

/* GET /service/NAME: the evidence, the explanation, the history and the last lines of the journal of one service.
 * `userdata` is the Gateway. */
void board_service_handle(HttpExchange *x, void *userdata);
