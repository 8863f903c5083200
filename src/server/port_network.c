/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/port_network.h"

#include <errno.h>
#include <stdlib.h>

#include "boundary/network_namespace.h"

void port_network_drop(Action *a) {
        if (!a->network)
                return;
        LIST_REMOVE(a->network, entry);
        port_table_free(a->network->table);
        free(TAKE_PTR(a->network));
}

static PortTable *table_in(const Action *a, uint64_t id, bool *ret_is_owed) {
        const ServiceDefinition *d = a->service->definition;
        PortTable *table;
        int r = id == UINT64_MAX ? -EACCES : port_table_new_of((pid_t) a->facts.main_pid, &table);

        *ret_is_owed = service_step_may_pass(r);
        if (r < 0)
                return NULL;
        /* It may have gone on to yet another one. */
        if (network_namespace_id((pid_t) a->facts.main_pid) != id)
                return port_table_free(table);
        for (size_t i = 0; i < d->n_ports; i++)
                if (&a->service->actions[d->ports[i].action] == a)
                        port_table_declare(table, d->ports[i].port);
        return table;
}

bool port_network_follow(PortNetworkList *list, Action *a) {
        uint64_t id = a->facts.main_pid > 0 ? network_namespace_id((pid_t) a->facts.main_pid) : 0;
        PortNetwork *network;

        if (id == network_namespace_id(0))
                id = 0;
        if (id == (a->network ? a->network->id : 0) && !(a->network && a->network->is_owed))
                return false;
        port_network_drop(a);
        if (id == 0)
                return true;
        network = calloc(1, sizeof *network);
        if (!network)
                return false; /* the next turn tries again */
        network->id = id;
        network->table = table_in(a, id, &network->is_owed);
        LIST_INSERT_HEAD(list, network, entry);
        a->network = network;
        return true;
}

bool port_network_is_private(const Action *a) {
        struct json_object *value;

        return a->network || (json_object_object_get_ex(a->definition->systemd, "PrivateNetwork", &value) &&
                              json_object_get_boolean(value));
}
