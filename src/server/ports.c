/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/death_doubt.h"
#include "server/port_network.h"
#include "server/port_sighting.h"
#include "server/probing.h"
#include "server/sockets.h"
#include "server/supervisor.h"

/* As the sweep of the unix sockets: often enough for what is promised, and at most a hundredth of a core. */
#define SWEEP_INTERVAL_USEC (50 * USEC_PER_MSEC)
#define SWEEP_COST_FACTOR 100u
/* So that both sweeps wake the server together. */
#define SWEEP_ACCURACY_USEC (10 * USEC_PER_MSEC)

struct Ports {
        Supervisor *supervisor;
        PortTable *table; /* NULL: no service has declared a port yet */
        PortOwners *owners;
        sd_event_source *sweep;
        bool has_begun;
        bool to_sweep; /* a table changed, and not every service has been looked at since */
        PortNetworkList networks;
        Service **followed; /* those that declare ports */
        size_t n_followed, next_followed;
        bool is_owed; /* there was no memory to follow them: it is tried again by the sweep */
};

static void on_owner_found(void *userdata);
static int on_sweep(sd_event_source *source, uint64_t usec, void *userdata);

int ports_new(Supervisor *s, Ports **ret) {
        _cleanup_(ports_freep) Ports *k = calloc(1, sizeof *k);
        int r;

        if (!k)
                return -ENOMEM;
        k->supervisor = s;
        r = port_owners_new(s, on_owner_found, k, &k->owners);
        if (r >= 0)
                r = sd_event_add_time_relative(supervisor_event(s), &k->sweep, CLOCK_MONOTONIC, SWEEP_INTERVAL_USEC,
                                               SWEEP_ACCURACY_USEC, on_sweep, k);
        if (r >= 0)
                r = sd_event_source_set_enabled(k->sweep, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(k);
        return 0;
}

Ports *ports_free(Ports *k) {
        if (!k)
                return NULL;
        sd_event_source_disable_unref(k->sweep);
        free(k->followed);
        port_owners_free(k->owners);
        port_table_free(k->table);
        free(k);
        return NULL;
}

/* A table says only once that it changed, also when it was read for the sake of one service. */
static void refresh(Ports *k, PortTable *table) {
        bool changed = false, was_good = port_table_is_good(table);
        int r = port_table_refresh(table, &changed);

        if (r < 0 && was_good)
                log_warning("who listens on which port cannot be read: %s", strerror(-r));
        k->to_sweep = k->to_sweep || changed || (r < 0 && was_good);
}

/* Of the action's network, where that is one of its own; NULL: there is no looking into it. */
static PortTable *table_of(const Ports *k, const Action *a) {
        return a->network ? a->network->table : k->table;
}

size_t ports_find_strangers(Ports *k, Service *service, const ServicePort *port, uint32_t *ret, size_t n_max) {
        const Action *a = &service->actions[port->definition->action];

        if (port_network_is_private(a))
                return 0;
        return port_sighting_strangers(k->owners, k->table, service, port->definition->port, ret, n_max);
}

struct in6_addr ports_address(const ServicePort *port) {
        static const struct in6_addr usual = { .s6_addr = { [10] = 0xff, 0xff, 127, 0, 0, 1 } };

        return IN6_IS_ADDR_UNSPECIFIED(&port->loopback) ? usual : port->loopback;
}

bool ports_find(struct in6_addr *ret, ProbeResult *refusal, void *userdata) {
        const ServicePort *port = userdata;

        *ret = ports_address(port);
        if (port->state != SOCKET_FOREIGN)
                return true;
        refusal->outcome = PROBE_FAIL;
        refusal->nobody_there = true;
        (void) snprintf(refusal->error, sizeof refusal->error, "not asked: its port is held by PID %u (%s)",
                        port->listener_pid, port->listener_command);
        return false;
}

/* -- what follows from it -- */

static void remember_listener(ServicePort *port, const PortSighting *seen) {
        free(port->listener_unit);
        port->listener_unit = seen->socket != 0 ? strdup(seen->owner.unit) : NULL;
        port->listener = seen->socket;
        port->loopback = seen->loopback;
        port->listener_pid = seen->owner.pid;
        port->listener_uid = seen->owner.uid;
        memcpy(port->listener_command, seen->owner.command, sizeof port->listener_command);
        port->backlog = seen->backlog;
}

static bool sight(Ports *k, Service *s, ServicePort *port) {
        const PortTable *table = table_of(k, &s->actions[port->definition->action]);
        PortSighting seen = port_sighting_take(k->owners, table, s, port->definition->port);
        bool changed, appeared;

        if (seen.is_pending)
                return false; /* on_owner_found() */
        changed = seen.state != port->state || seen.owner.pid != port->listener_pid;
        appeared = seen.state == SOCKET_ALIVE && (port->state != SOCKET_ALIVE || seen.socket != port->listener);
        if (seen.state != SOCKET_NOT_ACCEPTING) {
                port->full_since_usec = 0;
        } else if (port->full_since_usec == 0) {
                port->full_since_usec = clock_monotonic_usec();
                port->was_found_full = !port->seen_alive || sockets_were_long_unseen(supervisor_sockets(s->supervisor));
        }
        if (socket_state_is_good(seen.state))
                port->doubt_until_usec = 0;
        else if (socket_state_is_good(port->state))
                death_doubt_raise(&s->actions[port->definition->action], &port->doubt_until_usec);
        port->state = seen.state;
        remember_listener(port, &seen);
        k->to_sweep = k->to_sweep || (seen.socket != 0 && !port->listener_unit); /* there was no memory for its name */
        if (appeared) {
                port->seen_alive = true;
                probing_port_appeared(s, (int) (port - s->ports));
        }
        return changed || appeared;
}

static bool sight_all(Ports *k, Service *s) {
        bool changed = false;

        for (size_t i = 0; i < s->definition->n_ports; i++)
                changed = sight(k, s, &s->ports[i]) || changed;
        return changed;
}

/* Tables of networks that the service has for itself. */
static void refresh_private(Ports *k, const Service *s) {
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (s->actions[i].network && s->actions[i].network->table)
                        refresh(k, s->actions[i].network->table);
}

static bool follow_networks(Ports *k, Service *s) {
        bool changed = false;

        for (size_t i = 0; i < s->definition->n_actions; i++)
                changed = port_network_follow(&k->networks, &s->actions[i]) || changed;
        return changed;
}

bool ports_look(Ports *k, Service *service) {
        if (service->definition->n_ports == 0 || !k->table || !k->has_begun)
                return false;
        (void) follow_networks(k, service);
        refresh(k, k->table);
        refresh_private(k, service);
        return sight_all(k, service);
}

/* -- the sweep -- */

static bool is_listening(void *userdata, uint32_t socket) {
        const Ports *k = userdata;

        for (const PortNetwork *n = LIST_FIRST(&k->networks); n; n = LIST_NEXT(n, entry))
                if (n->table && port_table_has_socket(n->table, socket))
                        return true;
        return port_table_has_socket(k->table, socket);
}

static void sweep_all(Ports *k) {
        k->to_sweep = false;
        port_owners_prune(k->owners, is_listening, k);
        for (size_t i = 0; i < k->n_followed; i++)
                if (sight_all(k, k->followed[i]))
                        supervisor_mark(k->followed[i]);
}

static void on_owner_found(void *userdata) {
        sweep_all(userdata);
}

/* Nothing tells that a process went into another network after it was started, as below `ip netns exec`: one service is
 * looked at in each sweep. */
static void follow_next_network(Ports *k) {
        if (k->n_followed == 0)
                return;
        k->next_followed = (k->next_followed + 1) % k->n_followed;
        if (!follow_networks(k, k->followed[k->next_followed]))
                return;
        refresh_private(k, k->followed[k->next_followed]);
        k->to_sweep = true;
}

static void refresh_all(Ports *k) {
        refresh(k, k->table);
        for (const PortNetwork *n = LIST_FIRST(&k->networks); n; n = LIST_NEXT(n, entry))
                if (n->table)
                        refresh(k, n->table);
}

void ports_catch_up(Ports *k) {
        if (k->n_followed == 0 || !k->has_begun)
                return;
        refresh_all(k);
        sweep_all(k);
}

/* As with the sockets (sockets_begin()). */
static void doubt_what_is_gone(Service *s) {
        for (size_t i = 0; i < s->definition->n_ports; i++)
                if (!socket_state_is_good(s->ports[i].state) && s->ports[i].state != SOCKET_UNKNOWN)
                        death_doubt_raise(&s->actions[s->ports[i].definition->action], &s->ports[i].doubt_until_usec);
}

void ports_begin(Ports *k) {
        k->has_begun = true;
        ports_catch_up(k);
        for (size_t i = 0; i < k->n_followed; i++)
                doubt_what_is_gone(k->followed[i]);
}

static int on_sweep(sd_event_source *source, uint64_t usec, void *userdata) {
        Ports *k = userdata;
        /* Our own time and not the world's: on a busy machine a sweep that had to wait would make us look away. */
        uint64_t before_usec = clock_now_usec(CLOCK_THREAD_CPUTIME_ID), cost_usec;

        (void) usec;
        if (k->is_owed)
                ports_follow(k);
        if (k->n_followed == 0)
                return 0;
        refresh_all(k);
        cost_usec = (clock_now_usec(CLOCK_THREAD_CPUTIME_ID) - before_usec) * SWEEP_COST_FACTOR;
        follow_next_network(k);
        if (k->has_begun && (port_owners_recheck_one(k->owners) || k->to_sweep))
                sweep_all(k);
        (void) sd_event_source_set_time_relative(source,
                                                 cost_usec > SWEEP_INTERVAL_USEC ? cost_usec : SWEEP_INTERVAL_USEC);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

static int start_sweeping(Ports *k) {
        int r = k->table ? 0 : port_table_new(&k->table);

        return r < 0 ? r : sd_event_source_set_enabled(k->sweep, SD_EVENT_ONESHOT);
}

/* -- which services -- */

static int list_followed(Ports *k) {
        size_t n;
        Service *const *services = supervisor_services(k->supervisor, &n);
        Service **list = calloc(n + 1, sizeof *list);

        if (!list)
                return -ENOMEM;
        free(k->followed);
        k->followed = list;
        k->n_followed = k->next_followed = 0;
        for (size_t i = 0; i < n; i++)
                if (services[i]->definition->n_ports > 0)
                        k->followed[k->n_followed++] = services[i];
        return 0;
}

static void declare_all(Ports *k) {
        port_table_declare_none(k->table);
        for (size_t i = 0; i < k->n_followed; i++)
                for (size_t j = 0; j < k->followed[i]->definition->n_ports; j++)
                        port_table_declare(k->table, k->followed[i]->definition->ports[j].port);
}

void ports_follow(Ports *k) {
        int r = list_followed(k);

        if (r >= 0 && k->n_followed > 0)
                r = start_sweeping(k);
        k->is_owed = r < 0;
        if (r < 0) {
                k->n_followed = 0; /* what is on the list may be gone */
                log_error("ports cannot be watched, will try again: %s", strerror(-r));
                (void) sd_event_source_set_time_relative(k->sweep, SWEEP_INTERVAL_USEC);
        }
        if (k->table)
                declare_all(k);
        (void) sd_event_source_set_enabled(k->sweep, k->n_followed > 0 || k->is_owed ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

void ports_owner_changed(Ports *k, Service *service) {
        port_owners_doubt(k->owners, service);
        (void) ports_look(k, service);
}

void ports_reset(Ports *k, Service *service, const Action *owner) {
        ports_owner_changed(k, service);
        for (size_t i = 0; i < service->definition->n_ports; i++)
                if (&service->actions[service->definition->ports[i].action] == owner)
                        service->ports[i].seen_alive = service->ports[i].state == SOCKET_ALIVE;
}
