/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Callers that wait for the end of what they asked for. Each is answered exactly once: where there is no memory
 * for that, a little later. */

#include <systemd/sd-bus.h>

#include "server/service.h"

typedef enum WaitFor {
        WAIT_FOR_STATE,   /* operation over, state not in motion: reply (s) */
        WAIT_FOR_REMOVAL, /* the service is gone: empty reply */
        WAIT_FOR_PROBES,  /* fresh evidence: reply (s), JSON */
} WaitFor;

typedef struct BusWaiters BusWaiters;

int bus_waiters_new(sd_event *event, BusWaiters **ret);
BusWaiters *bus_waiters_free(BusWaiters *w);
DEFINE_CLEANUP(BusWaiters *, bus_waiters_free)

/* Whether one more has room, to be asked before anything is begun. -ENOBUFS beyond 1024 callers, and where probes are
 * waited for beyond 512 in all or 64 of one sender. */
int bus_waiters_check_room(const BusWaiters *w, sd_bus_message *call, WaitFor what);
int bus_waiters_add(BusWaiters *w, sd_bus_message *call, Service *s, WaitFor what);

void bus_waiters_service_evaluated(BusWaiters *w, Service *s);
void bus_waiters_service_removed(BusWaiters *w, Service *s);
/* The connection is gone, and the callers with it. */
void bus_waiters_drop_all(BusWaiters *w);
