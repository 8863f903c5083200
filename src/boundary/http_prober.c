/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/http_prober.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "boundary/probe_exchange.h"

enum {
        READS_A_TURN = 8, /* then the loop serves others; what is left wakes it again */
        /* At the deadline all that waits in the socket is read before judging: more than an answer may have. */
        READS_AT_DEADLINE = 256,
};

#define KNOCK_AGAIN_USEC (25 * USEC_PER_MSEC)
/* By then most have answered; who has not, hangs or is slow, and waiting for him costs no time of ours. */
#define FRESH_USEC (20 * USEC_PER_MSEC)
#define TIMER_ACCURACY_USEC USEC_PER_MSEC

typedef enum ProbeStage {
        PROBE_IDLE,
        PROBE_SCHEDULED, /* its timer waits for due_usec */
        PROBE_QUEUED,
        PROBE_RUNNING,
} ProbeStage;

/* What only a probe that runs has need of. */
typedef struct Desk {
        HttpResponse parser;
        ProbeResult result;
} Desk;

struct Probe {
        Prober *prober;
        probe_done_t done;
        void *userdata;
        ProbeStage stage;
        TAILQ_ENTRY(Probe) next;
        ProbeReach reach;            /* no connect: by the definition's path or port */
        bool is_fresh;               /* counted as such */
        sd_event_source *io, *timer; /* one each for all rounds: off while idle */
        uint64_t due_usec, start_usec, deadline_usec;
        Desk *desk; /* while running */
        ProbeExchange exchange;
};

struct Prober {
        unsigned n_refs; /* the owner and each probe */
        sd_event *event;
        /* Starts what is queued: done() is thus never called from within probe_start(). A timer that is always due, and
         * no defer source: sd-event puts a defer source that is enabled anew before all that was ready meanwhile, and a
         * done() that starts its probe again would have the loop for itself. */
        sd_event_source *pump;
        ProberLimits limits;
        unsigned n_fresh, n_in_flight, n_queued;
        Desk *desks, **free_desks; /* one for each probe in flight; the first max - n_in_flight are free */
        TAILQ_HEAD(, Probe) queue;
};

static bool has_room(const Prober *b) {
        return b->n_fresh < b->limits.max_fresh && b->n_in_flight < b->limits.max_in_flight;
}

static void pump_when_needed(Prober *b) {
        if (!TAILQ_EMPTY(&b->queue) && has_room(b))
                (void) sd_event_source_set_enabled(b->pump, SD_EVENT_ONESHOT);
}

static Desk *take_desk(Prober *b) {
        return b->free_desks[b->limits.max_in_flight - ++b->n_in_flight];
}

static void return_desk(Prober *b, Desk *desk) {
        b->free_desks[b->limits.max_in_flight - b->n_in_flight--] = desk;
}

static void make_room(Probe *p) {
        if (!p->is_fresh)
                return;
        p->is_fresh = false;
        p->prober->n_fresh--;
        pump_when_needed(p->prober);
}

static void take_from_queue(Probe *p) {
        TAILQ_REMOVE(&p->prober->queue, p, next);
        p->prober->n_queued--;
}

static void enqueue(Probe *p) {
        p->stage = PROBE_QUEUED;
        TAILQ_INSERT_TAIL(&p->prober->queue, p, next);
        p->prober->n_queued++;
        pump_when_needed(p->prober);
}

/* Back to idle, whatever it was doing. */
static void probe_stop(Probe *p) {
        if (p->stage == PROBE_QUEUED) {
                take_from_queue(p);
        } else if (p->stage == PROBE_RUNNING) {
                return_desk(p->prober, p->desk);
                make_room(p);
        }
        p->stage = PROBE_IDLE;

        (void) sd_event_source_set_enabled(p->io, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
        probe_exchange_end(&p->exchange);
        pump_when_needed(p->prober);
}

/* `p` may be gone after this. */
static void probe_report(Probe *p) {
        ProbeResult result = p->desk->result;

        result.due_usec = p->due_usec;
        result.began_usec = p->start_usec;
        result.done_usec = clock_monotonic_usec();
        result.latency_usec = result.done_usec - p->start_usec;
        probe_stop(p);
        p->done(p, &result, p->userdata);
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata);

static int watch_socket(Probe *p) {
        uint32_t events = probe_exchange_events(&p->exchange);
        int r;

        if (events == 0)
                return sd_event_source_set_enabled(p->io, SD_EVENT_OFF);
        if (!p->io)
                return sd_event_add_io(p->prober->event, &p->io, p->exchange.fd, events, on_io, p);
        r = sd_event_source_set_io_fd(p->io, p->exchange.fd);
        if (r < 0)
                return r;
        r = sd_event_source_set_io_events(p->io, events);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(p->io, SD_EVENT_ON);
}

/* For the deadline, or before it to knock again or make room. */
static int arm_timer(Probe *p) {
        uint64_t at_usec = p->deadline_usec, knock_usec = usec_add(clock_monotonic_usec(), KNOCK_AGAIN_USEC),
                 room_usec = usec_add(p->start_usec, FRESH_USEC);
        int r;

        if (p->exchange.state == EXCHANGE_KNOCKING && knock_usec < at_usec)
                at_usec = knock_usec;
        if (p->is_fresh && room_usec < at_usec)
                at_usec = room_usec;
        r = sd_event_source_set_time(p->timer, at_usec);
        return r < 0 ? r : sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

/* After each step: reports, or sets up the waiting for the next one. `r`: how the caller's own part of that went. */
static void report_or_wait(Probe *p, int r) {
        if (p->exchange.state != EXCHANGE_DONE) {
                if (r >= 0)
                        r = watch_socket(p);
                if (r >= 0)
                        return;
                probe_exchange_abandon(&p->exchange, "the event loop takes no more");
        }
        probe_report(p);
}

/* The timer is not touched: setting it anew would take back that it has elapsed, and an answer that never stops coming
 * could put off its own deadline for ever. */
static int on_io(_unused_ sd_event_source *s, _unused_ int fd, _unused_ uint32_t revents, void *userdata) {
        Probe *p = userdata;

        probe_exchange_go_on(&p->exchange, READS_A_TURN);
        report_or_wait(p, 0);
        return 0;
}

/* The deadline passed. If it is we who were late, an answer that waits in the socket still counts, and its absence says
 * nothing: for all that time nobody sent the request on, knocked again or made room for more of the answer. */
static void give_up(Probe *p) {
        uint64_t late_usec = clock_monotonic_usec() - p->deadline_usec;

        if (p->exchange.state != EXCHANGE_KNOCKING)
                probe_exchange_go_on(&p->exchange, READS_AT_DEADLINE);
        if (p->exchange.state == EXCHANGE_DONE)
                return;
        if (late_usec > p->exchange.definition->timeout_usec / 2)
                probe_exchange_abandon(&p->exchange, "our own loop was late");
        else
                probe_exchange_give_up(&p->exchange);
}

static int on_timer(_unused_ sd_event_source *s, _unused_ uint64_t usec, void *userdata) {
        Probe *p = userdata;
        uint64_t now_usec = clock_monotonic_usec();

        if (p->stage == PROBE_SCHEDULED) {
                enqueue(p);
                return 0;
        }
        if (now_usec >= usec_add(p->start_usec, FRESH_USEC))
                make_room(p);
        if (now_usec < p->deadline_usec)
                probe_exchange_go_on(&p->exchange, READS_A_TURN);
        else
                give_up(p);
        report_or_wait(p, arm_timer(p));
        return 0;
}

static void probe_begin(Probe *p) {
        const ProbeDefinition *d = p->exchange.definition;

        p->desk = take_desk(p->prober);
        p->prober->n_fresh++;
        p->is_fresh = true;
        p->stage = PROBE_RUNNING;
        p->start_usec = clock_monotonic_usec();
        p->deadline_usec = usec_add(p->start_usec, d->timeout_usec);
        probe_exchange_begin(&p->exchange, &p->reach, &p->desk->parser, &p->desk->result);
        report_or_wait(p, arm_timer(p));
}

/* Not more than so many a turn: a done() that starts a probe anew which fails at once must not keep the loop for
 * itself. */
static int on_pump(_unused_ sd_event_source *s, _unused_ uint64_t usec, void *userdata) {
        Prober *b = userdata;

        b->n_refs++;
        for (unsigned i = 0; i < b->limits.max_fresh && has_room(b); i++) {
                Probe *p = TAILQ_FIRST(&b->queue);

                if (!p)
                        break;
                take_from_queue(p);
                probe_begin(p);
        }
        pump_when_needed(b);
        (void) prober_free(b);
        return 0;
}

int prober_new(sd_event *event, const ProberLimits *limits, Prober **ret) {
        _cleanup_(prober_freep) Prober *b = NULL;
        unsigned max_in_flight = limits->max_in_flight;
        int r;

        if (max_in_flight == 0 || limits->max_fresh == 0)
                return -EINVAL;
        b = calloc(1, sizeof(*b));
        if (!b)
                return -ENOMEM;
        b->n_refs = 1;
        b->event = event;
        b->limits = *limits;
        TAILQ_INIT(&b->queue);
        b->desks = calloc(max_in_flight, sizeof(*b->desks));
        b->free_desks = calloc(max_in_flight, sizeof(Desk *));
        if (!b->desks || !b->free_desks)
                return -ENOMEM;
        for (unsigned i = 0; i < max_in_flight; i++)
                b->free_desks[i] = &b->desks[i];

        r = sd_event_add_time(event, &b->pump, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_USEC, on_pump, b);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(b->pump, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b);
        return 0;
}

Prober *prober_free(Prober *b) {
        if (!b || --b->n_refs > 0)
                return NULL;
        (void) sd_event_source_disable_unref(b->pump);
        free(b->free_desks);
        free(b->desks);
        free(b);
        return NULL;
}

int probe_new(Prober *prober, const ProbeDefinition *definition, probe_done_t done, void *userdata, Probe **ret) {
        _cleanup_(probe_freep) Probe *p = NULL;
        int r;

        p = calloc(1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        p->prober = prober;
        prober->n_refs++;
        p->done = done;
        p->userdata = userdata;
        p->exchange.fd = -1;

        r = probe_exchange_init(&p->exchange, definition);
        if (r < 0)
                return r;
        r = sd_event_add_time(prober->event, &p->timer, CLOCK_MONOTONIC, USEC_NEVER, TIMER_ACCURACY_USEC, on_timer, p);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

Probe *probe_free(Probe *p) {
        if (!p)
                return NULL;
        probe_stop(p);
        (void) sd_event_source_disable_unref(p->io);
        (void) sd_event_source_disable_unref(p->timer);
        (void) prober_free(p->prober);
        probe_exchange_done(&p->exchange);
        free(p);
        return NULL;
}

void probe_set_reach(Probe *p, const ProbeReach *reach) {
        p->reach = *reach;
}

int probe_start(Probe *p) {
        if (probe_in_flight(p))
                return -EALREADY;
        p->due_usec = clock_monotonic_usec();
        (void) sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
        enqueue(p);
        return 0;
}

int probe_start_at(Probe *p, uint64_t due_usec) {
        int r;

        if (probe_in_flight(p))
                return -EALREADY;
        p->due_usec = due_usec;
        p->stage = PROBE_SCHEDULED;
        r = sd_event_source_set_time(p->timer, due_usec);
        return r < 0 ? r : sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

void probe_cancel(Probe *p) {
        probe_stop(p);
}

bool probe_in_flight(const Probe *p) {
        return p->stage == PROBE_QUEUED || p->stage == PROBE_RUNNING;
}

uint64_t probe_next_start_usec(const Probe *p) {
        return p->stage == PROBE_SCHEDULED ? p->due_usec : USEC_NEVER;
}

void prober_count(const Prober *b, unsigned *ret_in_flight, unsigned *ret_queued) {
        *ret_in_flight = b->n_in_flight;
        *ret_queued = b->n_queued;
}
