/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The methods that only look. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/outcome.h"
#include "gateway/health.h"
#include "gateway/mirror_row.h"
#include "gateway/rpc_methods.h"
#include "gateway/service_rows.h"

#define READ_TIMEOUT_USEC (10 * USEC_PER_SEC)
#define PROBE_TIMEOUT_USEC (120 * USEC_PER_SEC)

void rpc_health(RpcCall *c) {
        unsigned status;
        _cleanup_free_ char *text = health_json(rpc_call_gateway(c), &status);

        if (text)
                rpc_call_succeed_raw(c, text);
        else
                rpc_call_fail(c, -ENOMEM, "out of memory");
}

void rpc_list(RpcCall *c) {
        const ServiceMirror *m = rpc_call_gateway(c)->mirror;
        size_t n;
        const MirrorService *const *services = service_mirror_services(m, &n);
        JsonText t = { 0 };

        if (!service_mirror_is_complete(m)) {
                rpc_call_fail(c, HERO_E_SERVER_UNREACHABLE, service_mirror_absence(m));
                return;
        }
        json_text_open(&t, '[');
        for (size_t i = 0; i < n; i++)
                service_rows_add_short(&t, m, services[i]);
        json_text_close(&t, ']');
        rpc_call_succeed(c, &t);
}

/* -- what the server is asked -- */

/* Whatever it answers is JSON: parsed by nobody on the way. */
static void pass_on(RpcCall *c, sd_bus_message *reply) {
        const char *text = rpc_reply_text(reply);

        if (text)
                rpc_call_succeed_raw(c, text);
        else
                rpc_call_fail_to_read(c, -EBADMSG);
}

static void ask_about(RpcCall *c, const char *member, const char *signature, uint64_t limit, uint64_t timeout_usec,
                      rpc_answered_t answered) {
        const char *name = rpc_call_service(c, 0);
        const HeroProcQuestion q = { .member = member,
                                     .signature = signature,
                                     .texts = &name,
                                     .n_texts = 1,
                                     .limit = limit,
                                     .timeout_usec = timeout_usec,
                                     .is_prompt = timeout_usec == READ_TIMEOUT_USEC,
                                     .is_repeatable = true };

        rpc_call_ask(c, &q, answered);
}

/* The one row of a list of one. */
static void on_row(RpcCall *c, sd_bus_message *reply) {
        _cleanup_(json_document_freep) JsonDocument *d = NULL;
        _cleanup_free_ MirrorService *row = NULL;
        _cleanup_free_ char *message = NULL;
        const char *text = rpc_reply_text(reply);
        JsonText t = { 0 };
        int r = text ? json_strict_parse(text, strlen(text), &d, &message) : -EBADMSG;

        if (r < 0 || d->values[0].kind != JSON_KIND_ARRAY || d->values[0].n_children != 1) {
                rpc_call_fail_to_read(c, r);
                return;
        }
        if (strcmp(rpc_call_method(c)->name, "service.status_full") == 0)
                json_text_raw(&t, d->values[0].first->source, d->values[0].first->source_length);
        else if (mirror_row_read(d->values[0].first, &row) >= 0)
                service_rows_add(&t, NULL, row);
        rpc_call_succeed(c, &t);
}

void rpc_status_full(RpcCall *c) {
        ask_about(c, "GetStatus", "ast", 0, READ_TIMEOUT_USEC, on_row);
}

/* From what is at hand, if that is what the server would say now. */
void rpc_status(RpcCall *c) {
        const ServiceMirror *m = rpc_call_gateway(c)->mirror;
        const MirrorService *s = service_mirror_find(m, rpc_call_service(c, 0));
        JsonText t = { 0 };

        if (!s || !s->is_current || !service_mirror_is_complete(m)) {
                rpc_status_full(c);
                return;
        }
        service_rows_add(&t, m, s);
        rpc_call_succeed(c, &t);
}

void rpc_why(RpcCall *c) {
        ask_about(c, "Why", "st", 0, READ_TIMEOUT_USEC, pass_on);
}

void rpc_history(RpcCall *c) {
        ask_about(c, "History", "stt", (uint64_t) rpc_call_integer(c, 1), READ_TIMEOUT_USEC, pass_on);
}

void rpc_probe(RpcCall *c) {
        ask_about(c, "ProbeService", "st", 0, PROBE_TIMEOUT_USEC, pass_on);
}
