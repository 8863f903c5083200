/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.hero.Proc1 on the bus: the Manager object, one object a service, and the signals. The only sd_bus_vtables. */

#include <systemd/sd-bus.h>

#include "server/supervisor.h"

typedef struct BusApi BusApi;

/* Becomes the supervisor's observer. */
int bus_api_new(Supervisor *s, BusApi **ret);
BusApi *bus_api_free(BusApi *api);
DEFINE_CLEANUP(BusApi *, bus_api_free)

/* Offers everything on a new connection; NULL: the connection is gone. Once bus_api_claim_name() was called, the name
 * is asked for too. */
int bus_api_set_bus(BusApi *api, sd_bus *bus);

/* The name org.hero.Proc1 is taken only when there is something true to say: a caller who waits for it never meets a
 * server that knows nothing yet. `claimed(true)`: it is ours; false: another server owns it. */
void bus_api_claim_name(BusApi *api, void (*claimed)(bool ours, void *userdata), void *userdata);
