/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Text that came from elsewhere (a service's answer to a probe among it) made harmless for a terminal: an escape
 * sequence in it must not recolour, retitle or rewrite what the operator sees. Pure. */

#include <stdbool.h>

#include <json-c/json.h>

/* A copy in which control characters, C1 included, read \xNN and those that turn the direction of text \uNNNN, and
 * whatever the terminal cannot show, or is no UTF-8, is a '?'. Line feeds stay where `lines` is set. NULL: out of
 * memory. */
char *safe_text_dup(const char *text, bool utf8, bool lines);

/* The same, in place, for every string below `json`. 0 or -ENOMEM. */
int safe_text_json(struct json_object *json, bool utf8);
