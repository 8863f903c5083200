/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The methods that change something. Who may call them was asked before (rpc_call.c). */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/outcome.h"
#include "boundary/hero_proc_client.h"
#include "gateway/rpc_methods.h"

#define CHANGE_TIMEOUT_USEC (600 * USEC_PER_SEC)

/* -- start, stop, remove -- */

const char *rpc_reply_text(sd_bus_message *reply) {
        const char *text;

        return sd_bus_message_read(reply, "s", &text) > 0 ? text : NULL;
}

void rpc_answer_state(RpcCall *c, const char *state) {
        const char *name = rpc_call_service(c, 0);
        JsonText t = { 0 };

        if (!state) {
                rpc_call_fail_to_read(c, -EBADMSG);
                return;
        }
        if (strcmp(rpc_call_method(c)->name, "service.stop") != 0 && rpc_call_boolean(c, 1) &&
            strcmp(state, "failed") == 0) {
                _cleanup_free_ char *message = NULL;

                if (asprintf(&message, "%s: it did not come up and is failed", name) < 0)
                        message = NULL;
                rpc_call_fail(c, HERO_E_START_FAILED, message ? message : "failed");
                return;
        }
        json_text_open(&t, '{');
        json_text_add_string(&t, "name", name);
        json_text_add_string(&t, "state", state);
        json_text_close(&t, '}');
        rpc_call_succeed(c, &t);
}

static void on_state(RpcCall *c, sd_bus_message *reply) {
        rpc_answer_state(c, rpc_reply_text(reply));
}

HeroProcQuestion rpc_change_question(const RpcCall *c, const char *member, const char *const *name) {
        return (HeroProcQuestion){ .member = member,
                                   .signature = "st",
                                   .texts = name,
                                   .n_texts = 1,
                                   .flags = rpc_call_boolean(c, 1) ? 0 : HERO_PROC_FLAG_NO_BLOCK,
                                   .timeout_usec = (uint64_t) rpc_call_integer(c, 2) * USEC_PER_MSEC };
}

/* What is up already, or down, stays so: asked a second time after the server was restarted, it is the same wish. */
static void change(RpcCall *c, const char *member) {
        const char *name = rpc_call_service(c, 0);
        HeroProcQuestion q = rpc_change_question(c, member, &name);

        q.is_repeatable = true;
        rpc_call_ask(c, &q, on_state);
}

void rpc_start(RpcCall *c) {
        change(c, "StartService");
}

void rpc_stop(RpcCall *c) {
        change(c, "StopService");
}

static void on_removed(RpcCall *c, sd_bus_message *reply) {
        JsonText t = { 0 };

        (void) reply;
        json_text_open(&t, '{');
        json_text_add_string(&t, "name", rpc_call_service(c, 0));
        json_text_add_boolean(&t, "removed", true);
        json_text_close(&t, '}');
        rpc_call_succeed(c, &t);
}

void rpc_remove(RpcCall *c) {
        const char *name = rpc_call_service(c, 0);
        const HeroProcQuestion q = rpc_change_question(c, "RemoveService", &name);

        rpc_call_ask(c, &q, on_removed);
}

/* -- reset-failed -- */

static const char *const reset_words[][2] = { { "restarted", "restarted" },
                                              { "left-alone", "left_alone" },
                                              { "still-failed", "still_failed" },
                                              { "skipped", "skipped" } };

static int add_reset_list(JsonText *t, sd_bus_message *reply, const char *word, const char *key) {
        const char *name, *outcome;
        int r = sd_bus_message_rewind(reply, 1);

        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(sss)");
        json_text_key(t, key);
        json_text_open(t, '[');
        while (r >= 0 && (r = sd_bus_message_read(reply, "(sss)", &name, &outcome, NULL)) > 0)
                if (strcmp(outcome, word) == 0)
                        json_text_string(t, name);
        json_text_close(t, ']');
        return r;
}

static void on_reset(RpcCall *c, sd_bus_message *reply) {
        JsonText t = { 0 };
        int r = 0;

        json_text_open(&t, '{');
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(reset_words); i++)
                r = add_reset_list(&t, reply, reset_words[i][0], reset_words[i][1]);
        json_text_close(&t, '}');
        if (r >= 0) {
                rpc_call_succeed(c, &t);
                return;
        }
        json_text_done(&t);
        rpc_call_fail_to_read(c, r);
}

void rpc_reset_failed(RpcCall *c) {
        size_t n;
        _cleanup_free_ const char **names = rpc_call_services(c, 0, &n);
        const HeroProcQuestion q = { .member = "ResetFailed",
                                     .signature = "ast",
                                     .texts = names,
                                     .n_texts = n,
                                     .flags = (rpc_call_boolean(c, 1) ? HERO_PROC_FLAG_DRY_RUN : 0) |
                                              (rpc_call_boolean(c, 2) ? HERO_PROC_FLAG_FORCE : 0),
                                     .timeout_usec = CHANGE_TIMEOUT_USEC,
                                     .is_repeatable = !rpc_call_boolean(c, 2) };

        if (names)
                rpc_call_ask(c, &q, on_reset);
        else
                rpc_call_fail(c, -ENOMEM, "out of memory");
}

/* -- apply -- */

static void on_applied(RpcCall *c, sd_bus_message *reply) {
        const char *name, *outcome, *difference;
        int r = sd_bus_message_enter_container(reply, 'a', "(ss)");
        JsonText t = { 0 };

        json_text_open(&t, '{');
        json_text_key(&t, "services");
        json_text_open(&t, '{');
        while (r >= 0 && (r = sd_bus_message_read(reply, "(ss)", &name, &outcome)) > 0)
                json_text_add_string(&t, name, outcome);
        json_text_close(&t, '}');
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &difference);
        if (r > 0)
                json_text_add_string(&t, "difference", difference);
        json_text_close(&t, '}');
        if (r > 0) {
                rpc_call_succeed(c, &t);
                return;
        }
        json_text_done(&t);
        rpc_call_fail_to_read(c, r);
}

/* Each definition goes on byte for byte as it came: that is what is stored, and shown again. */
void rpc_apply(RpcCall *c) {
        const JsonValue *array = rpc_call_value(c, 0);
        _cleanup_free_ char **texts = calloc(array->n_children + 1, sizeof *texts);
        HeroProcQuestion q = { .member = "ApplyDefinitions",
                               .signature = "ast",
                               .texts = (const char *const *) texts,
                               .flags = (rpc_call_boolean(c, 1) ? HERO_PROC_FLAG_DRY_RUN : 0) |
                                        (rpc_call_boolean(c, 2) ? HERO_PROC_FLAG_PRUNE : 0),
                               .timeout_usec = CHANGE_TIMEOUT_USEC,
                               .is_repeatable = true };
        bool failed = !texts;

        for (const JsonValue *v = array->first; !failed && v; v = v->next) {
                texts[q.n_texts] = strndup(v->source, v->source_length);
                failed = !texts[q.n_texts];
                q.n_texts += !failed;
        }
        if (failed)
                rpc_call_fail(c, -ENOMEM, "out of memory");
        else
                rpc_call_ask(c, &q, on_applied);
        while (q.n_texts > 0)
                free(texts[--q.n_texts]);
}
