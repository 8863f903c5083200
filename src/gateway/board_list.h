/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gateway/http_exchange.h"

/* GET /: all services, failed first, fifty a page. `userdata` is the Gateway. */
void board_list_handle(HttpExchange *x, void *userdata);
