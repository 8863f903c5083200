/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/json_strict.h"
#include "gateway/service_mirror.h"

/* A service from its row of GetStatus: one block of memory, which holds all that it points at; to be freed. -EBADMSG:
 * no such row. -ENOMEM. */
int mirror_row_read(const JsonValue *row, MirrorService **ret);

/* Whether anything but the moment of looking is another. */
bool mirror_row_differs(const MirrorService *a, const MirrorService *b);
