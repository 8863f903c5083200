/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/face_rpc.h"

#include "gateway/openrpc.h"
#include "gateway/rpc_batch.h"

static void openrpc(HttpExchange *x, void *userdata) {
        JsonText t = { 0 };
        size_t n;
        char *text;

        (void) userdata;
        openrpc_write(&t);
        text = json_text_take(&t, &n);
        if (text)
                http_exchange_reply(x, 200, "application/json", text, n);
        else
                http_exchange_reply_error(x, 503, "out of memory");
}

int face_rpc_add_routes(Gateway *g) {
        static const HttpRoute routes[] = {
                { HTTP_FACE_RPC, "POST", "/rpc", "application/json", rpc_batch_handle },
                { HTTP_FACE_RPC | HTTP_FACE_UI, "GET", "/openrpc.json", NULL, openrpc },
        };

        return http_server_add_routes(g->http, routes, ELEMENTSOF(routes), g);
}
