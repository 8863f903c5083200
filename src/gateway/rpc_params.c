/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/rpc_params.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/service_definition.h"

enum {
        NAMES_MAX = 1024,
        DEFINITIONS_MAX = 256,
};

size_t rpc_params_count(const RpcMethod *method) {
        size_t n = 0;

        while (n < RPC_PARAMS_MAX && method->params[n].name)
                n++;
        return n;
}

static bool fail(char **reterr_message, const char *name, const char *expected) {
        if (asprintf(reterr_message, "%s: expected %s", name, expected) < 0)
                *reterr_message = NULL;
        return false;
}

static bool check_array(const RpcParam *p, const JsonValue *v, JsonKind kind, size_t max, const char *expected,
                        char **reterr_message) {
        if (v->kind != JSON_KIND_ARRAY || v->n_children > max)
                return fail(reterr_message, p->name, expected);
        for (const JsonValue *e = v->first; e; e = e->next)
                if (e->kind != kind || (kind == JSON_KIND_STRING && !service_name_is_valid(e->string)))
                        return fail(reterr_message, p->name, expected);
        return true;
}

static bool check_integer(const RpcParam *p, const JsonValue *v, char **reterr_message) {
        if (v->kind == JSON_KIND_INTEGER && v->integer >= p->min && v->integer <= p->max)
                return true;
        if (asprintf(reterr_message, "%s: expected an integer from %" PRId64 " to %" PRId64, p->name, p->min, p->max) <
            0)
                *reterr_message = NULL;
        return false;
}

static bool check(const RpcParam *p, const JsonValue *v, char **reterr_message) {
        switch (p->type) {
        case RPC_SERVICE:
                return (v->kind == JSON_KIND_STRING && service_name_is_valid(v->string)) ||
                       fail(reterr_message, p->name, "the name of a service");
        case RPC_SERVICES:
                return check_array(p, v, JSON_KIND_STRING, NAMES_MAX, "an array of at most 1024 names of services",
                                   reterr_message);
        case RPC_BOOLEAN:
                return v->kind == JSON_KIND_BOOLEAN || fail(reterr_message, p->name, "true or false");
        case RPC_INTEGER:
                return check_integer(p, v, reterr_message);
        case RPC_DEFINITIONS:
                return check_array(p, v, JSON_KIND_OBJECT, DEFINITIONS_MAX,
                                   "an array of at most 256 service definitions", reterr_message);
        }
        return false;
}

static bool by_name(const RpcMethod *m, size_t n, const JsonValue *params, const JsonValue *ret[],
                    char **reterr_message) {
        for (const JsonValue *v = params->first; v; v = v->next) {
                size_t i = 0;

                while (i < n && strcmp(m->params[i].name, v->key) != 0)
                        i++;
                if (i == n)
                        return fail(reterr_message, strlen(v->key) <= 64 ? v->key : "a long name",
                                    n > 0 ? "no parameter of that name" : "no parameters");
                ret[i] = v;
        }
        return true;
}

static bool by_position(size_t n, const JsonValue *params, const JsonValue *ret[], char **reterr_message) {
        size_t i = 0;

        if (params->n_children > n)
                return fail(reterr_message, "params", "fewer of them");
        for (const JsonValue *v = params->first; v; v = v->next)
                ret[i++] = v;
        return true;
}

bool rpc_params_read(const RpcMethod *method, const JsonValue *params, const JsonValue *ret[RPC_PARAMS_MAX],
                     char **reterr_message) {
        size_t n = rpc_params_count(method);

        for (size_t i = 0; i < RPC_PARAMS_MAX; i++)
                ret[i] = NULL;
        if (params && !(params->kind == JSON_KIND_OBJECT ? by_name(method, n, params, ret, reterr_message)
                                                         : by_position(n, params, ret, reterr_message)))
                return false;
        for (size_t i = 0; i < n; i++) {
                if (!ret[i] && method->params[i].is_required)
                        return fail(reterr_message, method->params[i].name, "it, and it is missing");
                if (ret[i] && !check(&method->params[i], ret[i], reterr_message))
                        return false;
        }
        return true;
}
