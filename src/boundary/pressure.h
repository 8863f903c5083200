/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* Whether the kernel says (/proc/pressure, PSI) that the machine is out of processor time or of memory, so that what
 * answers late may be well. False where the kernel does not tell. */
bool pressure_is_high(void);
