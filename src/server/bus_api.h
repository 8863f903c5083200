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

/* Offers everything on a new connection; NULL: the connection is gone. */
int bus_api_set_bus(BusApi *api, sd_bus *bus);

/* As bus_name_claim(). */
void bus_api_claim_name(BusApi *api, void (*claimed)(int r, void *userdata), void *userdata);
