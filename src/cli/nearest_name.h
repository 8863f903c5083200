/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* "Did you mean …": pure. */

#include <stddef.h>

/* The one of `n` names nearest to `wanted`, counted in letters added, left out, changed or swapped with their
 * neighbour; NULL when none is near enough to be a slip of the fingers (a third of its letters, two at least, differ).
 * The first wins a draw. */
const char *nearest_name_find(const char *wanted, const char *const *names, size_t n);
