/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/face_ui.h"

#include <string.h>

#include "gateway/board_actions.h"
#include "gateway/board_assets.h"
#include "gateway/board_list.h"
#include "gateway/board_service.h"

static void asset(HttpExchange *x, void *userdata) {
        const BoardAsset *a = board_asset_find(http_exchange_path(x) + 1);

        (void) userdata;
        http_exchange_add_header(x, "Cache-Control", "max-age=300");
        http_exchange_reply_static(x, 200, a->type, a->bytes, a->n);
}

int face_ui_add_routes(Gateway *g, BoardEvents *events) {
        static const HttpRoute routes[] = {
                { HTTP_FACE_UI, "GET", "/", NULL, board_list_handle },
                { HTTP_FACE_UI, "GET", "/service/*", NULL, board_service_handle },
                { HTTP_FACE_UI, "GET", "/board.css", NULL, asset },
                { HTTP_FACE_UI, "GET", "/board.js", NULL, asset },
                { HTTP_FACE_UI, "GET", "/board.svg", NULL, asset },
                { HTTP_FACE_UI, "POST", "/do/*", "application/x-www-form-urlencoded", board_actions_handle },
        };
        static const HttpRoute live[] = {
                { HTTP_FACE_UI, "GET", "/events", NULL, board_events_handle },
        };
        int r = http_server_add_routes(g->http, routes, ELEMENTSOF(routes), g);

        return r < 0 ? r : http_server_add_routes(g->http, live, ELEMENTSOF(live), events);
}
