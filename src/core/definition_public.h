/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What of a definition everyone may see. */

#include "core/json_strict.h"

/* A copy of `text`, whose document's root is `service`, with null for each value that the table of fields calls hidden;
 * the rest stays byte for byte. null is what no such field takes: a definition that was read there cannot be applied by
 * mistake, and set a password to a row of stars. *ret is NULL where nothing is hidden. 0, or -ENOMEM. */
int definition_public_text(const JsonValue *service, const char *text, char **ret);
