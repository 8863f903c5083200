/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One call of a JSON-RPC method, from its parameters to its answer, and the form of the table that lists the methods.
 */

#include "core/json_rpc.h"
#include "gateway/gateway.h"

typedef struct RpcCall RpcCall;

enum {
        RPC_PARAMS_MAX = 4,
};

typedef enum RpcType {
        RPC_SERVICE,  /* a service's name */
        RPC_SERVICES, /* an array of such names */
        RPC_BOOLEAN,
        RPC_INTEGER,     /* min to max */
        RPC_DEFINITIONS, /* an array of objects: service definitions */
} RpcType;

typedef struct RpcParam {
        const char *name; /* NULL ends the list */
        RpcType type;
        bool is_required;
        int64_t min, max, fallback; /* fallback: of an integer or boolean that is left out */
        const char *description;
} RpcParam;

typedef enum RpcRight {
        RPC_LOOK,    /* whoever could connect */
        RPC_OPERATE, /* authority_may_operate() */
        RPC_DEFINE,  /* authority_may_define() */
} RpcRight;

/* A row of the table from which calls are dispatched, checked and documented (openrpc.c). */
typedef struct RpcMethod {
        const char *name, *summary;
        RpcRight right;
        RpcParam params[RPC_PARAMS_MAX];
        const char *result_name, *result_schema; /* JSON Schema */
        void (*run)(RpcCall *c); /* ends, now or later, in one of rpc_call_succeed() and rpc_call_fail() */
} RpcMethod;

/* What is left out is NULL, false, or the fallback; all was checked against the table before run(). */
const char *rpc_call_service(const RpcCall *c, size_t param);
/* NULL-terminated, to be freed (the names are not); n is their number. NULL on -ENOMEM. */
const char **rpc_call_services(const RpcCall *c, size_t param, size_t *ret_n);
bool rpc_call_boolean(const RpcCall *c, size_t param);
int64_t rpc_call_integer(const RpcCall *c, size_t param);
const JsonValue *rpc_call_value(const RpcCall *c, size_t param);

Gateway *rpc_call_gateway(const RpcCall *c);
const RpcMethod *rpc_call_method(const RpcCall *c);

/* Answers with JSON, which is taken and freed; a text that failed becomes an internal error. */
void rpc_call_succeed(RpcCall *c, JsonText *result);
void rpc_call_succeed_raw(RpcCall *c, const char *json); /* copied */
/* r: an Outcome or a negative errno. */
void rpc_call_fail(RpcCall *c, int r, const char *message);
/* What the server answered could not be read, with r. */
void rpc_call_fail_to_read(RpcCall *c, int r);

/* Asks the server; what it answers goes to `answered` with the call as userdata, a failure is told as the call's. */
typedef void (*rpc_answered_t)(RpcCall *c, sd_bus_message *reply);
void rpc_call_ask(RpcCall *c, const HeroProcQuestion *q, rpc_answered_t answered);
/* The same; a failure goes to `failed` instead. */
typedef void (*rpc_failed_t)(RpcCall *c, int r, const char *message);
void rpc_call_ask_or(RpcCall *c, const HeroProcQuestion *q, rpc_answered_t answered, rpc_failed_t failed);

/* Of the question that failed: some server has had it, and may have acted on it. */
bool rpc_call_was_sent(const RpcCall *c);

/* For a method that takes several steps: kept for it, and freed after the call. */
void rpc_call_set_state(RpcCall *c, void *state);
void *rpc_call_state(const RpcCall *c);
