/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

/* The handler of the members of the Manager that change something, or show what is not for everyone: asks who calls,
 * then does it. userdata is a BusContext (bus_arguments.h) that outlives the connection. */
int bus_changes_dispatch(sd_bus_message *m, void *userdata, sd_bus_error *error);
