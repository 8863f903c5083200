/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From one plan (unit_plan.h) to another: do the units have to be made anew, which restarts the service, or can what
 * differs be changed on the units as they run? Pure. */

#include <json-c/json.h>

typedef enum UnitPlanChange {
        UNIT_PLAN_SAME,
        UNIT_PLAN_LIVE,   /* systemd is told of properties, the shim's argument files are written anew */
        UNIT_PLAN_REMADE, /* stop, make, start */
} UnitPlanChange;

/* The order in which actions, variables and credentials stand in a definition is no difference. */
UnitPlanChange unit_plan_compare(struct json_object *old, struct json_object *new);

/* [{"unit": NAME, "properties": [PROPERTY…]}…], each for one SetUnitProperties: what differs, where the change is a
 * live one. With `old` NULL it is not known what the units are like, and all that can be changed live is told. To be
 * put; NULL: out of memory. */
struct json_object *unit_plan_live_changes(struct json_object *old, struct json_object *new);
