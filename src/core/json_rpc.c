/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/json_rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static JsonRpcRequest invalid(int code, const char *message) {
        return (JsonRpcRequest){ .error = code, .message = message, .id = "null", .n_id = 4 };
}

static bool is_id(const JsonValue *v) {
        return v->kind == JSON_KIND_STRING || v->kind == JSON_KIND_INTEGER || v->kind == JSON_KIND_REAL ||
               v->kind == JSON_KIND_NULL;
}

/* The id is given back even where the rest is wrong, if it is one: that is what tells the caller which it was. */
static JsonRpcRequest read_request(const JsonValue *v) {
        JsonRpcRequest r = invalid(JSON_RPC_INVALID_REQUEST, "expected an object with jsonrpc, method and id");
        const JsonValue *version, *method, *params, *id;

        if (v->kind != JSON_KIND_OBJECT)
                return r;
        version = json_member(v, "jsonrpc");
        method = json_member(v, "method");
        params = json_member(v, "params");
        id = json_member(v, "id");
        if (id && !is_id(id)) {
                r.message = "id: expected a string, a number or null";
                return r;
        }
        if (id) {
                r.id = id->source;
                r.n_id = id->source_length;
        }
        if (!version || version->kind != JSON_KIND_STRING || strcmp(version->string, "2.0") != 0)
                r.message = "jsonrpc: expected \"2.0\"";
        else if (!method || method->kind != JSON_KIND_STRING)
                r.message = "method: expected a string";
        else if (params && params->kind != JSON_KIND_ARRAY && params->kind != JSON_KIND_OBJECT)
                r.message = "params: expected an object or an array";
        else {
                r.error = 0;
                r.message = NULL;
                r.method = method->string;
                r.params = params;
                r.is_notification = !id;
        }
        return r;
}

static const char *batch_fault(const JsonValue *root) {
        if (root->kind != JSON_KIND_ARRAY)
                return NULL;
        if (root->n_children == 0)
                return "a batch of nothing: expected at least one request";
        return root->n_children > JSON_RPC_BATCH_MAX ? "expected at most 32 requests in a batch" : NULL;
}

static int read_requests(const JsonValue *root, JsonRpcBody *b) {
        const char *fault = batch_fault(root);
        size_t n = root->kind == JSON_KIND_ARRAY && !fault ? root->n_children : 1, i = 0;

        b->requests = calloc(n, sizeof *b->requests);
        if (!b->requests)
                return -ENOMEM;
        b->n = n;
        if (fault)
                b->requests[0] = invalid(JSON_RPC_INVALID_REQUEST, fault);
        else if (root->kind != JSON_KIND_ARRAY)
                b->requests[0] = read_request(root);
        else {
                b->is_batch = true;
                for (const JsonValue *v = root->first; v; v = v->next)
                        b->requests[i++] = read_request(v);
        }
        return 0;
}

int json_rpc_read(const char *text, size_t n, JsonRpcBody *ret) {
        _cleanup_(json_rpc_body_done) JsonRpcBody b = { 0 };
        int r = json_strict_parse(text, n, &b.document, &b.message);

        if (r >= 0)
                r = read_requests(&b.document->values[0], &b);
        else if (r == -EBADMSG) {
                b.requests = calloc(1, sizeof *b.requests);
                if (!b.requests)
                        return -ENOMEM;
                b.requests[b.n++] = invalid(JSON_RPC_PARSE_ERROR, b.message);
                r = 0;
        }
        if (r < 0)
                return r;
        *ret = b;
        b = (JsonRpcBody){ 0 };
        return 0;
}

void json_rpc_body_done(JsonRpcBody *b) {
        free(b->requests);
        json_document_free(b->document);
        free(b->message);
        *b = (JsonRpcBody){ 0 };
}

static void open_answer(JsonText *t, const JsonRpcRequest *request) {
        json_text_open(t, '{');
        json_text_add_string(t, "jsonrpc", "2.0");
        json_text_key(t, "id");
        json_text_raw(t, request->id, request->n_id);
}

void json_rpc_add_result(JsonText *t, const JsonRpcRequest *request, const char *result, size_t n_result) {
        open_answer(t, request);
        json_text_key(t, "result");
        json_text_raw(t, result, n_result);
        json_text_close(t, '}');
}

void json_rpc_add_error(JsonText *t, const JsonRpcRequest *request, int code, const char *message, const char *data) {
        open_answer(t, request);
        json_text_key(t, "error");
        json_text_open(t, '{');
        json_text_key(t, "code");
        json_text_integer(t, code);
        json_text_add_string(t, "message", message);
        if (data)
                json_text_add_raw(t, "data", data);
        json_text_close(t, '}');
        json_text_close(t, '}');
}
