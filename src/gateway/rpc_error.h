/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is answered where a call fails: a code of JSON-RPC's own or of the one table of outcomes, and with it what a
 * program and a person can make of it. */

/* code_name, retryable and hint of a code, as {code_name, service, action, retryable, hint}. `service` and `action` may
 * be NULL. To be freed; NULL on -ENOMEM. */
char *rpc_error_data(int code, const char *service, const char *action);

/* The code of an Outcome or a negative errno. */
int rpc_error_code(int r);
