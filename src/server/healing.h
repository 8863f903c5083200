/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Restarts of hero_proc's own accord: what the status decision calls dead although systemd holds it for alive, and what
 * systemd gave up. core/healing.h decides for one service, core/restart_limiter.h for all of them. */

#include <json-c/json.h>

#include "server/service.h"

typedef struct Healing Healing;

int healing_new(Supervisor *s, Healing **ret);
Healing *healing_free(Healing *h);
DEFINE_CLEANUP(Healing *, healing_free)

/* After each judgement: begins a restart when one is due. Returns when to judge again for its sake (monotonic). */
uint64_t healing_follow(Service *s, const ServiceDecision *d, uint64_t now_usec);

/* An operator asked for a start or a restart: counting begins anew. */
void healing_forgive_service(Service *s);

/* The record as it stands in the store, when the server came back. */
void healing_load(Service *s);

/* What `status` shows, where there is anything to tell: {"attempts", "attempts_left", "next_usec", "held"}. NULL:
 * -ENOMEM. */
bool healing_is_told(const Service *s);
struct json_object *healing_json(const Service *s);
