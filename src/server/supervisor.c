/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/supervisor.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/adoption.h"
#include "server/evaluation.h"
#include "server/healing.h"
#include "server/notices.h"
#include "server/ports.h"
#include "server/records.h"
#include "server/sockets.h"

enum {
        PROBES_FRESH_MAX = 64,
        PROBES_IN_FLIGHT_MAX = 2048,
        /* Evaluations wait until the bus has nothing more to tell, so that a burst of signals is judged once … */
        EVALUATION_PRIORITY = SD_EVENT_PRIORITY_NORMAL + 10,
};
/* … but never longer than this. */
#define EVALUATION_DELAY_MAX_USEC (10 * USEC_PER_MSEC)
/* After a load of definitions: when what was begun with them has settled. */
#define TRIM_DELAY_USEC (20 * USEC_PER_SEC)

struct Supervisor {
        SupervisorOptions options;
        sd_event *event;
        Store *store;
        Records *records;
        SystemdClient *systemd;
        Prober *prober;
        Hands hands;
        Waiters *rechecks; /* services whose state changes with time alone */
        Metrics metrics;
        Sockets *sockets;
        Ports *ports;
        Adoption *adoption;
        Healing *healing;
        SupervisorObserver observer;
        Service **services; /* sorted by name */
        size_t n_services, n_allocated;
        STAILQ_HEAD(, Service) dirty;
        sd_event_source *evaluate, *trim;
        uint64_t dirty_since_usec;
        bool is_urgent; /* what is marked is judged before the bus is asked for more */
};

sd_event *supervisor_event(const Supervisor *s) {
        return s->event;
}

const Hands *supervisor_hands(const Supervisor *s) {
        return &s->hands;
}

Prober *supervisor_prober(const Supervisor *s) {
        return s->prober;
}

Waiters *supervisor_rechecks(const Supervisor *s) {
        return s->rechecks;
}

Metrics *supervisor_metrics(Supervisor *s) {
        return &s->metrics;
}

SystemdClient *supervisor_systemd(const Supervisor *s) {
        return s->systemd;
}

Store *supervisor_store(const Supervisor *s) {
        return s->store;
}

Records *supervisor_records(const Supervisor *s) {
        return s->records;
}

Sockets *supervisor_sockets(const Supervisor *s) {
        return s->sockets;
}

Ports *supervisor_ports(const Supervisor *s) {
        return s->ports;
}

Adoption *supervisor_adoption(const Supervisor *s) {
        return s->adoption;
}

Healing *supervisor_healing(const Supervisor *s) {
        return s->healing;
}

const SupervisorOptions *supervisor_options(const Supervisor *s) {
        return &s->options;
}

const SupervisorObserver *supervisor_observer(const Supervisor *s) {
        return &s->observer;
}

bool supervisor_is_synced(const Supervisor *s) {
        return systemd_client_is_reachable(s->systemd) && adoption_is_done(s->adoption);
}

UnitPlanContext supervisor_plan_context(const Supervisor *s) {
        return (UnitPlanContext){
                .systemd_version = systemd_client_version(s->systemd),
                .socket_dir = s->options.socket_dir,
                .exec_dir = s->options.exec_dir,
                .shim = s->options.shim,
                .is_user = s->options.is_user,
        };
}

/* -- the list of services -- */

static size_t position(const Supervisor *s, const char *name) {
        size_t low = 0, high = s->n_services;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (strcmp(s->services[middle]->definition->name, name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

Service *const *supervisor_services(const Supervisor *s, size_t *ret_n) {
        *ret_n = s->n_services;
        return s->services;
}

Service *supervisor_find(const Supervisor *s, const char *name) {
        size_t i = position(s, name);

        return i < s->n_services && strcmp(s->services[i]->definition->name, name) == 0 ? s->services[i] : NULL;
}

Service *supervisor_find_by_unit(const Supervisor *s, const char *unit) {
        char service[DEFINITION_NAME_MAX + 1], action[DEFINITION_NAME_MAX + 1];

        return unit_name_parse(unit, service, action) ? supervisor_find(s, service) : NULL;
}

int supervisor_reserve(Supervisor *s, size_t n) {
        size_t wanted = s->n_allocated ? s->n_allocated : 16;
        Service **larger;

        if (s->n_services + n <= s->n_allocated)
                return 0;
        while (wanted < s->n_services + n)
                wanted *= 2;
        larger = reallocarray(s->services, wanted, sizeof *larger);
        if (!larger)
                return -ENOMEM;
        s->services = larger;
        s->n_allocated = wanted;
        return 0;
}

int supervisor_add(Supervisor *s, Service *service) {
        size_t i = position(s, service->definition->name);
        int r = supervisor_reserve(s, 1);

        if (r < 0) {
                service_free(service);
                return r;
        }
        memmove(&s->services[i + 1], &s->services[i], (s->n_services - i) * sizeof *s->services);
        s->services[i] = service;
        s->n_services++;
        sockets_follow(s->sockets, service);
        ports_follow(s->ports);
        (void) ports_look(s->ports, service);
        if (s->observer.added)
                s->observer.added(service, s->observer.userdata);
        supervisor_mark(service);
        return 0;
}

int supervisor_drop(Supervisor *s, Service *service) {
        size_t i = position(s, service->definition->name);
        int r = s->observer.leaving ? s->observer.leaving(service, s->observer.userdata) : 0;

        if (r < 0)
                return r;
        r = store_remove_service(s->store, service->definition->name);
        if (r != 0)
                log_error("%s: cannot be taken out of the store: %s", service->definition->name,
                          r < 0 ? strerror(-r) : "disk full or read-only");
        if (s->observer.removed)
                s->observer.removed(service, s->observer.userdata);
        records_forget(s->records, service);
        sockets_forget(s->sockets, service);
        if (service->dirty)
                STAILQ_REMOVE(&s->dirty, service, Service, dirty_entry);
        memmove(&s->services[i], &s->services[i + 1], (s->n_services - i - 1) * sizeof *s->services);
        s->n_services--;
        ports_follow(s->ports);
        service_free(service);
        return 0;
}

/* -- evaluation -- */

static void evaluate_dirty(Supervisor *s) {
        /* What is marked from here on is for the next turn: two services that wait for each other must not spin. */
        STAILQ_HEAD(, Service) now = STAILQ_HEAD_INITIALIZER(now);

        if (s->dirty_since_usec > 0)
                duration_histogram_add(&s->metrics.evaluation_lateness, clock_monotonic_usec() - s->dirty_since_usec);
        s->dirty_since_usec = 0;
        s->is_urgent = false;
        STAILQ_CONCAT(&now, &s->dirty);
        while (!STAILQ_EMPTY(&now)) {
                Service *service = STAILQ_FIRST(&now);

                STAILQ_REMOVE_HEAD(&now, dirty_entry);
                service->dirty = false;
                evaluation_run(service);
        }
}

static int on_evaluate(sd_event_source *source, void *userdata) {
        Supervisor *s = userdata;

        evaluate_dirty(s);
        if (STAILQ_EMPTY(&s->dirty))
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

void supervisor_mark(Service *service) {
        Supervisor *s = service->supervisor;
        uint64_t now_usec = clock_monotonic_usec();

        if (!service->dirty) {
                service->dirty = true;
                STAILQ_INSERT_TAIL(&s->dirty, service, dirty_entry);
        }
        if (s->dirty_since_usec == 0)
                s->dirty_since_usec = now_usec;
        /* A bus that never falls silent must not starve the judgement. */
        if (s->is_urgent || now_usec - s->dirty_since_usec > EVALUATION_DELAY_MAX_USEC)
                (void) sd_event_source_set_priority(s->evaluate, SD_EVENT_PRIORITY_IMPORTANT);
        else
                (void) sd_event_source_set_priority(s->evaluate, EVALUATION_PRIORITY);
        (void) sd_event_source_set_enabled(s->evaluate, SD_EVENT_ON);
}

void supervisor_mark_urgent(Service *service) {
        service->supervisor->is_urgent = true;
        supervisor_mark(service);
}

void supervisor_catch_up(Supervisor *s) {
        if (sockets_catch_up(s->sockets))
                ports_catch_up(s->ports);
        if (sockets_are_late(s->sockets))
                evaluate_dirty(s);
}

void supervisor_save_wanted(Service *service) {
        records_save_wanted(service->supervisor->records, service);
}

void supervisor_save_intention(Service *service, IntentionKind intention) {
        records_save_intention(service->supervisor->records, service, intention);
}

static void on_recheck(Waiter *waiter, void *userdata) {
        (void) userdata;
        supervisor_mark((Service *) (void *) ((char *) waiter - offsetof(Service, recheck)));
}

static const WaitersCallbacks recheck_callbacks = { .on_time = on_recheck };

/* -- memory -- */

static bool anything_is_under_way(const Supervisor *s) {
        for (size_t i = 0; i < s->n_services; i++)
                if (s->services[i]->operation != OPERATION_NONE)
                        return true;
        return false;
}

/* A start of thousands takes longer than the delay, and leaves its own holes. */
static int on_trim(sd_event_source *source, uint64_t usec, void *userdata) {
        Supervisor *s = userdata;

        (void) source;
        (void) usec;
        store_release_memory(s->store);
        prober_release_memory(s->prober);
        (void) malloc_trim(0);
        if (anything_is_under_way(s))
                supervisor_trim_soon(s);
        return 0;
}

void supervisor_trim_soon(Supervisor *s) {
        if (!s->trim)
                (void) sd_event_add_time_relative(s->event, &s->trim, CLOCK_MONOTONIC, TRIM_DELAY_USEC, USEC_PER_SEC,
                                                  on_trim, s);
        else if (sd_event_source_set_time_relative(s->trim, TRIM_DELAY_USEC) >= 0)
                (void) sd_event_source_set_enabled(s->trim, SD_EVENT_ONESHOT);
}

/* -- life -- */

/* A state that goes on over a restart of the server goes on since when it began. */
static void remember_state(Supervisor *s, Service *service) {
        StoredTransition *last = NULL;
        size_t n = 0;
        ServiceState state;

        if (store_load_transitions(s->store, service->definition->name, 1, &last, &n) == 0 && n == 1) {
                state = service_state_from_string(last[0].new_state);
                if ((int) state >= 0) {
                        service->remembered_state = state;
                        service->remembered_since_realtime_usec = last[0].realtime_usec;
                }
        }
        stored_transition_free_list(last, n);
}

static int load_service(Supervisor *s, const StoredService *stored) {
        _cleanup_free_ char *message = NULL;
        ServiceDefinition **list = NULL;
        Service *service;
        size_t n = 0;
        int r;

        if (stored->damaged) {
                /* Nothing is started, stopped or made by what nobody said. Its units run on here too. */
                notice_line(LOG_ERR, NOTICE_SERVICE_DAMAGED,
                            "the stored %s of %s is damaged: something else than hero_proc has changed it; %s is left"
                            " alone until its definition is applied again",
                            stored->damaged, stored->name, stored->name);
                return 0;
        }
        r = service_definition_parse_stored(stored->text, s->options.socket_dir, &list, &n, &message);
        if (r != 0) {
                /* An older server took it. It is left as it is: no word of it is lost, and its units run on. */
                notice_line(LOG_ERR, NOTICE_DEFINITION_UNREADABLE,
                            "the stored definition of %s cannot be read and is left alone: %s", stored->name,
                            r > 0 ? message : strerror(-r));
                return r < 0 ? r : 0;
        }
        r = service_new(s, list[0], stored->wanted_up, stored->actions_down, &service);
        list[0] = NULL;
        service_definition_free_list(list, n);
        if (r < 0)
                return r;
        service->intention = stored->intention;
        if (stored->intention == INTENTION_REMOVE) /* of the removal that is all the store has been told */
                service_set_wanted(service, false);
        service->asked_usec = stored->asked_usec;
        remember_state(s, service);
        healing_load(service);
        return supervisor_add(s, service);
}

static int load_services(Supervisor *s, char **reterr_message) {
        StoredService *stored = NULL;
        size_t n = 0;
        int r = store_load(s->store, &stored, &n);

        if (r == -EUCLEAN && asprintf(reterr_message, "%s: damaged", s->options.store_path) < 0)
                *reterr_message = NULL;
        for (size_t i = 0; r == 0 && i < n; i++)
                r = load_service(s, &stored[i]);
        stored_service_free_list(stored, n);
        return r;
}

int supervisor_new(sd_event *event, const SupervisorOptions *options, Supervisor **ret, char **reterr_message) {
        _cleanup_(supervisor_freep) Supervisor *s = calloc(1, sizeof *s);
        int r;

        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->options = *options;
        s->metrics.started_realtime_usec = clock_realtime_usec();
        STAILQ_INIT(&s->dirty);
        r = store_open(options->store_path, &s->store, reterr_message);
        if (r == 0)
                r = records_new(event, s->store, &s->records);
        if (r == 0)
                r = adoption_new(s, &s->adoption);
        if (r == 0)
                r = systemd_client_new(event, adoption_callbacks(), s->adoption, &s->systemd);
        if (r == 0)
                r = prober_new(event, &(ProberLimits){ PROBES_FRESH_MAX, PROBES_IN_FLIGHT_MAX }, &s->prober);
        if (r == 0)
                prober_set_dialer(s->prober, options->dialer);
        s->hands = (Hands){ event, options->hands };
        if (r == 0)
                r = waiters_new(event, &recheck_callbacks, s, &s->rechecks);
        if (r == 0)
                r = sockets_new(s, &s->sockets);
        if (r == 0)
                r = healing_new(s, &s->healing);
        if (r == 0)
                r = ports_new(s, &s->ports);
        if (r == 0)
                r = sd_event_add_defer(event, &s->evaluate, on_evaluate, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->evaluate, SD_EVENT_OFF);
        if (r >= 0)
                r = load_services(s, reterr_message);
        if (r != 0)
                return r;
        supervisor_trim_soon(s);
        *ret = TAKE_PTR(s);
        return 0;
}

Supervisor *supervisor_free(Supervisor *s) {
        if (!s)
                return NULL;
        s->records = records_free(s->records);
        while (s->n_services > 0)
                service_free(s->services[--s->n_services]);
        free(s->services);
        sd_event_source_disable_unref(s->evaluate);
        sd_event_source_disable_unref(s->trim);
        ports_free(s->ports);
        sockets_free(s->sockets);
        prober_free(s->prober);
        waiters_free(s->rechecks);
        systemd_client_free(s->systemd);
        adoption_free(s->adoption);
        healing_free(s->healing);
        store_close(s->store);
        sd_event_unref(s->event);
        free(s);
        return NULL;
}

void supervisor_set_observer(Supervisor *s, const SupervisorObserver *observer) {
        s->observer = *observer;
}

int supervisor_set_bus(Supervisor *s, sd_bus *bus) {
        s->metrics.n_bus_connections += bus != NULL;
        if (bus)
                return systemd_client_attach(s->systemd, bus);
        systemd_client_detach(s->systemd);
        return 0;
}
