/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gateway/rpc_call.h"

/* All methods, sorted by name. */
const RpcMethod *rpc_methods(size_t *ret_n);
const RpcMethod *rpc_methods_find(const char *name); /* NULL: there is none */

/* Their bodies, by file. */
void rpc_discover(RpcCall *c); /* openrpc.c */
void rpc_health(RpcCall *c);   /* rpc_reading.c */
void rpc_list(RpcCall *c);
void rpc_status(RpcCall *c);
void rpc_status_full(RpcCall *c);
void rpc_why(RpcCall *c);
void rpc_history(RpcCall *c);
void rpc_probe(RpcCall *c);
void rpc_start(RpcCall *c); /* rpc_changing.c */
void rpc_stop(RpcCall *c);
void rpc_reset_failed(RpcCall *c);
void rpc_apply(RpcCall *c);
void rpc_remove(RpcCall *c);
void rpc_restart(RpcCall *c); /* rpc_restart.c */
void rpc_logs(RpcCall *c);    /* rpc_logs.c */

/* For rpc_restart.c: a change of a service whose parameters are name, wait and timeout_ms, and the answer to it. */
HeroProcQuestion rpc_change_question(const RpcCall *c, const char *member, const char *const *name);
/* state NULL: the server's answer made no sense. */
void rpc_answer_state(RpcCall *c, const char *state);
/* The one string of a reply; NULL: it has another form. */
const char *rpc_reply_text(sd_bus_message *reply);
