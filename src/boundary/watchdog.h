/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tells systemd that the event loop turns (WatchdogSec=), by a socket that is opened once and kept: sd_event's own way
 * opens one each time, and waits for its next turn where that fails, so that a process without a free descriptor is
 * ended for being dead. A word that could not be sent is tried again soon. */

#include <systemd/sd-event.h>

#include "base/cleanup.h"

typedef struct Watchdog Watchdog;

/* *ret NULL: nobody waits for it. Negative errno. */
int watchdog_new(sd_event *event, Watchdog **ret);
Watchdog *watchdog_free(Watchdog *w);
DEFINE_CLEANUP(Watchdog *, watchdog_free)
