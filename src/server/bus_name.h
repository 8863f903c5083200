/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The name org.hero.Proc1, asked for on each connection once somebody has claimed it, and until the bus has been asked.
 * It is claimed only when there is something true to say: a caller who waits for it never meets a server that knows
 * nothing yet. */

#include <systemd/sd-bus.h>

#include "base/cleanup.h"

typedef struct BusName BusName;

int bus_name_new(sd_event *event, BusName **ret);
BusName *bus_name_free(BusName *n);
DEFINE_CLEANUP(BusName *, bus_name_free)

/* A new connection, which is borrowed; NULL: it is gone. */
int bus_name_set_bus(BusName *n, sd_bus *bus);

/* `claimed(1)`: it is ours; 0: another's; else the bus's error. */
void bus_name_claim(BusName *n, void (*claimed)(int r, void *userdata), void *userdata);
