/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The properties that a definition's `systemd` table may pass on to its units: an allow-list, since most others are
 * hero_proc's own business, and one property that systemd does not know fails the whole call. */

#include <stddef.h>

typedef struct SystemdProperty {
        const char *name;      /* as on the bus, e.g. "ProtectSystem" */
        const char *signature; /* b, s, as, t or i */
        unsigned min_version;  /* first systemd that takes it; 0: all that hero_proc runs on (252 and later) */
} SystemdProperty;

/* NULL: not allowed. In ActionDefinition's `systemd` the value has the JSON type that follows from the signature: a
 * boolean; a string; an array of strings; an integer for t (json_object_get_uint64()) and i. */
const SystemdProperty *definition_systemd_property(const char *name);

/* The i-th of all, or NULL after the last. */
const SystemdProperty *definition_systemd_property_at(size_t i);
