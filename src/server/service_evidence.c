/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/service_evidence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text_stream.h"
#include "core/json_tree.h"
#include "server/service_json.h"
#include "server/socket_sighting.h"
#include "server/supervisor.h"

static void add_listener(FILE *f, uint32_t pid, const char *unit) {
        if (pid > 0)
                fprintf(f, ", PID %" PRIu32, pid);
        if (unit && *unit)
                fprintf(f, " of %s", unit);
}

static void say_action(FILE *f, const Action *a) {
        fprintf(f, "%s: %s (%s)", a->definition->name, unit_active_to_string(a->facts.active), a->facts.sub_state);
        add_listener(f, a->facts.main_pid, a->unit);
        if (!a->wanted)
                fputs(", not wanted", f);
}

static void say_socket(FILE *f, const ServiceSocket *k) {
        fprintf(f, "%s: %s", k->definition->name, socket_state_to_string(socket_sighting_state(k)));
        add_listener(f, k->listener.pid, k->listener.unit);
}

static void say_port(FILE *f, const ServicePort *k) {
        fprintf(f, "port %u: %s", k->definition->port, socket_state_to_string(k->state));
        add_listener(f, k->listener_pid, k->listener_unit);
}

static void say_probe(FILE *f, const ServiceProbe *p) {
        fprintf(f, "probe %s: %s", p->definition->name, service_json_probe_word(p));
        if (*rare_text_get(&p->error))
                fprintf(f, ", %s", rare_text_get(&p->error));
        if (p->status > 0)
                fprintf(f, ", HTTP %u", p->status);
        if (p->health.checked_usec > 0)
                fprintf(f, ", %" PRIu64 " s ago", (clock_monotonic_usec() - p->health.checked_usec) / USEC_PER_SEC);
}

static void say_relations(FILE *f, const Service *s, char *const *names, const char *how) {
        for (; names && *names; names++) {
                const Service *other = supervisor_find(s->supervisor, *names);

                fprintf(f, "%s %s: %s\n", how, *names,
                        other ? service_state_to_string(other->shown_state) : "not defined");
        }
}

struct json_object *service_evidence_json(const Service *s) {
        struct json_object *lines;
        _cleanup_free_ char *text = NULL;
        size_t n;
        FILE *f = text_stream_open(&text, &n);

        if (!f)
                return NULL;
        for (size_t i = 0; i < s->definition->n_actions; i++, fputc('\n', f))
                say_action(f, &s->actions[i]);
        for (size_t i = 0; i < s->definition->n_sockets; i++, fputc('\n', f))
                say_socket(f, &s->sockets[i]);
        for (size_t i = 0; i < s->definition->n_ports; i++, fputc('\n', f))
                say_port(f, &s->ports[i]);
        for (size_t i = 0; i < s->definition->n_probes; i++, fputc('\n', f))
                say_probe(f, &s->probes[i]);
        say_relations(f, s, s->definition->requires, "requires");
        say_relations(f, s, s->definition->after, "after");
        if (fclose(f) != 0)
                return NULL;
        lines = json_object_new_array();
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
                json_tree_append_string(lines, line);
        return lines;
}
