/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The heart of the server: gathers evidence, decides, acts, publishes. It owns all services and everything they share.
 */

#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "boundary/store.h"
#include "boundary/systemd_client.h"
#include "core/unit_plan.h"
#include "server/metrics.h"
#include "server/service.h"

typedef struct SupervisorOptions {
        bool is_user;
        int restart_limit; /* RestartLimiter.per_window */
        const char *socket_dir, *exec_dir, *alert_dir, *store_path, *shim;
        const char *dialer, *hands; /* the sockets of hero_proc_dialer and hero_proc_hands; NULL: there is none */
} SupervisorOptions;

/* Told of every change; bus_api implements it. */
typedef struct SupervisorObserver {
        /* Its state, or why it is so, is another. */
        void (*changed)(Service *service, void *userdata);
        /* It was judged, whether anything changed or not: those who wait for something look whether it has come. */
        void (*evaluated)(Service *service, void *userdata);
        void (*added)(Service *service, void *userdata);
        void (*redefined)(Service *service, void *userdata);
        /* It is to be removed. Negative errno: that cannot be told now, and nothing is to be done before it can. */
        int (*leaving)(Service *service, void *userdata);
        void (*removed)(Service *service, void *userdata); /* about to be freed */
        void *userdata;
} SupervisorObserver;

/* Opens the store and loads what is in it. *reterr_message: what is wrong with the store. */
int supervisor_new(sd_event *event, const SupervisorOptions *options, Supervisor **ret, char **reterr_message);
Supervisor *supervisor_free(Supervisor *s);
DEFINE_CLEANUP(Supervisor *, supervisor_free)

void supervisor_set_observer(Supervisor *s, const SupervisorObserver *observer);
/* A connection to the bus is up (again); NULL: it is gone. */
int supervisor_set_bus(Supervisor *s, sd_bus *bus);

/* Sorted by name. The list is valid until services are added or removed. */
Service *const *supervisor_services(const Supervisor *s, size_t *ret_n);
Service *supervisor_find(const Supervisor *s, const char *name);
int supervisor_reserve(Supervisor *s, size_t n);     /* room for so many more: then supervisor_add() cannot fail */
int supervisor_add(Supervisor *s, Service *service); /* takes it */
/* Frees it. Negative errno: nothing was done, and it is to be tried again. */
int supervisor_drop(Supervisor *s, Service *service);

/* What they share. */
sd_event *supervisor_event(const Supervisor *s);
Waiters *supervisor_rechecks(const Supervisor *s);
Prober *supervisor_prober(const Supervisor *s);
const Hands *supervisor_hands(const Supervisor *s);
Metrics *supervisor_metrics(Supervisor *s);
SystemdClient *supervisor_systemd(const Supervisor *s);
Store *supervisor_store(const Supervisor *s);
struct Records *supervisor_records(const Supervisor *s);
struct Sockets *supervisor_sockets(const Supervisor *s);
struct Ports *supervisor_ports(const Supervisor *s);
struct Adoption *supervisor_adoption(const Supervisor *s);
struct Healing *supervisor_healing(const Supervisor *s);
const SupervisorOptions *supervisor_options(const Supervisor *s);
UnitPlanContext supervisor_plan_context(const Supervisor *s);
const SupervisorObserver *supervisor_observer(const Supervisor *s);
/* False until everything has been compared with systemd for the first time since the connection came up. */
bool supervisor_is_synced(const Supervisor *s);
/* The service whose units these are, when its facts are kept. */
Service *supervisor_find_by_unit(const Supervisor *s, const char *unit);

/* Has the service judged again, soon: once, however many things change in one turn of the loop. */
void supervisor_mark(Service *service);
/* The same, before the next word of the bus is heard: a death whose restart is told right behind it would never be
 * seen. */
void supervisor_mark_urgent(Service *service);
/* Many definitions were read, and what was allocated meanwhile leaves holes: they go back to the kernel in a moment. */
void supervisor_trim_soon(Supervisor *s);
/* To be called before a question is answered, and never while a service is judged: where the server was held up
 * (stopped, starved), services are judged first by what it finds now. */
void supervisor_catch_up(Supervisor *s);
/* Writes wanted to the store; a store that cannot be written is logged and goes on the list of what is owed. */
void supervisor_save_wanted(Service *service);
void supervisor_save_intention(Service *service, IntentionKind intention);
