/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Names of the units of a service:
 *     hero-NAME.slice             the anchor; a '-' of NAME is escaped as "\x2d", because a plain one nests slices and
 *                                 stopping "my" would stop "my-app"
 *     hero-NAME.service           the action, where it is the only one and called "main"
 *     hero-NAME@ACTION.service    otherwise */

#include <stdbool.h>

#include "core/service_definition.h"

enum {
        UNIT_NAME_MAX = 288, /* a name of 62 dashes; systemd itself takes 255 and says so */
};

/* Each writes a NUL-terminated name of at most UNIT_NAME_MAX bytes; names have passed service_name_is_valid(). */
void unit_name_of_slice(const char *service, char ret[UNIT_NAME_MAX]);
void unit_name_of_action(const ServiceDefinition *d, size_t action, char ret[UNIT_NAME_MAX]);

/* The name of the service that `unit` belongs to by its name, for slices and services alike; false when it is none of
 * ours. ret_action is "" for a slice and "main" for the short form. */
bool unit_name_parse(const char *unit, char ret_service[DEFINITION_NAME_MAX + 1],
                     char ret_action[DEFINITION_NAME_MAX + 1]);
