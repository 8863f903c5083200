/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What reset-failed did, for people and for programs. Pure but for the printing. */

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

#include "boundary/hero_proc_client.h"
#include "cli/terminal_style.h"

/* {"restarted": [], "left_alone": [], "still_failed": [], "skipped": []}, names in the order of `results`. An outcome
 * that is none of the four is left out. To be put; NULL: out of memory. */
struct json_object *reset_report_json(const ServiceResults *results);

/* A table of service, outcome and reason; 0 or -ENOMEM. */
int reset_report_print(FILE *out, const ServiceResults *results, const TerminalStyle *style, bool legend);
