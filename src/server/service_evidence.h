/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All that a decision looked at, in words: what it came from also where nothing is wrong. */

#include <json-c/json.h>

#include "server/service.h"

/* A text for each action, socket, port, probe and other service. To be put; NULL: out of memory. */
struct json_object *service_evidence_json(const Service *s);
