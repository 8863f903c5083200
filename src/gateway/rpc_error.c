/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/rpc_error.h"

#include <errno.h>

#include "base/outcome.h"
#include "core/json_rpc.h"

static const struct {
        int code;
        const char *code_name, *hint;
} own_codes[] = {
        { JSON_RPC_PARSE_ERROR, "parse-error", "send one JSON text of at most 31 levels, in UTF-8, each key once" },
        { JSON_RPC_INVALID_REQUEST, "invalid-request", "see https://www.jsonrpc.org/specification" },
        { JSON_RPC_METHOD_NOT_FOUND, "method-not-found", "rpc.discover lists the methods" },
        { JSON_RPC_INVALID_PARAMS, "invalid-argument", "rpc.discover tells the parameters of each method" },
        { JSON_RPC_INTERNAL_ERROR, "internal-error", "journalctl -u hero_proc-gateway may tell more" },
};

static const char *const hints[_HERO_E_MAX] = {
        [HERO_E_NO_SUCH_SERVICE] = "service.list tells which there are",
        [HERO_E_INVALID_DEFINITION] = "hero_proc check FILE tells the same without applying it",
        [HERO_E_DEPENDENCY_CYCLE] = "take one of them out of requires or after",
        [HERO_E_BUSY] = "try again shortly",
        [HERO_E_START_FAILED] = "service.why tells the evidence",
        [HERO_E_NOT_AUTHORIZED] =
                "connect as root or as a member of group hero; definitions are applied by hero_proc apply",
        [HERO_E_SYSTEMD_UNREACHABLE] = "try again shortly",
        [HERO_E_STORE_FULL] = "make room where hero_proc keeps its database",
        [HERO_E_SERVER_UNREACHABLE] = "systemctl status hero_proc; services run on without it",
        [HERO_E_TIMED_OUT] = "it goes on: service.status tells how it ended",
};

char *rpc_error_data(int code, const char *service, const char *action) {
        const char *code_name = "internal-error", *hint = "";
        bool retryable = false;
        JsonText t = { 0 };
        size_t n;

        for (int i = 1; i < _HERO_E_MAX; i++)
                if (outcome_info((Outcome) i)->rpc_code == code) {
                        code_name = outcome_info((Outcome) i)->code_name;
                        retryable = outcome_info((Outcome) i)->retryable;
                        hint = hints[i] ? hints[i] : "";
                }
        for (size_t i = 0; i < ELEMENTSOF(own_codes); i++)
                if (own_codes[i].code == code) {
                        code_name = own_codes[i].code_name;
                        hint = own_codes[i].hint;
                }
        json_text_open(&t, '{');
        json_text_add_string(&t, "code_name", code_name);
        json_text_add_string(&t, "service", service);
        json_text_add_string(&t, "action", action);
        json_text_add_boolean(&t, "retryable", retryable);
        json_text_add_string(&t, "hint", hint);
        json_text_close(&t, '}');
        return json_text_take(&t, &n);
}

int rpc_error_code(int r) {
        if (r > 0 && r < _HERO_E_MAX)
                return outcome_info((Outcome) r)->rpc_code;
        if (r == -ETIMEDOUT)
                return outcome_info(HERO_E_TIMED_OUT)->rpc_code;
        if (r == -ENOBUFS)
                return outcome_info(HERO_E_BUSY)->rpc_code;
        return JSON_RPC_INTERNAL_ERROR;
}
