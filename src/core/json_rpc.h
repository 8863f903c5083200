/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The envelope of JSON-RPC 2.0: a body taken apart into what is asked for, and each answer put together. Pure; what
 * methods there are is somebody else's. */

#include <stdbool.h>
#include <stddef.h>

#include "core/json_strict.h"
#include "core/json_text.h"

enum {
        JSON_RPC_PARSE_ERROR = -32700,
        JSON_RPC_INVALID_REQUEST = -32600,
        JSON_RPC_METHOD_NOT_FOUND = -32601,
        JSON_RPC_INVALID_PARAMS = -32602,
        JSON_RPC_INTERNAL_ERROR = -32603,

        JSON_RPC_BATCH_MAX = 32,
};

/* One request of the body. */
typedef struct JsonRpcRequest {
        int error;           /* 0, or the code that it is to be answered with */
        const char *message; /* then: what is wrong with it; static */
        const char *method;
        const JsonValue *params; /* an array or an object; NULL: none */
        const char *id;          /* as it stands in the text, or "null" */
        size_t n_id;
        bool is_notification; /* no answer is wanted */
} JsonRpcRequest;

typedef struct JsonRpcBody {
        bool is_batch; /* the answers go into an array */
        size_t n;
        JsonRpcRequest *requests;
        JsonDocument *document;
        char *message; /* of the fault of a body that is no JSON; a request's message may point here */
} JsonRpcBody;

/* `text` must outlive *ret. A body that cannot be taken apart is one request, with its error. -ENOMEM. */
int json_rpc_read(const char *text, size_t n, JsonRpcBody *ret);
void json_rpc_body_done(JsonRpcBody *b);

/* Appends an answer; `result` and `data` are JSON, data may be NULL. */
void json_rpc_add_result(JsonText *t, const JsonRpcRequest *request, const char *result, size_t n_result);
void json_rpc_add_error(JsonText *t, const JsonRpcRequest *request, int code, const char *message, const char *data);
