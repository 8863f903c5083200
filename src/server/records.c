/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/notices.h"
#include "server/probing.h"

#define FLUSH_DELAY_USEC (50 * USEC_PER_MSEC)
#define RETRY_DELAY_USEC (5 * USEC_PER_SEC)

enum {
        TRANSITIONS_OWED_MAX = 4096, /* beyond it the oldest are dropped: a full disk must not become a full memory */
};

typedef struct OwedTransition {
        STAILQ_ENTRY(OwedTransition) entry;
        uint64_t realtime_usec;
        ServiceState old_state, new_state;
        ReasonCode code;
        char *text;
        char name[]; /* of the service, which may be gone by then */
} OwedTransition;

struct Records {
        Store *store;
        sd_event_source *timer;
        STAILQ_HEAD(, OwedTransition) transitions;
        /* Services whose wanted or intention differs from the store's; on the list by themselves, since what is owed
         * for want of memory must be remembered without any. */
        STAILQ_HEAD(, Service) wishes;
        STAILQ_HEAD(, ServiceProbe) verdicts; /* in the probes themselves: no more than there are of them */
        size_t n_transitions, n_wishes, n_verdicts;
        ManagerLife life; /* "": it is not owed */
        bool failing;
};

static int flush(Records *r);

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source;
        (void) usec;
        (void) flush(userdata);
        return 0;
}

int records_new(sd_event *event, Store *store, Records **ret) {
        Records *r = calloc(1, sizeof *r);
        int e;

        if (!r)
                return -ENOMEM;
        r->store = store;
        STAILQ_INIT(&r->transitions);
        STAILQ_INIT(&r->wishes);
        STAILQ_INIT(&r->verdicts);
        e = sd_event_add_time_relative(event, &r->timer, CLOCK_MONOTONIC, FLUSH_DELAY_USEC, 10 * USEC_PER_MSEC,
                                       on_timer, r);
        if (e < 0) {
                free(r);
                return e;
        }
        *ret = r;
        return 0;
}

static void drop_transition(Records *r, OwedTransition *t) {
        STAILQ_REMOVE(&r->transitions, t, OwedTransition, entry);
        r->n_transitions--;
        free(t->text);
        free(t);
}

static void pop_transition(Records *r) {
        drop_transition(r, STAILQ_FIRST(&r->transitions));
}

static void pop_wish(Records *r) {
        STAILQ_FIRST(&r->wishes)->is_owed = false;
        STAILQ_REMOVE_HEAD(&r->wishes, owed_entry);
        r->n_wishes--;
}

static void pop_verdict(Records *r) {
        records_forget_verdict(r, STAILQ_FIRST(&r->verdicts));
}

Records *records_free(Records *r) {
        if (!r)
                return NULL;
        (void) flush(r);
        while (!STAILQ_EMPTY(&r->transitions))
                pop_transition(r);
        while (!STAILQ_EMPTY(&r->wishes))
                pop_wish(r);
        while (!STAILQ_EMPTY(&r->verdicts))
                pop_verdict(r);
        sd_event_source_disable_unref(r->timer);
        free(r);
        return NULL;
}

/* A flush that is due already is not put off by what comes after. */
static void arm(Records *r, uint64_t delay_usec) {
        int armed = SD_EVENT_OFF;

        if (sd_event_source_get_enabled(r->timer, &armed) >= 0 && armed != SD_EVENT_OFF)
                return;
        (void) sd_event_source_set_time_relative(r->timer, delay_usec);
        (void) sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
}

/* Says once that the disk does not take writes, and once that it does again. */
static void note_result(Records *r, int e) {
        if (e != 0 && !r->failing)
                notice_line(
                        LOG_ERR, NOTICE_STORE_UNWRITABLE,
                        "the store cannot be written (%s): services go on, what is to be remembered is kept in memory",
                        e > 0 ? "disk full or read-only" : strerror(-e));
        else if (e == 0 && r->failing)
                log_notice("the store can be written again");
        r->failing = e != 0;
}

static int write_wish(Records *r, const Service *s) {
        _cleanup_free_ char *down = service_actions_down(s);
        int e;

        if (!down)
                return -ENOMEM;
        e = store_set_wanted(r->store, s->definition->name, service_wants_up(s), down);
        return e != 0 ? e : store_set_intention(r->store, s->definition->name, s->intention, s->asked_usec);
}

static int write_healing(Records *r, const Service *s) {
        uint64_t ago_usec = clock_monotonic_usec() - s->healing.last_attempt_usec;
        const StoredHealing stored = {
                .n_attempts = s->healing.n_attempts,
                .is_spent = s->healing.is_spent,
                .last_realtime_usec = clock_realtime_usec() - ago_usec,
        };

        return store_put_healing(r->store, s->definition->name, &stored);
}

static int write_verdict(Records *r, const ServiceProbe *p) {
        char invocation[33];
        int e;

        probing_invocation(p, invocation);
        e = store_put_verdict(r->store, p->service->definition->name, p->definition->name, invocation,
                              probe_verdict_to_string(p->health.verdict), rare_text_get(&p->error),
                              p->since_realtime_usec);
        return e == -ENOENT ? 0 : e; /* a service that is leaving: one line of it must not hold up all others */
}

static int write_all(Records *r) {
        ServiceProbe *p;
        OwedTransition *t;
        Service *s;
        int e = store_begin(r->store);

        /* With what was made of it: without, the next server would do that again. */
        if (e == 0 && *r->life)
                e = store_set_boot_id(r->store, r->life);
        STAILQ_FOREACH(s, &r->wishes, owed_entry)
        if (e == 0 && (e = write_wish(r, s)) == 0)
                e = write_healing(r, s);
        STAILQ_FOREACH(t, &r->transitions, entry)
        if (e == 0)
                e = store_add_transition(r->store, t->name, t->realtime_usec, service_state_to_string(t->old_state),
                                         service_state_to_string(t->new_state), reason_code_to_string(t->code),
                                         t->text ? t->text : "");
        STAILQ_FOREACH(p, &r->verdicts, owed_entry)
        if (e == 0)
                e = write_verdict(r, p);
        if (e == 0)
                e = store_commit(r->store);
        if (e != 0)
                store_rollback(r->store);
        return e;
}

static size_t n_owed(const Records *r) {
        return r->n_transitions + r->n_wishes + r->n_verdicts + (*r->life != '\0');
}

static int flush(Records *r) {
        int e;

        if (n_owed(r) == 0)
                return 0;
        e = write_all(r);
        note_result(r, e);
        if (e != 0) {
                arm(r, RETRY_DELAY_USEC);
                return e;
        }
        *r->life = '\0';
        while (!STAILQ_EMPTY(&r->transitions))
                pop_transition(r);
        while (!STAILQ_EMPTY(&r->wishes))
                pop_wish(r);
        while (!STAILQ_EMPTY(&r->verdicts))
                pop_verdict(r);
        return 0;
}

void records_flush(Records *r) {
        (void) flush(r);
}

static void arm_for_owed(Records *r) {
        arm(r, r->failing ? RETRY_DELAY_USEC : FLUSH_DELAY_USEC);
}

static void owe_wish(Records *r, Service *s) {
        if (s->is_owed)
                return;
        s->is_owed = true;
        STAILQ_INSERT_TAIL(&r->wishes, s, owed_entry);
        r->n_wishes++;
        arm_for_owed(r);
}

void records_owe_life(Records *r, const ManagerLife life) {
        memcpy(r->life, life, sizeof r->life);
        arm_for_owed(r);
}

void records_owe_all(Records *r, Service *const *services, size_t n) {
        for (size_t i = 0; i < n; i++)
                owe_wish(r, services[i]);
}

void records_save_wanted(Records *r, Service *s) {
        int e = write_wish(r, s);

        note_result(r, e);
        if (e != 0)
                owe_wish(r, s);
}

void records_save_healing(Records *r, Service *s) {
        int e = write_healing(r, s);

        note_result(r, e);
        if (e != 0)
                owe_wish(r, s);
}

void records_save_intention(Records *r, Service *s, IntentionKind intention) {
        if (s->intention == intention)
                return;
        s->intention = intention;
        /* To have forgotten that something ended is harmless for a moment; to have forgotten what was begun is not. */
        if (intention == INTENTION_NONE)
                owe_wish(r, s);
        else
                records_save_wanted(r, s);
}

void records_add_transition(Records *r, const Service *s, ServiceState old, ReasonCode code) {
        const char *name = s->definition->name;
        OwedTransition *t = malloc(sizeof *t + strlen(name) + 1);

        if (!t)
                return;
        *t = (OwedTransition){
                .realtime_usec = s->state_since_realtime_usec,
                .old_state = old,
                .new_state = s->shown_state,
                .code = code,
                .text = s->shown_text ? strdup(s->shown_text) : NULL,
        };
        strcpy(t->name, name);
        STAILQ_INSERT_TAIL(&r->transitions, t, entry);
        if (++r->n_transitions > TRANSITIONS_OWED_MAX)
                pop_transition(r);
        arm_for_owed(r);
}

void records_save_verdict(Records *r, ServiceProbe *p) {
        if (p->is_owed || p->health.verdict == PROBE_VERDICT_NONE || p->health.verdict == PROBE_VERDICT_STALE)
                return;
        p->is_owed = true;
        STAILQ_INSERT_TAIL(&r->verdicts, p, owed_entry);
        r->n_verdicts++;
        arm_for_owed(r);
}

void records_forget_verdict(Records *r, ServiceProbe *p) {
        if (!p->is_owed)
                return;
        p->is_owed = false;
        STAILQ_REMOVE(&r->verdicts, p, ServiceProbe, owed_entry);
        r->n_verdicts--;
}

static void forget_wish(Records *r, Service *s) {
        if (!s->is_owed)
                return;
        s->is_owed = false;
        STAILQ_REMOVE(&r->wishes, s, Service, owed_entry);
        r->n_wishes--;
}

/* The store has no place for the history of a service that it does not know: one line of it would hold up all others.
 */
static void forget_transitions(Records *r, const char *name) {
        OwedTransition *t = STAILQ_FIRST(&r->transitions), *next;

        for (; t; t = next) {
                next = STAILQ_NEXT(t, entry);
                if (strcmp(t->name, name) == 0)
                        drop_transition(r, t);
        }
}

void records_forget(Records *r, Service *s) {
        forget_wish(r, s);
        forget_transitions(r, s->definition->name);
}

bool records_is_writable(const Records *r, size_t *ret_n_owed) {
        *ret_n_owed = n_owed(r);
        return !r->failing;
}
