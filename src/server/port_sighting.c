/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/port_sighting.h"

#include <unistd.h>

#include "server/supervisor.h"

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

static void take(PortSighting *seen, const PortListener *l, const PortOwner *owner, SocketState state) {
        seen->socket = l->socket;
        seen->backlog = l->backlog;
        seen->loopback = l->loopback;
        seen->owner = *owner;
        seen->state = state == SOCKET_ALIVE && port_listener_is_full(l) ? SOCKET_NOT_ACCEPTING : state;
}

/* On addresses that a client on this machine does not get to by way of loopback several may listen in peace: the
 * service is among them, or it does not listen. */
static void judge_elsewhere(PortOwners *owners, Service *s, const PortListener *l, size_t n, PortSighting *seen) {
        seen->state = SOCKET_MISSING;
        for (size_t i = 0; i < n && IN6_IS_ADDR_UNSPECIFIED(&seen->loopback); i++) {
                const PortOwner *owner = port_owners_ask(owners, s, &l[i]);

                if (!owner)
                        seen->is_pending = true;
                else if (is_ours(s, owner) && (seen->socket == 0 || !IN6_IS_ADDR_UNSPECIFIED(&l[i].loopback)))
                        take(seen, &l[i], owner, SOCKET_ALIVE);
        }
        if (seen->socket != 0)
                seen->is_pending = false;
}

/* Of those that get the connections all have to be the service's: where two share a port, each gets a part of them. */
static void judge_within_reach(PortOwners *owners, Service *s, const PortListener *l, size_t n, PortSighting *seen) {
        for (size_t i = 0; i < n && l[i].reach == l[0].reach && seen->state != SOCKET_FOREIGN; i++) {
                const PortOwner *owner = port_owners_ask(owners, s, &l[i]);

                if (!owner)
                        seen->is_pending = true;
                else if (is_foreign(s, owner))
                        take(seen, &l[i], owner, SOCKET_FOREIGN);
                else if (seen->socket == 0)
                        take(seen, &l[i], owner, SOCKET_ALIVE);
        }
        if (seen->state == SOCKET_FOREIGN)
                seen->is_pending = false;
}

PortSighting port_sighting_take(PortOwners *owners, const PortTable *table, Service *service, uint16_t port) {
        PortSighting seen = { .state = SOCKET_UNKNOWN };
        const PortListener *l;
        size_t n;

        if (!table || !port_table_is_good(table))
                return seen;
        l = port_table_find(table, port, &n);
        if (n == 0)
                seen.state = SOCKET_MISSING;
        else if (l[0].reach == PORT_ELSEWHERE)
                judge_elsewhere(owners, service, l, n, &seen);
        else
                judge_within_reach(owners, service, l, n, &seen);
        return seen;
}

size_t port_sighting_strangers(PortOwners *owners, const PortTable *table, Service *service, uint16_t port,
                               uint32_t *ret, size_t n_max) {
        const PortListener *l;
        size_t n_listeners, n = 0;

        l = table ? port_table_find(table, port, &n_listeners) : NULL;
        if (!l || l[0].reach == PORT_ELSEWHERE)
                return 0;
        for (size_t i = 0; i < n_listeners && l[i].reach == l[0].reach && n < n_max; i++) {
                const PortOwner *owner = port_owners_ask(owners, service, &l[i]);

                if (!owner || is_foreign(service, owner))
                        ret[n++] = l[i].socket;
        }
        return n;
}
