/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* `hero_proc watch` where nobody sees a screen: each change as a line, or as a JSON object. */

#include "cli/session.h"

/* Returns only when it cannot go on: an exit code. */
int watch_lines_run(Session *s);
