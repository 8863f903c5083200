/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* service.restart, also where the server itself is restarted meanwhile. A start may be asked for twice, a restart may
 * not: whether it has happened is told by the InvocationIDs, which change with each start of a unit. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/outcome.h"
#include "gateway/mirror_row.h"
#include "gateway/rpc_methods.h"

typedef struct Restart {
        size_t n;
        char invocations[][33]; /* of the actions before */
} Restart;

static void on_answer(RpcCall *c, sd_bus_message *reply) {
        rpc_answer_state(c, rpc_reply_text(reply));
}

static void ask_to_restart(RpcCall *c, rpc_failed_t failed) {
        const char *name = rpc_call_service(c, 0);
        const HeroProcQuestion q = rpc_change_question(c, "RestartService", &name);

        rpc_call_ask_or(c, &q, on_answer, failed);
}

static bool has_restarted(const Restart *before, const MirrorService *now) {
        for (size_t i = 0; i < now->n_actions; i++)
                for (size_t j = 0; j < before->n; j++)
                        if (strcmp(now->actions[i].invocation_id, before->invocations[j]) == 0)
                                return false;
        return true;
}

static void on_status(RpcCall *c, sd_bus_message *reply) {
        _cleanup_(json_document_freep) JsonDocument *d = NULL;
        _cleanup_free_ MirrorService *row = NULL;
        _cleanup_free_ char *message = NULL;
        const char *text = rpc_reply_text(reply);
        int r = text ? json_strict_parse(text, strlen(text), &d, &message) : -EBADMSG;

        if (r >= 0 && (d->values[0].kind != JSON_KIND_ARRAY || d->values[0].n_children != 1))
                r = -EBADMSG;
        if (r >= 0)
                r = mirror_row_read(d->values[0].first, &row);
        if (r < 0)
                rpc_call_fail_to_read(c, r);
        else if (has_restarted(rpc_call_state(c), row))
                rpc_answer_state(c, service_state_to_string(row->state));
        else
                ask_to_restart(c, rpc_call_fail); /* the server was lost before it had begun */
}

/* Whatever was begun is over. */
static void on_settled(RpcCall *c, sd_bus_message *reply) {
        const char *name = rpc_call_service(c, 0);
        const HeroProcQuestion q = { .member = "GetStatus",
                                     .signature = "ast",
                                     .texts = &name,
                                     .n_texts = 1,
                                     .timeout_usec = 10 * USEC_PER_SEC,
                                     .is_prompt = true,
                                     .is_repeatable = true };

        (void) reply;
        rpc_call_ask(c, &q, on_status);
}

static void on_failed(RpcCall *c, int r, const char *message) {
        const char *name = rpc_call_service(c, 0);
        HeroProcQuestion q = rpc_change_question(c, "StartService", &name);

        if (r != HERO_E_SERVER_UNREACHABLE || !rpc_call_was_sent(c)) {
                rpc_call_fail(c, r, message);
                return;
        }
        q.is_repeatable = q.awaits_server = true;
        rpc_call_ask(c, &q, on_settled);
}

void rpc_restart(RpcCall *c) {
        const MirrorService *s = service_mirror_find(rpc_call_gateway(c)->mirror, rpc_call_service(c, 0));
        size_t n = s ? s->n_actions : 0;
        Restart *before = calloc(1, sizeof *before + n * sizeof before->invocations[0]);

        if (!before) {
                rpc_call_fail(c, -ENOMEM, "out of memory");
                return;
        }
        for (size_t i = 0; i < n; i++)
                if (strlen(s->actions[i].invocation_id) == 32)
                        memcpy(before->invocations[before->n++], s->actions[i].invocation_id, 33);
        rpc_call_set_state(c, before);
        ask_to_restart(c, on_failed);
}
