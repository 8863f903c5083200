/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Relations between services, seen as a graph: unknown names and cycles. Pure. */

#include <stddef.h>

#include "core/service_definition.h"

/* Checks `requires` and `after` of all `n` definitions (the whole set that would exist). Every name in `requires` must
 * be in the set; a name in `after` that is not there is no fault (it orders only). Edges of both kinds count for
 * cycles.
 *
 * HERO_E_INVALID_DEFINITION: "hero_os: requires[1]: \"hero_oss\": no such service".
 * HERO_E_DEPENDENCY_CYCLE: "hero_a -> hero_b -> hero_c -> hero_a" with the path spelled out, same text for the same
 * set. Either way *reterr_message is to be freed. Runs in O(services x log + edges). -ENOMEM. */
int start_order_check(const ServiceDefinition *const *definitions, size_t n, char **reterr_message);

/* Fills `ret_order` (n entries) with indexes of `definitions` so that each comes after all it requires or comes after;
 * ties by name. The set must have passed start_order_check(). 0, or -ENOMEM. */
int start_order_sort(const ServiceDefinition *const *definitions, size_t n, size_t *ret_order);
