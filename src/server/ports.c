/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "boundary/network_namespace.h"
#include "server/port_owners.h"
#include "server/probing.h"
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
        bool to_sweep; /* the table changed, and not every service has been looked at since */
};

static void on_owner_found(void *userdata);

int ports_new(Supervisor *s, Ports **ret) {
        _cleanup_(ports_freep) Ports *k = calloc(1, sizeof *k);
        int r;

        if (!k)
                return -ENOMEM;
        k->supervisor = s;
        r = port_owners_new(s, on_owner_found, k, &k->owners);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(k);
        return 0;
}

Ports *ports_free(Ports *k) {
        if (!k)
                return NULL;
        sd_event_source_disable_unref(k->sweep);
        port_owners_free(k->owners);
        port_table_free(k->table);
        free(k);
        return NULL;
}

/* The table says only once that it changed, also when it was read for the sake of one service. */
static void refresh(Ports *k) {
        bool changed = false, was_good = port_table_is_good(k->table);
        int r = port_table_refresh(k->table, &changed);

        if (r < 0 && was_good)
                log_warning("who listens on which port cannot be read: %s", strerror(-r));
        k->to_sweep = k->to_sweep || changed || (r < 0 && was_good);
}

/* -- judging one port -- */

static bool is_ours(Service *s, const PortOwner *owner) {
        return service_find_action_by_unit(s, owner->unit) != NULL;
}

/* Nobody's process and nobody's unit is no proof, but the user it was made by is: a user's services have no other. */
static bool is_foreign(Service *s, const PortOwner *owner) {
        if (is_ours(s, owner))
                return false;
        if (owner->pid == 0 && owner->unit[0] == '\0')
                return supervisor_options(s->supervisor)->is_user && owner->uid != getuid();
        return true;
}

/* One service's view of one port. */
typedef struct PortSighting {
        SocketState state;
        const PortListener *listener; /* that speaks for it; NULL: none */
        PortOwner owner;
        bool is_pending; /* whose it is, is still looked for */
} PortSighting;

static void take(PortSighting *seen, const PortListener *l, const PortOwner *owner, SocketState state) {
        seen->listener = l;
        seen->owner = *owner;
        seen->state = state;
}

/* On addresses that a client on this machine does not get to by way of loopback several may listen in peace: the
 * service is among them, or it does not listen. */
static void judge_elsewhere(Ports *k, Service *s, const PortListener *l, size_t n, PortSighting *seen) {
        seen->state = SOCKET_MISSING;
        for (size_t i = 0; i < n && !seen->listener; i++) {
                const PortOwner *owner = port_owners_ask(k->owners, &l[i]);

                if (!owner)
                        seen->is_pending = true;
                else if (is_ours(s, owner))
                        take(seen, &l[i], owner, SOCKET_ALIVE);
        }
        if (seen->listener)
                seen->is_pending = false;
}

/* Of those that get the connections all have to be the service's: where two share a port, each gets a part of them. */
static void judge_within_reach(Ports *k, Service *s, const PortListener *l, size_t n, PortSighting *seen) {
        for (size_t i = 0; i < n && l[i].reach == l[0].reach && seen->state != SOCKET_FOREIGN; i++) {
                const PortOwner *owner = port_owners_ask(k->owners, &l[i]);

                if (!owner)
                        seen->is_pending = true;
                else if (is_foreign(s, owner))
                        take(seen, &l[i], owner, SOCKET_FOREIGN);
                else if (!seen->listener)
                        take(seen, &l[i], owner, SOCKET_ALIVE);
        }
        if (seen->state == SOCKET_FOREIGN)
                seen->is_pending = false;
}

static bool shares_our_network(const Action *a) {
        return a->facts.main_pid == 0 || network_namespace_is_ours((pid_t) a->facts.main_pid);
}

static void judge(Ports *k, Service *s, const ServicePort *port, PortSighting *seen) {
        const PortListener *l;
        size_t n;

        *seen = (PortSighting){ .state = SOCKET_UNKNOWN };
        if (!port_table_is_good(k->table) || !shares_our_network(&s->actions[port->definition->action]))
                return;
        l = port_table_find(k->table, port->definition->port, &n);
        if (n == 0)
                seen->state = SOCKET_MISSING;
        else if (l[0].reach == PORT_ELSEWHERE)
                judge_elsewhere(k, s, l, n, seen);
        else
                judge_within_reach(k, s, l, n, seen);
        if (seen->state == SOCKET_ALIVE && port_listener_is_full(seen->listener))
                seen->state = SOCKET_NOT_ACCEPTING;
}

size_t ports_find_strangers(Ports *k, Service *service, const ServicePort *port, uint32_t *ret, size_t n_max) {
        const PortListener *l;
        size_t n_listeners, n = 0;

        l = k->table ? port_table_find(k->table, port->definition->port, &n_listeners) : NULL;
        if (!l || l[0].reach == PORT_ELSEWHERE || !shares_our_network(&service->actions[port->definition->action]))
                return 0;
        for (size_t i = 0; i < n_listeners && l[i].reach == l[0].reach && n < n_max; i++) {
                const PortOwner *owner = port_owners_ask(k->owners, &l[i]);

                if (!owner || is_foreign(service, owner))
                        ret[n++] = l[i].socket;
        }
        return n;
}

/* -- what follows from it -- */

static bool is_good(SocketState state) {
        return state == SOCKET_ALIVE || state == SOCKET_NOT_ACCEPTING;
}

static void on_doubt_answered(void *userdata, int r, const char *job_result, const char *text) {
        Action *a = userdata;
        Service *s = a->service;

        (void) r;
        (void) job_result;
        (void) text;
        for (size_t i = 0; i < s->definition->n_ports; i++)
                if (s->ports[i].definition->action == (int) (a - s->actions))
                        s->ports[i].doubted_usec = 0;
        supervisor_mark(s);
}

/* See SOCKETS_DOUBT_USEC. */
static void doubt(Service *s, ServicePort *port) {
        Action *a = &s->actions[port->definition->action];

        if (a->facts.active != UNIT_ACTIVE || a->task_issued)
                return;
        if (systemd_client_read(supervisor_systemd(s->supervisor), a->unit, on_doubt_answered, a) >= 0)
                port->doubted_usec = clock_monotonic_usec();
}

static void remember_listener(ServicePort *port, const PortSighting *seen) {
        free(port->listener_unit);
        port->listener_unit = seen->listener ? strdup(seen->owner.unit) : NULL;
        port->listener = seen->listener ? seen->listener->socket : 0;
        port->listener_pid = seen->owner.pid;
        port->listener_uid = seen->owner.uid;
        memcpy(port->listener_command, seen->owner.command, sizeof port->listener_command);
        port->backlog = seen->listener ? seen->listener->backlog : 0;
}

static bool sight(Ports *k, Service *s, ServicePort *port) {
        PortSighting seen;
        bool changed, appeared;

        judge(k, s, port, &seen);
        if (seen.is_pending)
                return false; /* on_owner_found() */
        changed = seen.state != port->state || seen.owner.pid != port->listener_pid;
        appeared =
                seen.state == SOCKET_ALIVE && (port->state != SOCKET_ALIVE || seen.listener->socket != port->listener);
        if (seen.state != SOCKET_NOT_ACCEPTING)
                port->full_since_usec = 0;
        else if (port->full_since_usec == 0)
                port->full_since_usec = clock_monotonic_usec();
        if (is_good(seen.state))
                port->doubted_usec = 0;
        else if (is_good(port->state))
                doubt(s, port);
        port->state = seen.state;
        remember_listener(port, &seen);
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

bool ports_look(Ports *k, Service *service) {
        if (service->definition->n_ports == 0 || !k->table)
                return false;
        refresh(k);
        return sight_all(k, service);
}

/* -- the sweep -- */

static void sweep_all(Ports *k) {
        size_t n;
        Service *const *services = supervisor_services(k->supervisor, &n);

        k->to_sweep = false;
        port_owners_prune(k->owners, k->table);
        for (size_t i = 0; i < n; i++)
                if (sight_all(k, services[i]))
                        supervisor_mark(services[i]);
}

static void on_owner_found(void *userdata) {
        sweep_all(userdata);
}

static int on_sweep(sd_event_source *source, uint64_t usec, void *userdata) {
        Ports *k = userdata;
        /* Our own time and not the world's: on a busy machine a sweep that had to wait would make us look away. */
        uint64_t before_usec = clock_now_usec(CLOCK_THREAD_CPUTIME_ID), cost_usec;

        (void) usec;
        refresh(k);
        cost_usec = (clock_now_usec(CLOCK_THREAD_CPUTIME_ID) - before_usec) * SWEEP_COST_FACTOR;
        if (port_owners_recheck_one(k->owners) || k->to_sweep)
                sweep_all(k);
        (void) sd_event_source_set_time_relative(source,
                                                 cost_usec > SWEEP_INTERVAL_USEC ? cost_usec : SWEEP_INTERVAL_USEC);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

static int start_sweeping(Ports *k) {
        int r = k->table ? 0 : port_table_new(&k->table);

        if (r < 0)
                return r;
        if (!k->sweep)
                return sd_event_add_time_relative(supervisor_event(k->supervisor), &k->sweep, CLOCK_MONOTONIC,
                                                  SWEEP_INTERVAL_USEC, SWEEP_ACCURACY_USEC, on_sweep, k);
        return sd_event_source_set_enabled(k->sweep, SD_EVENT_ONESHOT);
}

void ports_follow(Ports *k, Service *service) {
        int r;

        if (service->definition->n_ports == 0)
                return;
        r = start_sweeping(k);
        if (r < 0) {
                log_error("%s: its ports cannot be watched: %s", service->definition->name, strerror(-r));
                return;
        }
        for (size_t i = 0; i < service->definition->n_ports; i++)
                port_table_declare(k->table, service->definition->ports[i].port);
        (void) ports_look(k, service);
}

void ports_forget(Ports *k) {
        size_t n, n_ports = 0;
        Service *const *services = supervisor_services(k->supervisor, &n);

        if (!k->table)
                return;
        port_table_declare_none(k->table);
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < services[i]->definition->n_ports; j++, n_ports++)
                        port_table_declare(k->table, services[i]->definition->ports[j].port);
        if (n_ports == 0)
                (void) sd_event_source_set_enabled(k->sweep, SD_EVENT_OFF);
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
