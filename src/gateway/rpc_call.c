/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/rpc_call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/outcome.h"
#include "gateway/rpc_batch.h"
#include "gateway/rpc_error.h"
#include "gateway/rpc_methods.h"
#include "gateway/rpc_params.h"

/* -- parameters -- */

const JsonValue *rpc_call_value(const RpcCall *c, size_t param) {
        return c->params[param];
}

const char *rpc_call_service(const RpcCall *c, size_t param) {
        return c->params[param] ? c->params[param]->string : NULL;
}

const char **rpc_call_services(const RpcCall *c, size_t param, size_t *ret_n) {
        const JsonValue *array = c->params[param];
        const char **names = calloc((array ? array->n_children : 0) + 1, sizeof *names);
        size_t n = 0;

        for (const JsonValue *v = array ? array->first : NULL; names && v; v = v->next)
                names[n++] = v->string;
        *ret_n = n;
        return names;
}

bool rpc_call_boolean(const RpcCall *c, size_t param) {
        return c->params[param] ? c->params[param]->boolean : c->method->params[param].fallback != 0;
}

int64_t rpc_call_integer(const RpcCall *c, size_t param) {
        return c->params[param] ? c->params[param]->integer : c->method->params[param].fallback;
}

Gateway *rpc_call_gateway(const RpcCall *c) {
        return rpc_batch_gateway(c->batch);
}

const RpcMethod *rpc_call_method(const RpcCall *c) {
        return c->method;
}

bool rpc_call_was_sent(const RpcCall *c) {
        return c->was_sent;
}

void rpc_call_set_state(RpcCall *c, void *state) {
        free(c->state);
        c->state = state;
}

void *rpc_call_state(const RpcCall *c) {
        return c->state;
}

/* -- answers -- */

void rpc_call_succeed(RpcCall *c, JsonText *result) {
        if (!result->text || result->failed) {
                json_text_done(result);
                rpc_call_fail(c, -ENOMEM, "out of memory");
                return;
        }
        if (!c->request->is_notification)
                json_rpc_add_result(&c->answer, c->request, result->text, result->n);
        json_text_done(result);
        rpc_batch_call_done(c);
}

void rpc_call_succeed_raw(RpcCall *c, const char *json) {
        JsonText t = { 0 };

        json_text_raw(&t, json, strlen(json));
        rpc_call_succeed(c, &t);
}

/* The service that it is about: the parameter of that kind, if it has the right form. */
static const char *service_of(const RpcCall *c) {
        for (size_t i = 0; c->method && i < rpc_params_count(c->method); i++)
                if (c->method->params[i].type == RPC_SERVICE && c->params[i] &&
                    c->params[i]->kind == JSON_KIND_STRING && strlen(c->params[i]->string) <= 64)
                        return c->params[i]->string;
        return NULL;
}

static void fail_with_code(RpcCall *c, int code, const char *message) {
        const char *action = c->method ? strchr(c->method->name, '.') : NULL;
        _cleanup_free_ char *data = rpc_error_data(code, service_of(c), action ? action + 1 : NULL);

        if (!c->request->is_notification) {
                json_rpc_add_error(&c->answer, c->request, code, message, data);
                c->answer.failed = c->answer.failed || !data;
        }
        rpc_batch_call_done(c);
}

void rpc_call_fail(RpcCall *c, int r, const char *message) {
        fail_with_code(c, rpc_error_code(r), message);
}

void rpc_call_fail_to_read(RpcCall *c, int r) {
        if (r == -ENOMEM)
                rpc_call_fail(c, r, "out of memory");
        else
                rpc_call_fail(c, -EBADMSG, "hero_proc_server answered in a form that is not known here");
}

/* -- asking the server -- */

static void on_answer(const HeroProcAnswer *a, void *userdata) {
        RpcCall *c = userdata;

        c->was_sent = a->was_sent;
        if (a->r == 0)
                c->answered(c, a->reply);
        else
                c->failed(c, a->r, a->message);
}

void rpc_call_ask_or(RpcCall *c, const HeroProcQuestion *q, rpc_answered_t answered, rpc_failed_t failed) {
        int r;

        c->answered = answered;
        c->failed = failed;
        r = hero_proc_link_ask(service_mirror_link(rpc_call_gateway(c)->mirror), q, on_answer, c, NULL);
        if (r < 0)
                rpc_call_fail(c, r, r == -ENOBUFS ? "too many calls at a time" : "out of memory");
}

void rpc_call_ask(RpcCall *c, const HeroProcQuestion *q, rpc_answered_t answered) {
        rpc_call_ask_or(c, q, answered, rpc_call_fail);
}

/* -- the start -- */

static const char *refusal(const RpcCall *c) {
        const Peer *peer = rpc_batch_peer(c->batch);
        bool is_user = rpc_call_gateway(c)->is_user;

        if (c->method->right == RPC_OPERATE && !authority_may_operate(peer, is_user))
                return is_user ? "only the user may do this" : "only root and members of group hero may do this";
        if (c->method->right == RPC_DEFINE && !authority_may_define(peer, is_user))
                return is_user ? "only the user may do this"
                               : "definitions are not taken over HTTP: run hero_proc apply or hero_proc remove as root";
        return NULL;
}

void rpc_call_run(RpcCall *c) {
        _cleanup_free_ char *message = NULL;
        const char *refused;

        if (c->request->error != 0) {
                fail_with_code(c, c->request->error, c->request->message);
                return;
        }
        c->method = rpc_methods_find(c->request->method);
        if (!c->method) {
                fail_with_code(c, JSON_RPC_METHOD_NOT_FOUND, "there is no method of that name");
                return;
        }
        if (!rpc_params_read(c->method, c->request->params, c->params, &message)) {
                if (message)
                        fail_with_code(c, JSON_RPC_INVALID_PARAMS, message);
                else
                        rpc_call_fail(c, -ENOMEM, "out of memory");
                return;
        }
        refused = refusal(c);
        if (refused)
                rpc_call_fail(c, HERO_E_NOT_AUTHORIZED, refused);
        else
                c->method->run(c);
}
