/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/bus_api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_tree.h"
#include "server/bus_arguments.h"
#include "server/bus_changes.h"
#include "server/bus_name.h"
#include "server/bus_service.h"
#include "server/bus_signals.h"
#include "server/probing.h"
#include "server/records.h"
#include "server/service_json.h"
#include "server/service_why.h"
#include "server/sockets.h"

struct BusApi {
        BusContext context;
        BusSignals *signals;
        BusName *name;
        sd_bus *bus; /* borrowed; NULL: none */
        sd_bus_slot *slots[5];
        size_t n_slots;
};

/* -- reading -- */

static int list_services(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const BusContext *c = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        size_t n;
        Service *const *services = supervisor_services(c->supervisor, &n);
        int r = sd_bus_message_new_method_return(m, &reply);

        (void) error;
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sssso)");
        for (size_t i = 0; r >= 0 && i < n; i++) {
                const Service *s = services[i];
                char path[BUS_SERVICE_PATH_MAX];

                bus_service_path(s->definition->name, path);
                r = sd_bus_message_append(
                        reply, "(sssso)", s->definition->name, service_state_to_string(s->shown_state),
                        reason_code_to_string(s->n_shown > 0 ? (ReasonCode) s->shown[0].code : REASON_NONE),
                        service_wants_up(s) ? "up" : "down", path);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int get_service(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        char path[BUS_SERVICE_PATH_MAX];
        const char *name;
        Service *s;
        int r = sd_bus_message_read(m, "s", &name);

        if (r >= 0)
                r = bus_arguments_find_service(userdata, name, &s, error);
        if (r < 0)
                return r;
        bus_service_path(s->definition->name, path);
        return sd_bus_reply_method_return(m, "o", path);
}

static int reply_json(sd_bus_message *m, struct json_object *json) {
        _cleanup_free_ char *text = json_tree_text(json);
        int r = text ? sd_bus_reply_method_return(m, "s", text) : -ENOMEM;

        json_object_put(json);
        return r;
}

static int get_status(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_free_ Service **services = NULL;
        _cleanup_free_ char *text = NULL;
        uint64_t flags;
        size_t n;
        int r = bus_arguments_read_services(userdata, m, &services, &n, error);

        if (r >= 0)
                r = sd_bus_message_read(m, "t", &flags);
        if (r >= 0)
                r = bus_arguments_check_flags(flags, FLAG_RECENT | FLAG_BRIEF, error);
        if (r < 0)
                return r;
        text = flags & FLAG_BRIEF ? service_json_brief_rows(services, n)
                                  : service_json_rows(services, n, flags & FLAG_RECENT);
        return text ? sd_bus_reply_method_return(m, "s", text) : -ENOMEM;
}

static int get_metrics(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const BusContext *c = userdata;

        (void) error;
        return reply_json(m, metrics_json(c->supervisor));
}

static int dump(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const BusContext *c = userdata;
        _cleanup_free_ char *text = service_json_dump(c->supervisor);

        (void) error;
        return text ? sd_bus_reply_method_return(m, "s", text) : -ENOMEM;
}

/* Definitions stand in it whole, with the environment that services are given. */
static int dump_if_allowed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const BusContext *c = userdata;

        (void) error;
        return bus_authority_require(c->authority, m,
                                     &(AuthorityRequest){ .action = AUTHORITY_MANAGE_DEFINITIONS,
                                                          .verb = "dump",
                                                          .service = "*",
                                                          .allowed = dump,
                                                          .userdata = userdata });
}

static int why(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const BusContext *c = userdata;
        const char *name;
        uint64_t flags;
        Service *s;
        int r = sd_bus_message_read(m, "st", &name, &flags);

        if (r >= 0)
                r = bus_arguments_check_flags(flags, 0, error);
        if (r >= 0)
                r = bus_arguments_find_service(c, name, &s, error);
        return r < 0 ? r : reply_json(m, service_why_json(s));
}

static int history(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const BusContext *c = userdata;
        const char *name;
        uint64_t limit, flags;
        Service *s;
        struct json_object *transitions = NULL;
        int r = sd_bus_message_read(m, "stt", &name, &limit, &flags);

        if (r >= 0)
                r = bus_arguments_check_flags(flags, 0, error);
        if (r >= 0)
                r = bus_arguments_find_service(c, name, &s, error);
        if (r < 0)
                return r;
        /* What happened this very moment belongs to it too. */
        records_flush(supervisor_records(c->supervisor));
        r = service_why_history(s, limit > UINT32_MAX ? UINT32_MAX : (unsigned) limit, &transitions);
        if (r != 0)
                return r < 0 ? r : bus_arguments_fail(error, (Outcome) r, "the history cannot be read");
        return reply_json(m, transitions);
}

static int probe_service(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const BusContext *c = userdata;
        const char *name;
        uint64_t flags;
        Service *s;
        int r = sd_bus_message_read(m, "st", &name, &flags);

        if (r >= 0)
                r = bus_arguments_check_flags(flags, 0, error);
        if (r >= 0)
                r = bus_arguments_find_service(c, name, &s, error);
        if (r >= 0)
                r = bus_arguments_check_room(c, m, WAIT_FOR_PROBES, error);
        if (r >= 0)
                r = bus_waiters_add(c->waiters, m, s, WAIT_FOR_PROBES);
        if (r < 0)
                return r;
        (void) sockets_look(supervisor_sockets(c->supervisor), s);
        probing_ask_now(s);
        supervisor_mark(s);
        return 1;
}

/* sd-bus's own check of unprivileged members asks the bus and waits: ours does not, so all are marked unprivileged. */
#define METHOD(member, in, in_names, out, out_names, handler) \
        SD_BUS_METHOD_WITH_NAMES(member, in, in_names, out, out_names, handler, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        METHOD("ListServices", NULL, , "a(sssso)", SD_BUS_PARAM(services), list_services),
        METHOD("GetService", "s", SD_BUS_PARAM(name), "o", SD_BUS_PARAM(service), get_service),
        METHOD("GetStatus", "ast", SD_BUS_PARAM(names) SD_BUS_PARAM(flags), "s", SD_BUS_PARAM(status), get_status),
        METHOD("ApplyDefinitions", "ast", SD_BUS_PARAM(definitions) SD_BUS_PARAM(flags), "a(ss)s",
               SD_BUS_PARAM(changes) SD_BUS_PARAM(difference), bus_changes_dispatch),
        METHOD("RemoveService", "st", SD_BUS_PARAM(name) SD_BUS_PARAM(flags), NULL, , bus_changes_dispatch),
        METHOD("StartService", "st", SD_BUS_PARAM(name) SD_BUS_PARAM(flags), "s", SD_BUS_PARAM(state),
               bus_changes_dispatch),
        METHOD("StopService", "st", SD_BUS_PARAM(name) SD_BUS_PARAM(flags), "s", SD_BUS_PARAM(state),
               bus_changes_dispatch),
        METHOD("RestartService", "st", SD_BUS_PARAM(name) SD_BUS_PARAM(flags), "s", SD_BUS_PARAM(state),
               bus_changes_dispatch),
        METHOD("ResetFailed", "ast", SD_BUS_PARAM(names) SD_BUS_PARAM(flags), "a(sss)", SD_BUS_PARAM(outcomes),
               bus_changes_dispatch),
        METHOD("ProbeService", "st", SD_BUS_PARAM(name) SD_BUS_PARAM(flags), "s", SD_BUS_PARAM(evidence),
               probe_service),
        METHOD("Why", "st", SD_BUS_PARAM(name) SD_BUS_PARAM(flags), "s", SD_BUS_PARAM(explanation), why),
        METHOD("History", "stt", SD_BUS_PARAM(name) SD_BUS_PARAM(limit) SD_BUS_PARAM(flags), "s",
               SD_BUS_PARAM(transitions), history),
        METHOD("Metrics", NULL, , "s", SD_BUS_PARAM(metrics), get_metrics),
        METHOD("GetDefinition", "s", SD_BUS_PARAM(name), "s", SD_BUS_PARAM(definition), bus_changes_dispatch),
        METHOD("Dump", NULL, , "s", SD_BUS_PARAM(dump), dump_if_allowed),
        SD_BUS_SIGNAL_WITH_NAMES("StateChanged", "ssss",
                                 SD_BUS_PARAM(name) SD_BUS_PARAM(old) SD_BUS_PARAM(new) SD_BUS_PARAM(reason), 0),
        SD_BUS_VTABLE_END,
};

/* -- the observer -- */

static bool names_hold(char *const *names, const char *name) {
        for (; names && *names; names++)
                if (strcmp(*names, name) == 0)
                        return true;
        return false;
}

/* Those that are being started and may have waited for just this: a state, or why it is so. */
static void mark_dependents(const Supervisor *supervisor, const Service *changed) {
        size_t n;
        Service *const *services = supervisor_services(supervisor, &n);

        for (size_t i = 0; i < n; i++) {
                const ServiceDefinition *d = services[i]->definition;

                if (services[i]->operation != OPERATION_NONE && (names_hold(d->requires, changed->definition->name) ||
                                                                 names_hold(d->after, changed->definition->name)))
                        supervisor_mark(services[i]);
        }
}

static void on_changed(Service *s, void *userdata) {
        const BusApi *api = userdata;

        bus_signals_changed(api->signals, s);
        mark_dependents(api->context.supervisor, s);
}

static void on_evaluated(Service *s, void *userdata) {
        BusApi *api = userdata;

        bus_waiters_service_evaluated(api->context.waiters, s);
        resets_service_evaluated(api->context.resets, s);
}

static void on_added(Service *s, void *userdata) {
        const BusApi *api = userdata;

        bus_signals_added(api->signals, s);
}

static void on_redefined(Service *s, void *userdata) {
        const BusApi *api = userdata;

        bus_signals_redefined(api->signals, s);
}

static int on_leaving(Service *s, void *userdata) {
        const BusApi *api = userdata;

        return bus_signals_leaving(api->signals, s);
}

static void on_removed(Service *s, void *userdata) {
        BusApi *api = userdata;

        bus_waiters_service_removed(api->context.waiters, s);
        resets_service_removed(api->context.resets, s);
}

/* -- life -- */

int bus_api_new(Supervisor *s, BusApi **ret) {
        _cleanup_(bus_api_freep) BusApi *api = calloc(1, sizeof *api);
        int r;

        if (!api)
                return -ENOMEM;
        api->context.supervisor = s;
        r = bus_waiters_new(supervisor_event(s), &api->context.waiters);
        if (r >= 0)
                r = resets_new(s, &api->context.resets);
        if (r >= 0)
                r = bus_authority_new(supervisor_options(s)->is_user, &api->context.authority);
        if (r >= 0)
                r = bus_name_new(supervisor_event(s), &api->name);
        if (r >= 0)
                r = bus_signals_new(s, &api->signals);
        if (r < 0)
                return r;
        supervisor_set_observer(s, &(SupervisorObserver){
                                           .changed = on_changed,
                                           .evaluated = on_evaluated,
                                           .added = on_added,
                                           .redefined = on_redefined,
                                           .leaving = on_leaving,
                                           .removed = on_removed,
                                           .userdata = api,
                                   });
        *ret = TAKE_PTR(api);
        return 0;
}

static void drop_bus(BusApi *api) {
        while (api->n_slots > 0)
                sd_bus_slot_unref(api->slots[--api->n_slots]);
        api->bus = NULL;
        (void) bus_name_set_bus(api->name, NULL);
        bus_signals_set_bus(api->signals, NULL);
        bus_authority_drop_all(api->context.authority);
        bus_waiters_drop_all(api->context.waiters);
        resets_drop_all(api->context.resets);
}

BusApi *bus_api_free(BusApi *api) {
        if (!api)
                return NULL;
        supervisor_set_observer(api->context.supervisor, &(SupervisorObserver){ 0 });
        if (api->signals) /* the last that was made */
                drop_bus(api);
        bus_waiters_free(api->context.waiters);
        resets_free(api->context.resets);
        bus_authority_free(api->context.authority);
        bus_name_free(api->name);
        bus_signals_free(api->signals);
        free(api);
        return NULL;
}

void bus_api_claim_name(BusApi *api, void (*claimed)(int r, void *userdata), void *userdata) {
        bus_name_claim(api->name, claimed, userdata);
}

/* Whatever is asked, by whichever member or property. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const BusApi *api = userdata;

        (void) error;
        if (sd_bus_message_is_method_call(m, NULL, NULL))
                supervisor_catch_up(api->context.supervisor);
        return 0;
}

int bus_api_set_bus(BusApi *api, sd_bus *bus) {
        int r;

        drop_bus(api);
        if (!bus)
                return 0;
        api->bus = bus;
        bus_signals_set_bus(api->signals, bus);
        r = sd_bus_add_filter(bus, &api->slots[api->n_slots++], on_message, api);
        if (r >= 0)
                r = sd_bus_add_object_manager(bus, &api->slots[api->n_slots++], BUS_MANAGER_PATH);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, &api->slots[api->n_slots++], BUS_MANAGER_PATH, BUS_MANAGER_INTERFACE,
                                             manager_vtable, &api->context);
        if (r >= 0)
                r = bus_service_add_objects(bus, api->context.supervisor, &api->slots[api->n_slots],
                                            &api->slots[api->n_slots + 1]);
        api->n_slots += 2;
        return r >= 0 ? bus_name_set_bus(api->name, bus) : r;
}
