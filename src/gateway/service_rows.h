/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Services of the mirror as JSON: the fields of `hero_proc --json`, those of them that signals keep up to date.
 * `m` NULL: the row has just come from the server, and is shown as it is. */

#include "core/json_text.h"
#include "gateway/service_mirror.h"

/* {name, description, state, wanted, since_usec, reason} */
void service_rows_add_short(JsonText *t, const ServiceMirror *m, const MirrorService *s);
/* {name, description, state, wanted, since_usec, observed_usec, ready, reasons, actions} */
void service_rows_add(JsonText *t, const ServiceMirror *m, const MirrorService *s);
