/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/probe_owner.h"

#include "base/clock.h"
#include "server/port_network.h"

static bool action_serves(const Action *a) {
        return a->wanted && (a->facts.active == UNIT_ACTIVE || a->facts.active == UNIT_RELOADING);
}

bool probe_owner_serves(const ServiceProbe *p) {
        const Service *s = p->service;
        bool any = false;

        for (size_t i = 0; i < s->definition->n_actions; i++) {
                if (p->action >= 0 ? (size_t) p->action != i : s->actions[i].definition->kind == ACTION_KIND_ONESHOT)
                        continue;
                if (!action_serves(&s->actions[i]))
                        return false;
                any = true;
        }
        return any;
}

/* The action whose start timeout ends last. */
static const Action *last_to_start(const ServiceProbe *p) {
        const Action *last = NULL;

        for (size_t i = 0; i < p->service->definition->n_actions; i++) {
                const Action *a = &p->service->actions[i];

                if ((p->action < 0 || (size_t) p->action == i) &&
                    (!last || action_start_deadline_usec(a) > action_start_deadline_usec(last)))
                        last = a;
        }
        return last;
}

uint64_t probe_owner_deadline_usec(const ServiceProbe *p) {
        return action_start_deadline_usec(last_to_start(p));
}

uint64_t probe_owner_start_timeout_usec(const ServiceProbe *p) {
        return last_to_start(p)->definition->start_timeout_usec;
}

bool probe_owner_is_starting(const ServiceProbe *p) {
        return clock_monotonic_usec() < probe_owner_deadline_usec(p);
}

bool probe_owner_is_out_of_reach(const ServiceProbe *p) {
        return p->definition->port > 0 && port_network_is_private(last_to_start(p));
}

bool probe_owner_awaits_listener(const ServiceProbe *p) {
        if (p->socket >= 0)
                return p->service->sockets[p->socket].seen.state != SOCKET_ALIVE;
        return p->port >= 0 && p->service->ports[p->port].state != SOCKET_ALIVE &&
               p->service->ports[p->port].state != SOCKET_UNKNOWN;
}
