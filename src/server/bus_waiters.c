/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/bus_waiters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
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

/* From an answer for which there was no memory to the next try. */
#define ANSWER_AGAIN_USEC (100 * USEC_PER_MSEC)

typedef struct BusWaiter {
        STAILQ_ENTRY(BusWaiter) entry;
        sd_bus_message *call;
        Service *service; /* NULL: it is gone, and the answer is owed */
        WaitFor what;
        bool is_owed; /* an answer that could not be made */
} BusWaiter;

struct BusWaiters {
        STAILQ_HEAD(, BusWaiter) list;
        size_t n;
        sd_event_source *again; /* made at once: where an answer fails, a timer would as well */
};

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
        sd_event_source_disable_unref(w->again);
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

static int answer_probes(const BusWaiter *waiter) {
        struct json_object *evidence = service_json_evidence(waiter->service);
        _cleanup_free_ char *text = json_tree_text(evidence);

        json_object_put(evidence);
        return text ? sd_bus_reply_method_return(waiter->call, "s", text) : -ENOMEM;
}

static int answer_removed(const BusWaiter *waiter) {
        const char *name;
        int r;

        if (waiter->what == WAIT_FOR_REMOVAL)
                return sd_bus_reply_method_return(waiter->call, NULL);
        /* Each call that waits has it first. */
        r = sd_bus_message_rewind(waiter->call, 1);
        if (r >= 0)
                r = sd_bus_message_read(waiter->call, "s", &name);
        return r < 0 ? r
                     : sd_bus_reply_method_errorf(waiter->call, outcome_info(HERO_E_NO_SUCH_SERVICE)->dbus_name,
                                                  "%s: removed meanwhile", name);
}

static int answer_truly(const BusWaiter *waiter) {
        if (!waiter->service)
                return answer_removed(waiter);
        if (waiter->what == WAIT_FOR_REMOVAL)
                return sd_bus_reply_method_errorf(waiter->call, outcome_info(HERO_E_BUSY)->dbus_name,
                                                  "%s: cannot be removed yet: %s", waiter->service->definition->name,
                                                  waiter->service->fault);
        return waiter->what == WAIT_FOR_PROBES ? answer_probes(waiter) : answer_state(waiter);
}

/* An answer for which there is no memory is made a little later: whoever waits would take silence for a server that
 * hangs, and an error for a change that was not made. */
static void answer(BusWaiters *w, BusWaiter *waiter) {
        int r = answer_truly(waiter);

        waiter->is_owed = service_step_may_pass(r);
        if (waiter->is_owed) {
                (void) sd_event_source_set_time_relative(w->again, ANSWER_AGAIN_USEC);
                (void) sd_event_source_set_enabled(w->again, SD_EVENT_ONESHOT);
                return;
        }
        if (r < 0)
                (void) sd_bus_reply_method_errno(waiter->call, r, NULL);
        waiter_drop(w, waiter);
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata) {
        BusWaiters *w = userdata;
        BusWaiter *next;

        (void) source;
        (void) usec;
        for (BusWaiter *waiter = STAILQ_FIRST(&w->list); waiter; waiter = next) {
                next = STAILQ_NEXT(waiter, entry);
                if (waiter->is_owed)
                        answer(w, waiter);
        }
        return 0;
}

int bus_waiters_new(sd_event *event, BusWaiters **ret) {
        _cleanup_(bus_waiters_freep) BusWaiters *w = calloc(1, sizeof *w);
        int r;

        if (!w)
                return -ENOMEM;
        STAILQ_INIT(&w->list);
        r = sd_event_add_time(event, &w->again, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_again, w);
        if (r >= 0)
                r = sd_event_source_set_enabled(w->again, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

static bool concerns(const BusWaiter *waiter, const Service *judged) {
        return waiter->what == WAIT_FOR_STATE ? observation_concerns(waiter->service, judged)
                                              : waiter->service == judged;
}

void bus_waiters_service_evaluated(BusWaiters *w, Service *s) {
        BusWaiter *next;

        for (BusWaiter *waiter = STAILQ_FIRST(&w->list); waiter; waiter = next) {
                next = STAILQ_NEXT(waiter, entry);
                if (waiter->service && concerns(waiter, s) && is_over(waiter))
                        answer(w, waiter);
        }
}

void bus_waiters_service_removed(BusWaiters *w, Service *s) {
        BusWaiter *next;

        for (BusWaiter *waiter = STAILQ_FIRST(&w->list); waiter; waiter = next) {
                next = STAILQ_NEXT(waiter, entry);
                if (waiter->service != s)
                        continue;
                waiter->service = NULL;
                answer(w, waiter);
        }
}
