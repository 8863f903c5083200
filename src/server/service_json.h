/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "server/supervisor.h"

/* The row of one service as the design's command line section lays it down; with_recent: with what became of the last
 * 64 tries of each probe, the oldest first: [[latency_usec, 0 pass, 1 fail or 2 unknown]…]. An object to be
 * put; NULL on -ENOMEM. */
struct json_object *service_json_row(const Service *s, bool with_recent);
/* The rows of these services as one JSON array. Each row is let go before the next is made: a thousand of them as
 * objects would leave holes in the heap for good. To be freed; NULL on -ENOMEM. */
char *service_json_rows(Service *const *services, size_t n, bool with_recent);
/* The same of what a list of all shows: name, state, since_usec and in reasons the leading one. */
char *service_json_brief_rows(Service *const *services, size_t n);
/* [{code, text, subject}…], the leading one first. */
struct json_object *service_json_reasons(const Service *s);
/* Only its sockets and probes, with their last answers: the evidence. */
struct json_object *service_json_evidence(const Service *s);
/* The server's whole view of itself and of everything, for a bug report. */
char *service_json_dump(Supervisor *s);

/* "yes", "no" or "not-required": whether the actions that say ready have all said it. */
const char *service_json_ready_word(const Service *s);
const char *service_json_probe_word(const ServiceProbe *p);
