/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* `hero_proc watch` on a terminal: a board of all services that is drawn anew when the server signals a change. */

#include "cli/session.h"

/* Until the user leaves it. An exit code; a signal that ends it ends the process as it would have. */
int watch_board_run(Session *s);
