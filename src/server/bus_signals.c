/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/bus_signals.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "server/bus_service.h"

/* From a signal for which there was no memory to the next try. */
#define TELL_AGAIN_USEC (100 * USEC_PER_MSEC)

/* In the order in which they are told: of what was not added nothing is heard. */
typedef enum OwedSignal {
        SIGNAL_ADDED = 1 << 0,
        SIGNAL_REDEFINED = 1 << 1,
        SIGNAL_STATE = 1 << 2,
        SIGNAL_PROPERTIES = 1 << 3,
        SIGNAL_END = 1 << 4,
} OwedSignal;

struct BusSignals {
        Supervisor *supervisor;
        sd_bus *bus;            /* borrowed; NULL: none */
        sd_event_source *again; /* made at once: where a signal fails, a timer would as well */
};

/* A queue that is full is one that the bus does not read just now. */
static bool may_pass(int r) {
        return service_step_may_pass(r) || r == -ENOBUFS;
}

static int emit_state(const BusSignals *b, Service *s) {
        ReasonCode code = s->n_shown > 0 ? (ReasonCode) s->shown[0].code : REASON_NONE;
        int r;

        if (s->told_state == s->shown_state)
                return 0;
        r = sd_bus_emit_signal(b->bus, BUS_MANAGER_PATH, BUS_MANAGER_INTERFACE, "StateChanged", "ssss",
                               s->definition->name, service_state_to_string(s->told_state),
                               service_state_to_string(s->shown_state), reason_code_to_string(code));
        if (r >= 0)
                s->told_state = s->shown_state;
        return r;
}

static int emit(const BusSignals *b, Service *s, OwedSignal signal) {
        char path[BUS_SERVICE_PATH_MAX];

        switch (signal) {
        case SIGNAL_ADDED:
                bus_service_path(s->definition->name, path);
                return sd_bus_emit_object_added(b->bus, path);
        case SIGNAL_REDEFINED:
                return bus_service_emit_redefined(b->bus, s);
        case SIGNAL_STATE:
                return emit_state(b, s);
        case SIGNAL_PROPERTIES:
                return bus_service_emit_changed(b->bus, s);
        case SIGNAL_END:
                break;
        }
        return 0;
}

static void forget(Service *s) {
        s->owed_signals = 0;
        s->told_state = s->shown_state;
}

static void tell(const BusSignals *b, Service *s, unsigned signals) {
        if (!b->bus) {
                forget(s);
                return;
        }
        s->owed_signals |= signals;
        for (unsigned signal = SIGNAL_ADDED; signal < SIGNAL_END; signal <<= 1) {
                if (!(s->owed_signals & signal))
                        continue;
                if (may_pass(emit(b, s, signal))) {
                        (void) sd_event_source_set_time_relative(b->again, TELL_AGAIN_USEC);
                        (void) sd_event_source_set_enabled(b->again, SD_EVENT_ONESHOT);
                        return;
                }
                s->owed_signals &= ~signal;
        }
}

void bus_signals_changed(BusSignals *b, Service *s) {
        tell(b, s, SIGNAL_STATE | SIGNAL_PROPERTIES);
}

void bus_signals_added(BusSignals *b, Service *s) {
        tell(b, s, SIGNAL_ADDED);
}

void bus_signals_redefined(BusSignals *b, Service *s) {
        tell(b, s, SIGNAL_REDEFINED);
}

int bus_signals_leaving(const BusSignals *b, const Service *s) {
        char path[BUS_SERVICE_PATH_MAX];
        int r;

        if (!b->bus)
                return 0;
        bus_service_path(s->definition->name, path);
        r = sd_bus_emit_object_removed(b->bus, path);
        return may_pass(r) ? r : 0;
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata) {
        const BusSignals *b = userdata;
        size_t n;
        Service *const *services = supervisor_services(b->supervisor, &n);

        (void) source;
        (void) usec;
        for (size_t i = 0; i < n; i++)
                if (services[i]->owed_signals != 0)
                        tell(b, services[i], 0);
        return 0;
}

void bus_signals_set_bus(BusSignals *b, sd_bus *bus) {
        size_t n;
        Service *const *services = supervisor_services(b->supervisor, &n);

        b->bus = bus;
        for (size_t i = 0; i < n; i++)
                forget(services[i]);
}

int bus_signals_new(Supervisor *s, BusSignals **ret) {
        _cleanup_(bus_signals_freep) BusSignals *b = calloc(1, sizeof *b);
        int r;

        if (!b)
                return -ENOMEM;
        b->supervisor = s;
        r = sd_event_add_time(supervisor_event(s), &b->again, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_again, b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->again, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b);
        return 0;
}

BusSignals *bus_signals_free(BusSignals *b) {
        if (!b)
                return NULL;
        sd_event_source_disable_unref(b->again);
        free(b);
        return NULL;
}
