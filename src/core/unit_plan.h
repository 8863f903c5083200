/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What systemd is to be told for a definition: the slice that anchors the service, its action units and their
 * properties, as data. Pure. Two definitions whose plans are equal are made of the same units, so going from one to the
 * other restarts nothing. */

#include <json-c/json.h>

#include "core/service_definition.h"

typedef struct UnitPlanContext {
        unsigned systemd_version; /* of the running PID 1 or user manager, e.g. 252 */
        const char *socket_dir;   /* $HERO_SOCKET_DIR */
        const char *exec_dir;     /* folder of the shim's argument files */
        const char *shim;         /* absolute path of hero_proc_notify */
        bool is_user;
} UnitPlanContext;

/* {"slice": NAME, "slice_properties": [PROPERTY…], "units": [{"name", "properties": [PROPERTY…], "exec_file"}…]}, units
 * in the definition's order. PROPERTY is [name, D-Bus signature, value]. "exec_file" is absent where systemd runs the
 * command itself, else {"path", "ready", "ready_file", "sockets", "arguments"} as boundary/exec_file.h wants it. 0 and
 * an object to be put; -ENOMEM. */
int unit_plan_build(const ServiceDefinition *d, const UnitPlanContext *context, struct json_object **ret);

/* Whether the running systemd has all that the definition asks for. A hardening property that an older systemd does not
 * know must not be left out in silence. HERO_E_INVALID_DEFINITION: *reterr_message (to be freed) names field and
 * version. */
int unit_plan_check(const ServiceDefinition *d, const UnitPlanContext *context, char **reterr_message);

/* Whether the shim has to front the action: it declares sockets, is ready by fd 3 or file, or has arguments that
 * systemd would alter at a daemon-reload. */
bool unit_plan_needs_shim(const ServiceDefinition *d, size_t action);

/* How long systemd waits before it restarts a unit of that NRestarts once more: from 254 on the pause grows with each.
 */
uint64_t unit_plan_pause_usec(const RestartRule *r, uint32_t n_restarts, unsigned systemd_version);

/* Where the ready file of an action is: DIRECTORY/.ready, or .ready.ACTION in a service of several. To be freed. */
char *unit_plan_ready_file(const ServiceDefinition *d, size_t action);
