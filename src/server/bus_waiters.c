/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/bus_waiters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/outcome.h"
#include "core/json_tree.h"
#include "server/observation.h"
#include "server/probing.h"
#include "server/service_json.h"

enum {
        WAITERS_MAX = 1024,
        /* Anybody may ask for probes: that must leave room for those who may start and stop, and for each other. */
        ASKERS_MAX = 512,
        ASKERS_OF_ONE_MAX = 64,
};

typedef struct BusWaiter {
        STAILQ_ENTRY(BusWaiter) entry;
        sd_bus_message *call;
        Service *service;
        WaitFor what;
} BusWaiter;

struct BusWaiters {
        STAILQ_HEAD(, BusWaiter) list;
        size_t n;
};

int bus_waiters_new(BusWaiters **ret) {
        BusWaiters *w = calloc(1, sizeof *w);

        if (!w)
                return -ENOMEM;
        STAILQ_INIT(&w->list);
        *ret = w;
        return 0;
}

static void waiter_drop(BusWaiters *w, BusWaiter *waiter) {
        STAILQ_REMOVE(&w->list, waiter, BusWaiter, entry);
        w->n--;
        sd_bus_message_unref(waiter->call);
        free(waiter);
}

void bus_waiters_drop_all(BusWaiters *w) {
        while (!STAILQ_EMPTY(&w->list))
                waiter_drop(w, STAILQ_FIRST(&w->list));
}

BusWaiters *bus_waiters_free(BusWaiters *w) {
        if (!w)
                return NULL;
        bus_waiters_drop_all(w);
        free(w);
        return NULL;
}

static bool has_room_to_ask(const BusWaiters *w, const char *sender) {
        const BusWaiter *waiter;
        size_t n = 0, n_own = 0;

        STAILQ_FOREACH(waiter, &w->list, entry) {
                const char *other = sd_bus_message_get_sender(waiter->call);

                if (waiter->what != WAIT_FOR_PROBES)
                        continue;
                n++;
                n_own += sender && other && strcmp(sender, other) == 0;
        }
        return n < ASKERS_MAX && n_own < ASKERS_OF_ONE_MAX;
}

int bus_waiters_check_room(const BusWaiters *w, sd_bus_message *call, WaitFor what) {
        if (w->n >= WAITERS_MAX)
                return -ENOBUFS;
        return what != WAIT_FOR_PROBES || has_room_to_ask(w, sd_bus_message_get_sender(call)) ? 0 : -ENOBUFS;
}

int bus_waiters_add(BusWaiters *w, sd_bus_message *call, Service *s, WaitFor what) {
        BusWaiter *waiter;
        int r = bus_waiters_check_room(w, call, what);

        if (r < 0)
                return r;
        waiter = malloc(sizeof *waiter);
        if (!waiter)
                return -ENOMEM;
        *waiter = (BusWaiter){ .call = sd_bus_message_ref(call), .service = s, .what = what };
        STAILQ_INSERT_TAIL(&w->list, waiter, entry);
        w->n++;
        return 0;
}

static bool is_over(const BusWaiter *waiter) {
        switch (waiter->what) {
        case WAIT_FOR_STATE:
                return observation_is_over(waiter->service);
        case WAIT_FOR_PROBES:
                return probing_is_fresh(waiter->service);
        case WAIT_FOR_REMOVAL:
                return waiter->service->fault !=
                       NULL; /* pinned by something: it is tried again, but not at a caller's expense */
        }
        return false;
}

static int answer_state(const BusWaiter *waiter) {
        const Service *s = waiter->service, *other = observation_restart_waits_for(s);

        /* "running" would be true, and taken for the answer of the new process. */
        if (other)
                return sd_bus_reply_method_errorf(
                        waiter->call, outcome_info(HERO_E_START_FAILED)->dbus_name,
                        "%s: not restarted yet: it is %s as before until %s, which is %s, is running",
                        s->definition->name, service_state_to_string(s->shown_state), other->definition->name,
                        service_state_to_string(other->shown_state));
        return sd_bus_reply_method_return(waiter->call, "s", service_state_to_string(s->shown_state));
}

static void answer(const BusWaiter *waiter) {
        int r;

        if (waiter->what == WAIT_FOR_REMOVAL)
                r = sd_bus_reply_method_errorf(waiter->call, outcome_info(HERO_E_BUSY)->dbus_name,
                                               "%s: cannot be removed yet: %s", waiter->service->definition->name,
                                               waiter->service->fault);
        else if (waiter->what == WAIT_FOR_PROBES) {
                struct json_object *evidence = service_json_evidence(waiter->service);
                _cleanup_free_ char *text = json_tree_text(evidence);

                r = text ? sd_bus_reply_method_return(waiter->call, "s", text) : -ENOMEM;
                json_object_put(evidence);
        } else
                r = answer_state(waiter);
        if (r < 0)
                (void) sd_bus_reply_method_errno(waiter->call, r, NULL);
}

static bool concerns(const BusWaiter *waiter, const Service *judged) {
        return waiter->what == WAIT_FOR_STATE ? observation_concerns(waiter->service, judged)
                                              : waiter->service == judged;
}

void bus_waiters_service_evaluated(BusWaiters *w, Service *s) {
        BusWaiter *next;

        for (BusWaiter *waiter = STAILQ_FIRST(&w->list); waiter; waiter = next) {
                next = STAILQ_NEXT(waiter, entry);
                if (!concerns(waiter, s) || !is_over(waiter))
                        continue;
                answer(waiter);
                waiter_drop(w, waiter);
        }
}

void bus_waiters_service_removed(BusWaiters *w, Service *s) {
        BusWaiter *next;

        for (BusWaiter *waiter = STAILQ_FIRST(&w->list); waiter; waiter = next) {
                next = STAILQ_NEXT(waiter, entry);
                if (waiter->service != s)
                        continue;
                if (waiter->what == WAIT_FOR_REMOVAL)
                        (void) sd_bus_reply_method_return(waiter->call, NULL);
                else
                        (void) sd_bus_reply_method_errorf(waiter->call, outcome_info(HERO_E_NO_SUCH_SERVICE)->dbus_name,
                                                          "%s: removed meanwhile", s->definition->name);
                waiter_drop(w, waiter);
        }
}
