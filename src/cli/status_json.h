/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reading the server's status (DESIGN: command line, --json). The text came over a bus, perhaps from another version: a
 * field that is not there, or of another type, reads as empty, and a state that is not known as unknown. Pure. */

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "core/reason.h"

/* An array of services, sorted by name. -EBADMSG when it is anything else, or -ENOMEM. To be put. */
int status_json_parse(const char *text, struct json_object **ret);
/* An object or an array; -EBADMSG when it is anything else, or -ENOMEM. To be put. */
int status_json_parse_as(enum json_type type, const char *text, struct json_object **ret);

const char *status_json_text(struct json_object *object, const char *key);
uint64_t status_json_number(struct json_object *object, const char *key);
/* Entries of the array `key`, 0 when there is none; and one of them. */
size_t status_json_count(struct json_object *object, const char *key);
struct json_object *status_json_item(struct json_object *object, const char *key, size_t i);

ServiceState status_json_state(struct json_object *service);
/* Of the leading reason; "" when there is none. The text falls back on the code. */
const char *status_json_reason_code(struct json_object *service);
const char *status_json_reason_text(struct json_object *service);
