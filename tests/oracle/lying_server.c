/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* hero_proc_server with its decision bent (linked with --wrap), so that it can be seen that the oracle finds lies. $LIE
 * says which: running, failed or unknown, for every service that is up or should be; State, Actions or Sockets: that
 * property of each service's object, and no other face. Nothing else of the server is altered. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "core/service_status.h"
#include "server/service.h"

ServiceDecision __real_service_status_decide(const ServiceObservation *seen, uint64_t now_usec);
ServiceDecision __wrap_service_status_decide(const ServiceObservation *seen, uint64_t now_usec);

ServiceDecision __wrap_service_status_decide(const ServiceObservation *seen, uint64_t now_usec) {
        ServiceDecision decision = __real_service_status_decide(seen, now_usec);
        const char *lie = getenv("LIE");
        ServiceState state = service_state_from_string(lie ? lie : "");

        if ((int) state < 0 || (decision.state != SERVICE_RUNNING && decision.state != SERVICE_FAILED &&
                                decision.state != SERVICE_DEGRADED))
                return decision;
        decision.state = state;
        if (state == SERVICE_RUNNING)
                decision.n_reasons = 0;
        else if (decision.n_reasons == 0)
                decision.reasons[decision.n_reasons++] = (Reason){
                        .code = state == SERVICE_FAILED ? REASON_PROBE_FAILED : REASON_STALE,
                        .subject = SUBJECT_SERVICE,
                };
        return decision;
}

int __real_sd_bus_add_fallback_vtable(sd_bus *bus, sd_bus_slot **ret_slot, const char *prefix, const char *interface,
                                      const sd_bus_vtable *vtable, sd_bus_object_find_t find, void *userdata);
int __wrap_sd_bus_add_fallback_vtable(sd_bus *bus, sd_bus_slot **ret_slot, const char *prefix, const char *interface,
                                      const sd_bus_vtable *vtable, sd_bus_object_find_t find, void *userdata);

static int get_lie(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                   void *userdata, sd_bus_error *error) {
        const Service *s = userdata;

        (void) bus;
        (void) path;
        (void) interface;
        (void) error;
        if (strcmp(property, "State") == 0)
                return sd_bus_message_append(reply, "s", service_state_to_string(SERVICE_STOPPED));
        if (strcmp(property, "Actions") == 0)
                return sd_bus_message_append(reply, "a(sssus)", 1, s->definition->actions[0].name, s->actions[0].unit,
                                             "active", 1U, "00000000000000000000000000000000");
        return sd_bus_message_append(reply, "a(ssus)", 1, s->definition->sockets[0].path, "missing", 0U, "");
}

int __wrap_sd_bus_add_fallback_vtable(sd_bus *bus, sd_bus_slot **ret_slot, const char *prefix, const char *interface,
                                      const sd_bus_vtable *vtable, sd_bus_object_find_t find, void *userdata) {
        static sd_bus_vtable bent[32];
        const char *lie = getenv("LIE");

        for (size_t i = 0; i < sizeof bent / sizeof *bent; i++) {
                bent[i] = vtable[i];
                if (vtable[i].type == _SD_BUS_VTABLE_END)
                        return __real_sd_bus_add_fallback_vtable(bus, ret_slot, prefix, interface, bent, find,
                                                                 userdata);
                if (lie && vtable[i].type == _SD_BUS_VTABLE_PROPERTY && strcmp(vtable[i].x.property.member, lie) == 0)
                        bent[i].x.property.get = get_lie;
        }
        return -E2BIG;
}
