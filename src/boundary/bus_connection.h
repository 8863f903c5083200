/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Our one connection to the bus, and its return: a restart of the bus is an event like others. */

#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"

typedef struct BusConnection BusConnection;

/* Called with each new connection, attached to the event loop, and with NULL when it is gone (it still exists during
 * that call). A negative return gives this connection up and tries another. */
typedef int (*bus_connection_changed_t)(sd_bus *bus, void *userdata);

/* Why there is none: a negative errno, said once however often it is tried again. -ECONNRESET: the bus closed it. */
typedef void (*bus_connection_failed_t)(int error, void *userdata);

/* Starts to connect; the first try may fail as any later one. */
int bus_connection_new(sd_event *event, bool is_user, bus_connection_changed_t changed, bus_connection_failed_t failed,
                       void *userdata, BusConnection **ret);
BusConnection *bus_connection_free(BusConnection *c);
DEFINE_CLEANUP(BusConnection *, bus_connection_free)
