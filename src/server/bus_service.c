/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/bus_service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/evaluation.h"
#include "server/service_json.h"
#include "server/socket_sighting.h"

static int get_word(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                    void *userdata, sd_bus_error *error) {
        const Service *s = userdata;
        const char *word = s->definition->name;

        (void) bus;
        (void) path;
        (void) interface;
        (void) error;
        if (strcmp(property, "State") == 0)
                word = service_state_to_string(s->shown_state);
        else if (strcmp(property, "Wanted") == 0)
                word = service_wants_up(s) ? "up" : "down";
        else if (strcmp(property, "Definition") == 0)
                word = s->definition->public_text ? s->definition->public_text : s->definition->text;
        else if (strcmp(property, "Ready") == 0)
                word = service_json_ready_word(s);
        return sd_bus_message_append(reply, "s", word);
}

static int get_since(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                     void *userdata, sd_bus_error *error) {
        const Service *s = userdata;

        (void) bus;
        (void) path;
        (void) interface;
        (void) property;
        (void) error;
        return sd_bus_message_append(reply, "t", s->state_since_realtime_usec);
}

static int append_reasons(sd_bus_message *reply, const Service *s) {
        int r = sd_bus_message_open_container(reply, 'a', "(sss)");

        for (size_t i = 0; r >= 0 && i < s->n_shown; i++) {
                _cleanup_free_ char *text = evaluation_reason_text(s, &s->shown[i]);

                r = sd_bus_message_append(reply, "(sss)", reason_code_to_string((ReasonCode) s->shown[i].code),
                                          evaluation_reason_subject(s, &s->shown[i]), text ? text : "");
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_actions(sd_bus_message *reply, const Service *s) {
        int r = sd_bus_message_open_container(reply, 'a', "(sssus)");

        for (size_t i = 0; r >= 0 && i < s->definition->n_actions; i++) {
                const Action *a = &s->actions[i];
                char invocation[33] = "";

                for (size_t j = 0; unit_facts_ever_started(&a->facts) && j < 16; j++)
                        (void) snprintf(invocation + 2 * j, 3, "%02x", a->facts.invocation[j]);
                r = sd_bus_message_append(reply, "(sssus)", a->definition->name, a->unit,
                                          unit_active_to_string(a->facts.active), a->facts.main_pid, invocation);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_sockets(sd_bus_message *reply, const Service *s) {
        int r = sd_bus_message_open_container(reply, 'a', "(ssus)");

        for (size_t i = 0; r >= 0 && i < s->definition->n_sockets; i++) {
                const ServiceSocket *k = &s->sockets[i];
                r = sd_bus_message_append(reply, "(ssus)", k->definition->path,
                                          socket_state_to_string(socket_sighting_state(k)), k->listener.pid,
                                          k->listener.unit ? k->listener.unit : "");
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_ports(sd_bus_message *reply, const Service *s) {
        int r = sd_bus_message_open_container(reply, 'a', "(qsus)");

        for (size_t i = 0; r >= 0 && i < s->definition->n_ports; i++) {
                const ServicePort *k = &s->ports[i];

                r = sd_bus_message_append(reply, "(qsus)", k->definition->port, socket_state_to_string(k->state),
                                          k->listener_pid, k->listener_unit ? k->listener_unit : "");
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_probes(sd_bus_message *reply, const Service *s) {
        int r = sd_bus_message_open_container(reply, 'a', "(ssust)");

        for (size_t i = 0; r >= 0 && i < s->definition->n_probes; i++) {
                const ServiceProbe *p = &s->probes[i];

                r = sd_bus_message_append(reply, "(ssust)", p->definition->name, service_json_probe_word(p),
                                          p->health.failures, rare_text_get(&p->error), p->latency_usec);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_list(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                    void *userdata, sd_bus_error *error) {
        (void) bus;
        (void) path;
        (void) interface;
        (void) error;
        if (strcmp(property, "Reasons") == 0)
                return append_reasons(reply, userdata);
        if (strcmp(property, "Actions") == 0)
                return append_actions(reply, userdata);
        if (strcmp(property, "Ports") == 0)
                return append_ports(reply, userdata);
        return strcmp(property, "Sockets") == 0 ? append_sockets(reply, userdata) : append_probes(reply, userdata);
}

#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable service_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("Wanted", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("Definition", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("Ready", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("Reasons", "a(sss)", get_list, 0, CHANGES),
        SD_BUS_PROPERTY("StateSinceUSec", "t", get_since, 0, CHANGES),
        SD_BUS_PROPERTY("Actions", "a(sssus)", get_list, 0, CHANGES),
        SD_BUS_PROPERTY("Sockets", "a(ssus)", get_list, 0, CHANGES),
        SD_BUS_PROPERTY("Ports", "a(qsus)", get_list, 0, CHANGES),
        /* Latency and counts change with every answer: a signal a probe would be a flood, so it goes with the state. */
        SD_BUS_PROPERTY("Probes", "a(ssust)", get_list, 0, CHANGES),
        SD_BUS_VTABLE_END,
};

static int find_object(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                       sd_bus_error *error) {
        _cleanup_free_ char *name = NULL;
        int r = sd_bus_path_decode(path, BUS_SERVICE_PATH, &name);
        Service *s;

        (void) bus;
        (void) interface;
        (void) error;
        if (r <= 0)
                return r; /* no memory for the name: not that there is no such object */
        s = supervisor_find(userdata, name);
        if (!s)
                return 0;
        *ret_found = s;
        return 1;
}

/* As sd_bus_path_encode() does it, but without memory: each list has the path of each service. */
void bus_service_path(const char *name, char ret[BUS_SERVICE_PATH_MAX]) {
        static const char digits[] = "0123456789abcdef";
        char *out = stpcpy(ret, BUS_SERVICE_PATH "/");

        for (const char *in = name; *in; in++) {
                unsigned char c = (unsigned char) *in;
                bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9' && in > name);

                if (is_plain) {
                        *out++ = *in;
                        continue;
                }
                *out++ = '_';
                *out++ = digits[c >> 4];
                *out++ = digits[c & 15];
        }
        *out = '\0';
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes, sd_bus_error *error) {
        size_t n;
        Service *const *services = supervisor_services(userdata, &n);
        char **nodes = calloc(n + 1, sizeof *nodes);

        (void) bus;
        (void) prefix;
        (void) error;
        for (size_t i = 0; nodes && i < n; i++) {
                char path[BUS_SERVICE_PATH_MAX];

                bus_service_path(services[i]->definition->name, path);
                nodes[i] = strdup(path);
                if (!nodes[i]) {
                        while (i > 0)
                                free(nodes[--i]);
                        free(nodes);
                        return -ENOMEM;
                }
        }
        *ret_nodes = nodes;
        return nodes ? 0 : -ENOMEM;
}

int bus_service_add_objects(sd_bus *bus, Supervisor *s, sd_bus_slot **ret_slot, sd_bus_slot **ret_enumerator) {
        int r = sd_bus_add_fallback_vtable(bus, ret_slot, BUS_SERVICE_PATH, BUS_SERVICE_INTERFACE, service_vtable,
                                           find_object, s);

        return r < 0 ? r : sd_bus_add_node_enumerator(bus, ret_enumerator, BUS_SERVICE_PATH, enumerate, s);
}

int bus_service_emit_changed(sd_bus *bus, const Service *s) {
        char path[BUS_SERVICE_PATH_MAX];

        bus_service_path(s->definition->name, path);
        return sd_bus_emit_properties_changed(bus, path, BUS_SERVICE_INTERFACE, "State", "Wanted", "Ready", "Reasons",
                                              "StateSinceUSec", "Actions", "Sockets", "Ports", "Probes", NULL);
}

int bus_service_emit_redefined(sd_bus *bus, const Service *s) {
        char path[BUS_SERVICE_PATH_MAX];

        bus_service_path(s->definition->name, path);
        return sd_bus_emit_properties_changed(bus, path, BUS_SERVICE_INTERFACE, "Definition", "Wanted", "Ready",
                                              "Actions", "Sockets", "Ports", "Probes", NULL);
}
