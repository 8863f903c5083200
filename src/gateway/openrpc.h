/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The OpenRPC 1.2.6 document, made of the table of methods: it cannot tell of others than there are. */

#include "core/json_text.h"

/* A JSON Schema that refers to one of openrpc.c's. */
#define OPENRPC_REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"

void openrpc_write(JsonText *t);
