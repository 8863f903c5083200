/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gateway/gateway.h"

/* rpc.sock: POST /rpc, and what goes with it. */
int face_rpc_add_routes(Gateway *g);
