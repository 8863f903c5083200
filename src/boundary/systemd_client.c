/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/systemd_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "boundary/systemd_facts.h"
#include "boundary/systemd_requests.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define UNIT_PATH "/org/freedesktop/systemd1/unit"
/* What sd_bus_path_encode() makes of every unit name of ours; other units' signals are dropped by this much of a look.
 */
#define HERO_UNIT_PATH UNIT_PATH "/hero_2d"

/* Until what was lost for want of memory is asked for: some memory may be free by then, and a burst of losses is one.
 */
#define RESYNC_DELAY_USEC (20 * USEC_PER_MSEC)

struct SystemdClient {
        SystemdCallbacks callbacks;
        void *userdata;
        SystemdRequests *requests;
        sd_bus *bus;           /* NULL: no connection */
        sd_bus_slot *slots[8]; /* matches and the calls of the greeting */
        size_t n_slots;
        sd_event_source *resync; /* made beforehand, so that to arm it asks for no memory */
        bool reachable, reloading, shutting_down;
        bool news_lost;     /* since the last resync(), for want of memory */
        bool greeting_lost; /* … of the answers to a greeting, one */
        unsigned version;
        uint64_t manager_start_usec;
};

static int on_resync(sd_event_source *source, uint64_t usec, void *userdata);

int systemd_client_new(sd_event *event, const SystemdCallbacks *callbacks, void *userdata, SystemdClient **ret) {
        _cleanup_(systemd_client_freep) SystemdClient *c = calloc(1, sizeof *c);
        int r;

        if (!c)
                return -ENOMEM;
        c->callbacks = *callbacks;
        c->userdata = userdata;
        r = systemd_requests_new(event, &c->requests);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &c->resync, CLOCK_MONOTONIC, RESYNC_DELAY_USEC, 0, on_resync, c);
        if (r >= 0)
                r = sd_event_source_set_enabled(c->resync, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

static void drop_connection(SystemdClient *c) {
        while (c->n_slots > 0)
                sd_bus_slot_unref(c->slots[--c->n_slots]);
        c->bus = sd_bus_unref(c->bus);
        c->reachable = c->reloading = false;
}

SystemdClient *systemd_client_free(SystemdClient *c) {
        if (!c)
                return NULL;
        drop_connection(c);
        systemd_requests_free(c->requests);
        sd_event_source_disable_unref(c->resync);
        free(c);
        return NULL;
}

bool systemd_client_is_reachable(const SystemdClient *c) {
        return c->reachable;
}

unsigned systemd_client_version(const SystemdClient *c) {
        return c->version;
}

uint64_t systemd_client_manager_start_usec(const SystemdClient *c) {
        return c->manager_start_usec;
}

bool systemd_client_is_shutting_down(const SystemdClient *c) {
        return c->shutting_down;
}

static void become_unreachable(SystemdClient *c) {
        if (!c->reachable)
                return;
        c->reachable = false;
        systemd_requests_fail_all(c->requests, -ECONNRESET);
        c->callbacks.unreachable(c->userdata);
}

/* -- what memory ran out for -- */

void systemd_client_resync_soon(SystemdClient *c) {
        int enabled = SD_EVENT_OFF;

        if (sd_event_source_get_enabled(c->resync, &enabled) > 0)
                return;
        (void) sd_event_source_set_time_relative(c->resync, RESYNC_DELAY_USEC);
        (void) sd_event_source_set_enabled(c->resync, SD_EVENT_ONESHOT);
}

/* Signals come once, and so do answers: what cannot be read for want of memory is asked for anew. */
static int note_loss(SystemdClient *c, int r) {
        if (r == -ENOMEM) {
                c->news_lost = true;
                systemd_client_resync_soon(c);
        }
        return r;
}

/* The unit's name behind a signal's object path, to be freed, when it is one of ours and known. 0: it is not. */
static int known_unit(SystemdClient *c, const char *path, char **ret, UnitFacts **ret_facts) {
        _cleanup_free_ char *unit = NULL;
        int r;

        if (!path || strncmp(path, HERO_UNIT_PATH, strlen(HERO_UNIT_PATH)) != 0)
                return 0;
        r = sd_bus_path_decode(path, UNIT_PATH, &unit);
        if (r <= 0)
                return r;
        *ret_facts = c->callbacks.find(unit, c->userdata);
        if (!*ret_facts)
                return 0;
        *ret = TAKE_PTR(unit);
        return 1;
}

static int on_properties_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SystemdClient *c = userdata;
        UnitFacts *facts;
        UnitActive before;
        _cleanup_free_ char *unit = NULL;
        int r = note_loss(c, known_unit(c, sd_bus_message_get_path(m), &unit, &facts));

        (void) error;
        if (r <= 0 || note_loss(c, sd_bus_message_skip(m, "s")) < 0)
                return 0;
        if (facts->load == UNIT_NOT_LOADED)
                facts->load = UNIT_LOADED;
        before = facts->active;
        if (note_loss(c, systemd_facts_read(m, facts)) < 0)
                return 0;
        if (facts->active == UNIT_FAILED && before != UNIT_FAILED)
                facts->failed_heard_usec = clock_monotonic_usec();
        c->callbacks.changed(unit, c->userdata);
        return 0;
}

static int on_unit_removed(sd_bus_message *m, SystemdClient *c) {
        const char *unit;
        UnitFacts *facts;
        int r;

        if (c->reloading)
                return 0;
        r = sd_bus_message_read(m, "s", &unit);
        if (r < 0)
                return r;
        facts = c->callbacks.find(unit, c->userdata);
        if (facts)
                c->callbacks.unloaded(unit, c->userdata);
        return 0;
}

static bool is_shutdown_unit(const char *unit) {
        return strcmp(unit, "shutdown.target") == 0;
}

static int on_job_new(sd_bus_message *m, SystemdClient *c) {
        const char *unit;
        uint32_t id;
        int r = sd_bus_message_read(m, "uos", &id, NULL, &unit);

        if (r >= 0 && is_shutdown_unit(unit))
                c->shutting_down = true;
        return r;
}

static int on_job_removed(sd_bus_message *m, SystemdClient *c) {
        const char *unit, *result;
        uint32_t id;
        int r = sd_bus_message_read(m, "uoss", &id, NULL, &unit, &result);

        if (r < 0)
                return r;
        if (is_shutdown_unit(unit) && strcmp(result, "done") != 0)
                c->shutting_down = false;
        systemd_requests_job_removed(c->requests, id, result);
        return 0;
}

static int on_reloading(sd_bus_message *m, SystemdClient *c) {
        int reloading, r = sd_bus_message_read(m, "b", &reloading);

        if (r < 0)
                return r;
        c->reloading = reloading;
        if (!reloading && c->reachable)
                c->callbacks.resync(false, c->userdata);
        return 0;
}

static int on_manager_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SystemdClient *c = userdata;
        int r = 0;

        (void) error;
        if (sd_bus_message_is_signal(m, NULL, "UnitRemoved"))
                r = on_unit_removed(m, c);
        else if (sd_bus_message_is_signal(m, NULL, "JobRemoved"))
                r = on_job_removed(m, c);
        else if (sd_bus_message_is_signal(m, NULL, "JobNew"))
                r = on_job_new(m, c);
        else if (sd_bus_message_is_signal(m, NULL, "Reloading"))
                r = on_reloading(m, c);
        (void) note_loss(c, r);
        return 0;
}

/* -- greeting: Subscribe, Version, SystemState, then resync() -- */

static int greet(SystemdClient *c);

static int greet_or_later(SystemdClient *c) {
        if (greet(c) == -ENOMEM)
                systemd_client_resync_soon(c);
        return 0;
}

/* Nothing of it may be missing when systemd is said to be there: the next greeting brings all of it. */
static int greeting_answer(SystemdClient *c, int r) {
        c->greeting_lost = c->greeting_lost || r == -ENOMEM;
        return note_loss(c, r);
}

static int on_resync(sd_event_source *source, uint64_t usec, void *userdata) {
        SystemdClient *c = userdata;
        bool lost = c->news_lost;

        (void) source;
        (void) usec;
        c->news_lost = false;
        if (c->reachable)
                c->callbacks.resync(lost, c->userdata);
        else if (c->bus)
                (void) greet_or_later(c);
        return 0;
}

static int on_system_state(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SystemdClient *c = userdata;
        const char *state;

        (void) error;
        if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_NO_REPLY) && sd_bus_is_open(c->bus) > 0)
                return greet_or_later(c); /* it was silent for as long as a call waits: ask again */
        if (sd_bus_message_is_method_error(m, NULL))
                return 0; /* NameOwnerChanged brings the next try */
        if (greeting_answer(c, sd_bus_message_read(m, "v", "s", &state)) < 0 || c->greeting_lost)
                return 0;
        c->shutting_down = strcmp(state, "stopping") == 0;
        c->reachable = true;
        c->callbacks.resync(false, c->userdata);
        return 0;
}

static int on_version(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SystemdClient *c = userdata;
        const char *version;

        (void) error;
        if (!sd_bus_message_is_method_error(m, NULL) &&
            greeting_answer(c, sd_bus_message_read(m, "v", "s", &version)) >= 0)
                c->version = (unsigned) strtoul(version, NULL, 10); /* "252.39-1~deb12u1" */
        return 0;
}

static int on_manager_start(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SystemdClient *c = userdata;

        (void) error;
        if (!sd_bus_message_is_method_error(m, NULL))
                (void) greeting_answer(c, sd_bus_message_read(m, "v", "t", &c->manager_start_usec));
        return 0;
}

static int on_subscribed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void) m;
        (void) userdata;
        (void) error;
        return 0; /* "AlreadySubscribed" is as good; with any other error the following calls fail too */
}

static int call_manager(SystemdClient *c, const char *interface, const char *member, sd_bus_message_handler_t handler,
                        const char *property) {
        const char *manager = "org.freedesktop.systemd1.Manager";

        if (property)
                return sd_bus_call_method_async(c->bus, NULL, SYSTEMD_NAME, "/org/freedesktop/systemd1", interface,
                                                member, handler, c, "ss", manager, property);
        return sd_bus_call_method_async(c->bus, NULL, SYSTEMD_NAME, "/org/freedesktop/systemd1", interface, member,
                                        handler, c, NULL);
}

static int greet(SystemdClient *c) {
        const char *properties = "org.freedesktop.DBus.Properties";
        int r;

        c->greeting_lost = false;
        r = call_manager(c, "org.freedesktop.systemd1.Manager", "Subscribe", on_subscribed, NULL);
        if (r >= 0)
                r = call_manager(c, properties, "Get", on_version, "Version");
        if (r >= 0)
                r = call_manager(c, properties, "Get", on_manager_start, "UserspaceTimestampMonotonic");
        return r < 0 ? r : call_manager(c, properties, "Get", on_system_state, "SystemState");
}

/* systemd re-executed itself (":1.0" to "", to ":1.3", or in one step), or came back after the bus was restarted. */
static int on_name_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SystemdClient *c = userdata;
        const char *owner;

        (void) error;
        if (sd_bus_message_read(m, "sss", NULL, NULL, &owner) < 0)
                return 0;
        become_unreachable(c);
        return *owner ? greet_or_later(c) : 0;
}

static int on_match_installed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void) m;
        (void) userdata;
        (void) error;
        return 0; /* without a handler of its own a refused match would close our connection */
}

static int add_match(SystemdClient *c, const char *rule, sd_bus_message_handler_t handler) {
        return sd_bus_add_match_async(c->bus, &c->slots[c->n_slots++], rule, handler, on_match_installed, c);
}

int systemd_client_attach(SystemdClient *c, sd_bus *bus) {
        int r;

        drop_connection(c);
        c->bus = sd_bus_ref(bus);
        systemd_requests_set_bus(c->requests, bus);

        r = add_match(c,
                      "type='signal',sender='" SYSTEMD_NAME "',interface='org.freedesktop.DBus.Properties',"
                      "member='PropertiesChanged',path_namespace='" UNIT_PATH "'",
                      on_properties_changed);
        if (r >= 0)
                r = add_match(c,
                              "type='signal',sender='" SYSTEMD_NAME "',path='/org/freedesktop/systemd1',"
                              "interface='org.freedesktop.systemd1.Manager'",
                              on_manager_signal);
        if (r >= 0)
                r = add_match(c,
                              "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                              "member='NameOwnerChanged',arg0='" SYSTEMD_NAME "'",
                              on_name_owner_changed);
        return r < 0 ? r : greet(c);
}

void systemd_client_detach(SystemdClient *c) {
        bool was_reachable = c->reachable;

        drop_connection(c);
        systemd_requests_set_bus(c->requests, NULL);
        systemd_requests_fail_all(c->requests, -ECONNRESET);
        if (was_reachable)
                c->callbacks.unreachable(c->userdata);
}

void systemd_client_forget(SystemdClient *c, const void *userdata) {
        systemd_requests_forget(c->requests, userdata);
}

/* -- calls -- */

static int new_call(SystemdClient *c, const char *member, sd_bus_message **ret) {
        if (!c->reachable)
                return -ENOTCONN;
        return sd_bus_message_new_method_call(c->bus, ret, SYSTEMD_NAME, "/org/freedesktop/systemd1",
                                              "org.freedesktop.systemd1.Manager", member);
}

static int queue_job_in_mode(SystemdClient *c, const char *member, const char *unit, const char *mode,
                             uint64_t timeout_usec, systemd_done_t done, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        bool is_stop = strcmp(member, "StopUnit") == 0;
        int r = new_call(c, member, &m);

        if (r >= 0)
                r = sd_bus_message_append(m, "ss", unit, mode);
        if (r < 0)
                return r;
        return (is_stop ? systemd_requests_add_stop : systemd_requests_add_start)(c->requests, m, timeout_usec, done,
                                                                                  userdata);
}

static int queue_job(SystemdClient *c, const char *member, const char *unit, uint64_t timeout_usec, systemd_done_t done,
                     void *userdata) {
        return queue_job_in_mode(c, member, unit, "replace", timeout_usec, done, userdata);
}

int systemd_client_start(SystemdClient *c, const char *unit, uint64_t timeout_usec, systemd_done_t done,
                         void *userdata) {
        return queue_job(c, "StartUnit", unit, timeout_usec, done, userdata);
}

int systemd_client_stop(SystemdClient *c, const char *unit, uint64_t timeout_usec, systemd_done_t done,
                        void *userdata) {
        return queue_job(c, "StopUnit", unit, timeout_usec, done, userdata);
}

int systemd_client_restart(SystemdClient *c, const char *unit, uint64_t timeout_usec, systemd_done_t done,
                           void *userdata) {
        return queue_job(c, "RestartUnit", unit, timeout_usec, done, userdata);
}

int systemd_client_heal(SystemdClient *c, const char *unit, bool is_up, uint64_t timeout_usec, systemd_done_t done,
                        void *userdata) {
        return queue_job_in_mode(c, is_up ? "TryRestartUnit" : "StartUnit", unit, "fail", timeout_usec, done, userdata);
}

int systemd_client_reset_failed(SystemdClient *c, const char *unit, systemd_done_t done, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = new_call(c, "ResetFailedUnit", &m);

        if (r >= 0)
                r = sd_bus_message_append(m, "s", unit);
        return r < 0 ? r : systemd_requests_add_call(c->requests, m, done, userdata);
}

int systemd_client_kill(SystemdClient *c, const char *unit, int signal, systemd_done_t done, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = new_call(c, "KillUnit", &m);

        if (r >= 0)
                r = sd_bus_message_append(m, "ssi", unit, "all", signal);
        return r < 0 ? r : systemd_requests_add_call(c->requests, m, done, userdata);
}

int systemd_client_create(SystemdClient *c, struct json_object *plan, uint64_t timeout_usec, systemd_done_t done,
                          void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = new_call(c, "StartTransientUnit", &m);

        if (r >= 0)
                r = systemd_requests_append_plan(m, plan);
        return r < 0 ? r : systemd_requests_add_creation(c->requests, m, timeout_usec, done, userdata);
}

int systemd_client_set_properties(SystemdClient *c, const char *unit, struct json_object *properties,
                                  systemd_done_t done, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = new_call(c, "SetUnitProperties", &m);

        if (r >= 0)
                r = sd_bus_message_append(m, "sb", unit, true);
        if (r >= 0)
                r = systemd_requests_append_properties(m, properties);
        return r < 0 ? r : systemd_requests_add_call(c->requests, m, done, userdata);
}

int systemd_client_list(SystemdClient *c, const char *const *patterns, systemd_listed_t listed, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = new_call(c, "ListUnitsByPatterns", &m);

        if (r >= 0)
                r = sd_bus_message_append(m, "as", 0);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) patterns);
        return r < 0 ? r : systemd_requests_add_list(c->requests, m, listed, userdata);
}

int systemd_client_list_named(SystemdClient *c, const char *const *names, systemd_listed_t listed, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = new_call(c, "ListUnitsByNames", &m);

        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) names);
        return r < 0 ? r : systemd_requests_add_list(c->requests, m, listed, userdata);
}

typedef struct ReadContext {
        SystemdClient *client;
        char *unit;
} ReadContext;

/* The reply of GetAll: facts are updated only here, so that a reply which comes late finds the unit by name again. */
static int take_properties(sd_bus_message *reply, void *context) {
        ReadContext *read = context;
        SystemdClient *c = read->client;
        UnitFacts *facts = c->callbacks.find(read->unit, c->userdata);
        int r = reply && facts ? note_loss(c, systemd_facts_read(reply, facts)) : 0;

        if (reply && facts && r >= 0) {
                facts->is_whole = true;
                c->callbacks.changed(read->unit, c->userdata);
        }
        free(read->unit);
        free(read);
        return r < 0 ? r : 0;
}

/* With all that is kept of such a unit: of a service that stands in two interfaces, and "" is all of them at once. */
static const char *interface_of(const char *unit) {
        size_t n = strlen(unit), n_suffix = strlen(".slice");

        return n > n_suffix && strcmp(unit + n - n_suffix, ".slice") == 0 ? "org.freedesktop.systemd1.Unit" : "";
}

int systemd_client_read(SystemdClient *c, const char *unit, systemd_done_t done, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *path = NULL;
        ReadContext *context;
        int r = c->reachable ? sd_bus_path_encode(UNIT_PATH, unit, &path) : -ENOTCONN;

        if (r >= 0)
                r = sd_bus_message_new_method_call(c->bus, &m, SYSTEMD_NAME, path, "org.freedesktop.DBus.Properties",
                                                   "GetAll");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", interface_of(unit));
        if (r < 0)
                return r;

        context = malloc(sizeof *context);
        if (!context)
                return -ENOMEM;
        *context = (ReadContext){ c, strdup(unit) };
        if (!context->unit) {
                free(context);
                return -ENOMEM;
        }
        return systemd_requests_add_read(c->requests, m, take_properties, context, done, userdata);
}
