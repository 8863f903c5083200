/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "server/supervisor.h"

#define BUS_SERVICE_PATH "/org/hero/Proc1/service"
#define BUS_SERVICE_INTERFACE "org.hero.Proc1.Service"

enum {
        BUS_SERVICE_PATH_MAX = sizeof BUS_SERVICE_PATH "/" + 3 * DEFINITION_NAME_MAX,
};

/* The object of the service of that name, which has passed service_name_is_valid(). */
void bus_service_path(const char *name, char ret[BUS_SERVICE_PATH_MAX]);

/* The objects of the services: properties with change signals. *ret_slot holds them on `bus`. */
int bus_service_add_objects(sd_bus *bus, Supervisor *s, sd_bus_slot **ret_slot, sd_bus_slot **ret_enumerator);

/* All properties that follow from the state may have changed. As sd_bus_emit_properties_changed(). */
int bus_service_emit_changed(sd_bus *bus, const Service *s);
/* So may what follows from the definition: sockets and probes come and go without the state being another. */
int bus_service_emit_redefined(sd_bus *bus, const Service *s);
