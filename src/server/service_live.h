/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A new definition whose units need not be made anew: systemd is told of the properties that it can change on units as
 * they run, and the shim's argument files are written. */

#include "server/service.h"

/* The service has got a new definition: what follows from it is done as soon as its units are settled. `old` is the
 * plan that its units were made by; NULL: not known, all of it is told. Where there is no memory for it, it is begun
 * again in a moment, however often that needs. */
void service_live_begin(Service *s, struct json_object *old);

/* Tells systemd what is still to be told. Only while units are settled. */
void service_live_advance(Service *s);

/* What was in flight is lost with the connection: it is told again. */
void service_live_interrupt(Service *s);

/* The units are being made anew: there is nothing to be told any more. */
void service_live_drop(Service *s);
