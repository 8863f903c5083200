/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/rpc_batch.h"

#include <stdlib.h>

struct RpcBatch {
        Gateway *gateway;
        HttpExchange *exchange;
        JsonRpcBody body;
        size_t n_open; /* calls without an answer, and one while they are being begun */
        RpcCall calls[];
};

Gateway *rpc_batch_gateway(const RpcBatch *b) {
        return b->gateway;
}

const Peer *rpc_batch_peer(const RpcBatch *b) {
        return http_exchange_peer(b->exchange);
}

static void batch_free(RpcBatch *b) {
        for (size_t i = 0; i < b->body.n; i++) {
                json_text_done(&b->calls[i].answer);
                free(b->calls[i].state);
        }
        json_rpc_body_done(&b->body);
        free(b);
}

/* All answers in the order of the questions; notifications have none, and where there are no others nothing is said. */
static void reply(RpcBatch *b) {
        JsonText all = { 0 };
        size_t n = 0;
        char *text;

        if (b->body.is_batch)
                json_text_open(&all, '[');
        for (size_t i = 0; i < b->body.n; i++) {
                JsonText *answer = &b->calls[i].answer;

                all.failed = all.failed || answer->failed;
                if (!answer->text)
                        continue;
                if (b->body.is_batch)
                        json_text_raw(&all, answer->text, answer->n);
                else
                        all = *answer, *answer = (JsonText){ 0 };
                n++;
        }
        if (b->body.is_batch)
                json_text_close(&all, ']');
        if (n == 0 && !all.failed) {
                json_text_done(&all);
                http_exchange_reply_static(b->exchange, 204, NULL, "", 0);
                return;
        }
        text = json_text_take(&all, &n);
        if (text)
                http_exchange_reply(b->exchange, 200, "application/json", text, n);
        else
                http_exchange_reply_error(b->exchange, 503, "out of memory");
}

static void one_less_is_open(RpcBatch *b) {
        if (--b->n_open > 0)
                return;
        reply(b);
        batch_free(b);
}

void rpc_batch_call_done(RpcCall *c) {
        one_less_is_open(c->batch);
}

void rpc_batch_handle(HttpExchange *x, void *userdata) {
        JsonRpcBody body = { 0 };
        RpcBatch *b = NULL;
        size_t n;
        const char *text = http_exchange_body(x, &n);

        if (json_rpc_read(text, n, &body) >= 0)
                b = calloc(1, sizeof *b + body.n * sizeof b->calls[0]);
        if (!b) {
                json_rpc_body_done(&body);
                http_exchange_reply_error(x, 503, "out of memory");
                return;
        }
        *b = (RpcBatch){ .gateway = userdata, .exchange = x, .body = body, .n_open = body.n + 1 };
        for (size_t i = 0; i < body.n; i++) {
                b->calls[i] = (RpcCall){ .batch = b, .request = &b->body.requests[i] };
                rpc_call_run(&b->calls[i]);
        }
        one_less_is_open(b);
}
