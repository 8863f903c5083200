/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* `why` and `history` for people, from the server's JSON (org.hero.Proc1.Manager: Why, History). Pure but for the FILE.
 */

#include <json-c/json.h>
#include <stdint.h>

#include "cli/terminal_style.h"

/* State, rule, reasons, what was seen and tried, what comes next, and what to run. */
void why_block_print(FILE *out, struct json_object *why, const TerminalStyle *style, uint64_t now_usec);

/* A table, the oldest first, as one reads a log. -ENOMEM. */
int why_block_print_history(FILE *out, struct json_object *transitions, const TerminalStyle *style, bool headings);
