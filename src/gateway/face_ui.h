/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gateway/board_events.h"
#include "gateway/gateway.h"

/* ui.sock: the status board. `events` must outlive the HTTP server. */
int face_ui_add_routes(Gateway *g, BoardEvents *events);
