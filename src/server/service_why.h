/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "server/service.h"

/* Why the service is in the state that is shown: {name, state, wanted, since_usec, observed_usec, rule: {number, text},
 * reasons: [{code, text, subject}], tried: [TEXT…], next: [{text, at_usec}…], commands: [TEXT…]}. It is made of the
 * same decision as every other face, so it cannot disagree with them. at_usec is CLOCK_REALTIME, 0 where only an event
 * can tell. An object to be put; NULL on -ENOMEM. */
struct json_object *service_why_json(const Service *s);

/* The newest transitions, newest first: [{at_usec, from, to, code, text}…]. An object to be put, or what the store
 * could not be read by: that there were none is not said then. */
int service_why_history(const Service *s, unsigned limit, struct json_object **ret);
