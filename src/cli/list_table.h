/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* `hero_proc list` for people: one line a service. Pure but for the printing. */

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/terminal_style.h"

/* `services` is an array as of status_json_parse(). With `legend`, headings above and a summary below. 0 or -ENOMEM. */
int list_table_print(FILE *out, struct json_object *services, const TerminalStyle *style, bool legend,
                     uint64_t now_usec);
/* The same for an array as of fleet_rows.h. */
int list_table_print_fleet(FILE *out, struct json_object *rows, const TerminalStyle *style, bool legend,
                           uint64_t now_usec);

/* "3 services: 2 running, 1 failed", in the order of the states. */
void list_table_print_summary(FILE *out, struct json_object *services);
