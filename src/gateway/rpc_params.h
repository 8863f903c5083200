/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gateway/rpc_call.h"

/* Sorts the parameters of a request, given by name or by position, by the table's; ret[i] is NULL where the i-th was
 * left out. False: *reterr_message, to be freed, tells which one is wrong and what was expected. */
bool rpc_params_read(const RpcMethod *method, const JsonValue *params, const JsonValue *ret[RPC_PARAMS_MAX],
                     char **reterr_message);

size_t rpc_params_count(const RpcMethod *method);
