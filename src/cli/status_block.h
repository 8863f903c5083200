/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* `hero_proc status` for people: all that is known of one service, in the spirit of systemctl status. Pure but for the
 * printing. */

#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/terminal_style.h"

void status_block_print(FILE *out, struct json_object *service, const TerminalStyle *style, uint64_t now_usec);
