/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The body of a POST to /rpc. Each request of it gets an answer that is JSON and names its request, whatever it is. */
#include "fuzz_target.h"

#include "core/json_rpc.h"
#include "core/service_definition.h"
#include "gateway/rpc_methods.h"
#include "gateway/rpc_params.h"

static JsonDocument *parse(const char *text, size_t n) {
        JsonDocument *d = NULL;
        char *message = NULL;

        CLAIM(json_strict_parse(text, n, &d, &message) == 0, "%.*s: %s", (int) n, text, message);
        return d;
}

static void claim_answer(JsonText *t, const JsonRpcRequest *request, const char *key) {
        _cleanup_free_ char *text = NULL;
        _cleanup_(json_document_freep) JsonDocument *d = NULL;
        const JsonValue *root, *id;
        size_t n;

        text = json_text_take(t, &n);
        CLAIM(text && strlen(text) == n, "a text");
        d = parse(text, n);
        root = d->values;
        id = json_member(root, "id");
        CLAIM(root->kind == JSON_KIND_OBJECT && root->n_children == 3, "%s", text);
        CLAIM(id && id->source_length == request->n_id && memcmp(id->source, request->id, request->n_id) == 0, "%s",
              text);
        CLAIM(json_member(root, key) && json_member(root, "jsonrpc"), "%s", text);
}

static void claim_params(const JsonRpcRequest *request, const RpcMethod *method) {
        const JsonValue *params[RPC_PARAMS_MAX];
        char *message = NULL;
        bool is_good = rpc_params_read(method, request->params, params, &message);

        CLAIM(is_good == !message, "%s: %s", method->name, message);
        for (size_t i = 0; is_good && i < rpc_params_count(method); i++) {
                const RpcParam *p = &method->params[i];

                CLAIM(params[i] || !p->is_required, "%s", p->name);
                CLAIM(!params[i] || p->type != RPC_INTEGER ||
                              (params[i]->integer >= p->min && params[i]->integer <= p->max),
                      "%s", p->name);
                CLAIM(!params[i] || p->type != RPC_SERVICE || service_name_is_valid(params[i]->string), "%s", p->name);
        }
        free(message);
}

static void claim_request(const JsonRpcRequest *request) {
        JsonText t = { 0 };
        const RpcMethod *method;

        if (request->error != 0) {
                CLAIM(request->message && !request->is_notification, "%d", request->error);
                json_rpc_add_error(&t, request, request->error, request->message, NULL);
                claim_answer(&t, request, "error");
                return;
        }
        CLAIM(request->method, "a method");
        method = rpc_methods_find(request->method);
        if (method)
                claim_params(request, method);
        json_rpc_add_result(&t, request, "{}", 2);
        claim_answer(&t, request, "result");
}

/* Any bytes become a JSON string, and UTF-8 among them the same one. */
static void claim_string(const char *bytes, size_t n) {
        _cleanup_(json_text_done) JsonText t = { 0 };
        _cleanup_(json_document_freep) JsonDocument *d = NULL;
        bool is_utf8 = true;
        uint32_t c;

        for (size_t i = 0, length; i < n && is_utf8; i += length) {
                length = utf8_decode(bytes + i, n - i, &c);
                is_utf8 = length > 0 && c != 0;
        }
        json_text_bytes(&t, bytes, n);
        if (!is_utf8 && memchr(bytes, 0, n))
                return; /* "\u0000", which our own reader does not take */
        d = parse(t.text, t.n);
        CLAIM(d->values->kind == JSON_KIND_STRING, "%s", t.text);
        CLAIM(!is_utf8 || (strlen(d->values->string) == n && memcmp(d->values->string, bytes, n) == 0), "%s", t.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = malloc(size ? size : 1);
        _cleanup_(json_rpc_body_done) JsonRpcBody body = { 0 };

        memcpy(text, data, size);
        CLAIM(json_rpc_read(text, size, &body) == 0, "memory");
        CLAIM(body.n > 0 && body.n <= JSON_RPC_BATCH_MAX, "%zu", body.n);
        CLAIM(body.document || (body.n == 1 && body.requests[0].error == JSON_RPC_PARSE_ERROR && !body.is_batch), "%d",
              body.requests[0].error);
        for (size_t i = 0; i < body.n; i++)
                claim_request(&body.requests[i]);
        claim_string(text, size);
        return 0;
}
