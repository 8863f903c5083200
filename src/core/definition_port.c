/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "core/definition_reader.h"

static int declare(DefinitionReader *r, const JsonValue *v, int action) {
        ServiceDefinition *d = r->service;
        PortDefinition *grown;

        if (v->kind != JSON_KIND_INTEGER || v->integer < 1 || v->integer > UINT16_MAX)
                return definition_refuse(r, v, "expected an integer from 1 to 65535");
        for (size_t i = 0; i < d->n_ports; i++)
                if (d->ports[i].port == v->integer && d->ports[i].action == action)
                        return definition_refuse(r, v, "expected each port once");
        if (d->n_ports >= DEFINITION_PORTS_MAX)
                return definition_refuse(r, v, "expected at most %d ports in a service", DEFINITION_PORTS_MAX);
        grown = reallocarray(d->ports, d->n_ports + 1, sizeof d->ports[0]);
        if (!grown)
                return -ENOMEM;
        d->ports = grown;
        d->ports[d->n_ports] = (PortDefinition){ .port = (uint16_t) v->integer, .action = action };
        (void) snprintf(d->ports[d->n_ports].name, sizeof d->ports[0].name, "port %u", d->ports[d->n_ports].port);
        d->n_ports++;
        return 0;
}

int definition_read_ports(DefinitionReader *r, const JsonValue *object, int action) {
        const JsonValue *array = json_member(object, "ports");
        size_t mark, i = 0;

        if (!array)
                return 0;
        mark = definition_enter(r, "ports");
        if (array->kind != JSON_KIND_ARRAY || array->n_children > DEFINITION_ACTION_PORTS_MAX)
                return definition_refuse(r, array, "expected an array of at most %d integers from 1 to 65535",
                                         DEFINITION_ACTION_PORTS_MAX);
        for (const JsonValue *v = array->first; v; v = v->next, i++) {
                size_t element = definition_enter_index(r, i);
                int ret = declare(r, v, action);

                if (ret != 0)
                        return ret;
                definition_leave(r, element);
        }
        definition_leave(r, mark);
        return 0;
}
