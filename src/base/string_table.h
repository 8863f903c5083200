/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

/* Enum <-> word. An enum NAME ends in PREFIX_MAX and has PREFIX_INVALID = -EINVAL; the table has one entry a value, so
 * a forgotten word fails the build rather than printing "(null)" to an operator. */

#define DECLARE_STRING_TABLE(type, name)      \
        const char *name##_to_string(type v); \
        type name##_from_string(const char *s);

#define DEFINE_STRING_TABLE(type, name, max)                                                          \
        static_assert(ELEMENTSOF(name##_table) == (max), #name "_table has an entry for each value"); \
        const char *name##_to_string(type v) {                                                        \
                return (int) v < 0 || v >= (max) ? NULL : name##_table[v];                            \
        }                                                                                             \
        type name##_from_string(const char *s) {                                                      \
                for (int i = 0; s && i < (int) (max); i++)                                            \
                        if (name##_table[i] && strcmp(name##_table[i], s) == 0)                       \
                                return (type) i;                                                      \
                return (type) -EINVAL;                                                                \
        }
