/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One body of POST /rpc: its calls run at the same time, and are answered together. */

#include "gateway/rpc_call.h"

typedef struct RpcBatch RpcBatch;

struct RpcCall {
        RpcBatch *batch;
        const JsonRpcRequest *request;
        const RpcMethod *method; /* NULL: not found yet, or not at all */
        const JsonValue *params[RPC_PARAMS_MAX];
        JsonText answer; /* empty: none is wanted */
        rpc_answered_t answered;
        rpc_failed_t failed;
        bool was_sent;
        void *state;
};

/* http_handler_t of POST /rpc; userdata is the Gateway. */
void rpc_batch_handle(HttpExchange *x, void *userdata);

Gateway *rpc_batch_gateway(const RpcBatch *b);
const Peer *rpc_batch_peer(const RpcBatch *b);
void rpc_batch_call_done(RpcCall *c);

/* rpc_call.c: begins it. */
void rpc_call_run(RpcCall *c);
