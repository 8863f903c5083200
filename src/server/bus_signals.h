/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What whoever listens is told of the services. Where there is no memory for a signal it is owed, and told a little
 * later: a listener believes what it was told last, for as long as it is told nothing else. */

#include <systemd/sd-bus.h>

#include "server/supervisor.h"

#define BUS_MANAGER_PATH "/org/hero/Proc1"
#define BUS_MANAGER_INTERFACE "org.hero.Proc1.Manager"

typedef struct BusSignals BusSignals;

int bus_signals_new(Supervisor *s, BusSignals **ret);
BusSignals *bus_signals_free(BusSignals *b);
DEFINE_CLEANUP(BusSignals *, bus_signals_free)

/* `bus` is borrowed; NULL: it is gone, and nothing is owed any more. Who listens reads all anew where a name comes. */
void bus_signals_set_bus(BusSignals *b, sd_bus *bus);

/* StateChanged, from the state that was told last, and the properties that follow from it. Of several changes of which
 * none could be told the last one is. */
void bus_signals_changed(BusSignals *b, Service *s);
void bus_signals_added(BusSignals *b, Service *s);
void bus_signals_redefined(BusSignals *b, Service *s);
/* Negative errno: it cannot be told now, and once the service is gone nobody would be left to tell of. */
int bus_signals_leaving(const BusSignals *b, const Service *s);
