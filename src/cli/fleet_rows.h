/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One board of many hosts, as an array of objects: services as the server tells them, each with its `host`, and one
 * that is `unknown` and has no name for each host that did not tell. Pure. */

#include <json-c/json.h>
#include <stdbool.h>

/* Moves `services` (an array) to the end of `rows`: 0 or -EBADMSG. Where memory runs out json_tree_finish(rows) tells.
 */
int fleet_rows_add(struct json_object *rows, const char *host, struct json_object *services);
/* A host of which nothing is known. The same. */
void fleet_rows_add_silent_host(struct json_object *rows, const char *host, const char *code, const char *text);
bool fleet_rows_is_silent_host(struct json_object *row);
/* Worst first, then by host, then by name. */
void fleet_rows_sort(struct json_object *rows);
