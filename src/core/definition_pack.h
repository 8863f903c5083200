/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A definition in one piece of memory, as it is kept: of some twenty pieces each would cost malloc's overhead, and lie
 * between what reading it took, so that this leaves holes behind. */

#include "core/service_definition.h"

/* A copy of all that `d` holds, for service_definition_free(). -ENOMEM. */
int definition_pack(const ServiceDefinition *d, ServiceDefinition **ret);
