/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/http_prober.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/clock.h"
#include "boundary/probe_exchange.h"
#include "boundary/waiters.h"

enum {
        READS_A_TURN = 8, /* then the loop serves others; what is left wakes it again */
        /* At the deadline all that waits in the socket is read before judging: more than an answer may have. */
        READS_AT_DEADLINE = 256,
        /* Begun one after the other before the first of them is asked for its answer, which mostly is there then; more
         * would have the first answer wait, and its latency with it. */
        BEGUN_TOGETHER = 8,
};

#define KNOCK_AGAIN_USEC (25 * USEC_PER_MSEC)
/* By then most have answered; who has not, hangs or is slow, and waiting for him costs no time of ours. */
#define FRESH_USEC (20 * USEC_PER_MSEC)
/* A probe may begin so much later, in hundredths of the time that it was set ahead: those that are due at about the
 * same time wake the server together. */
#define TICK_MAX_USEC (8 * USEC_PER_MSEC)
#define TICK_MIN_USEC (1 * USEC_PER_MSEC)

typedef enum ProbeStage {
        PROBE_IDLE,
        PROBE_SCHEDULED, /* waits for due_usec */
        PROBE_QUEUED,
        PROBE_BEGUN, /* has asked, and is to look for the answer when the others that began with it have asked */
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
        ProbeReach reach; /* no connect: by the definition's path or port */
        bool is_fresh;    /* counted as such */
        Waiter waiter;
        uint64_t due_usec, start_usec, deadline_usec;
        Desk *desk; /* while running */
        ProbeExchange exchange;
};

struct Prober {
        unsigned n_refs;  /* the owner and each probe */
        Waiters *waiters; /* whose turn starts what is queued: done() is thus never called from within probe_start() */
        ProberLimits limits;
        const char *dialer; /* NULL: there is none */
        unsigned n_fresh, n_in_flight, n_queued;
        ProbeRequests requests;
        Desk *desks; /* one for each probe in flight: the first that is free, so that those of a rush lie together */
        uint64_t *desks_taken; /* a bit each */
        TAILQ_HEAD(, Probe) queue, begun;
};

static Probe *probe_of(Waiter *w) {
        return (Probe *) (void *) ((char *) w - offsetof(Probe, waiter));
}

static bool has_room(const Prober *b) {
        return b->n_fresh < b->limits.max_fresh && b->n_in_flight < b->limits.max_in_flight;
}

static bool can_begin(const Prober *b) {
        return !TAILQ_EMPTY(&b->queue) && has_room(b);
}

static void pump_when_needed(Prober *b) {
        if (can_begin(b))
                waiters_ask_for_turn(b->waiters);
}

static Desk *take_desk(Prober *b) {
        unsigned word = 0, bit;

        while (b->desks_taken[word] == UINT64_MAX)
                word++;
        bit = (unsigned) __builtin_ctzll(~b->desks_taken[word]);
        b->desks_taken[word] |= UINT64_C(1) << bit;
        b->n_in_flight++;
        return &b->desks[word * 64 + bit];
}

static void return_desk(Prober *b, Desk *desk) {
        size_t i = (size_t) (desk - b->desks);

        b->desks_taken[i / 64] &= ~(UINT64_C(1) << i % 64);
        b->n_in_flight--;
}

static unsigned count_words(unsigned max_in_flight) {
        return (max_in_flight + 63) / 64;
}

void prober_release_memory(Prober *b) {
        uintptr_t page_bytes = (uintptr_t) sysconf(_SC_PAGESIZE), from, to;
        unsigned n_used = 0;

        for (unsigned word = 0; word < count_words(b->limits.max_in_flight); word++)
                if (b->desks_taken[word] != 0)
                        n_used = word * 64 + 64 - (unsigned) __builtin_clzll(b->desks_taken[word]);
        from = ((uintptr_t) &b->desks[n_used] + page_bytes - 1) / page_bytes * page_bytes;
        to = (uintptr_t) &b->desks[b->limits.max_in_flight] / page_bytes * page_bytes;
        if (from < to) /* a desk is laid anew for each probe: what it held is nobody's */
                (void) madvise((void *) from, to - from, MADV_DONTNEED);
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
        if (p->stage == PROBE_BEGUN)
                TAILQ_REMOVE(&p->prober->begun, p, next);
        if (p->stage == PROBE_QUEUED) {
                take_from_queue(p);
        } else if (p->stage == PROBE_BEGUN || p->stage == PROBE_RUNNING) {
                return_desk(p->prober, p->desk);
                make_room(p);
        }
        p->stage = PROBE_IDLE;

        waiters_await_no_time(p->prober->waiters, &p->waiter);
        probe_exchange_end(&p->exchange);
        waiters_socket_is_closed(p->prober->waiters, &p->waiter);
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

static int watch_socket(Probe *p) {
        uint32_t events = probe_exchange_events(&p->exchange);

        if (p->waiter.fd != p->exchange.fd) /* that to the dialer has made place for what it has sent */
                waiters_socket_is_closed(p->prober->waiters, &p->waiter);
        return events == 0 ? 0 : waiters_await_socket(p->prober->waiters, &p->waiter, p->exchange.fd, events);
}

/* For the deadline, or before it to knock again or make room. */
static void watch_clock(Probe *p) {
        uint64_t at_usec = p->deadline_usec, knock_usec = usec_add(clock_monotonic_usec(), KNOCK_AGAIN_USEC),
                 room_usec = usec_add(p->start_usec, FRESH_USEC);

        if (p->exchange.state == EXCHANGE_KNOCKING && knock_usec < at_usec)
                at_usec = knock_usec;
        if (p->is_fresh && room_usec < at_usec)
                at_usec = room_usec;
        waiters_await_time(p->prober->waiters, &p->waiter, at_usec);
}

/* After each step: reports, or sets up the waiting for the next one. */
static void report_or_wait(Probe *p) {
        if (p->exchange.state != EXCHANGE_DONE) {
                if (watch_socket(p) >= 0) {
                        watch_clock(p);
                        return;
                }
                probe_exchange_abandon(&p->exchange, "the event loop takes no more");
        }
        probe_report(p);
}

static void on_socket(Waiter *waiter, _unused_ void *userdata) {
        Probe *p = probe_of(waiter);

        probe_exchange_go_on(&p->exchange, READS_A_TURN);
        report_or_wait(p);
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

static void on_time(Waiter *waiter, _unused_ void *userdata) {
        Probe *p = probe_of(waiter);
        uint64_t now_usec = clock_monotonic_usec();

        if (p->stage == PROBE_SCHEDULED) {
                enqueue(p);
                return;
        }
        if (now_usec >= usec_add(p->start_usec, FRESH_USEC))
                make_room(p);
        if (now_usec < p->deadline_usec)
                probe_exchange_go_on(&p->exchange, READS_A_TURN);
        else
                give_up(p);
        report_or_wait(p);
}

static void begin_first(Prober *b) {
        Probe *p = TAILQ_FIRST(&b->queue);

        take_from_queue(p);
        p->desk = take_desk(b);
        b->n_fresh++;
        p->is_fresh = true;
        p->stage = PROBE_BEGUN;
        TAILQ_INSERT_TAIL(&b->begun, p, next);
        p->start_usec = clock_monotonic_usec();
        p->deadline_usec = usec_add(p->start_usec, p->exchange.definition->timeout_usec);
        probe_exchange_begin(&p->exchange, &p->reach, b->dialer, &p->desk->parser, &p->desk->result);
}

static void look_for_answers(Prober *b) {
        Probe *p;

        while ((p = TAILQ_FIRST(&b->begun))) {
                TAILQ_REMOVE(&b->begun, p, next);
                p->stage = PROBE_RUNNING;
                if (p->exchange.state == EXCHANGE_TALKING)
                        probe_exchange_go_on(&p->exchange, 1);
                report_or_wait(p);
        }
}

/* Not more than so many a turn: a done() that starts a probe anew which fails at once must not keep the loop for
 * itself. */
static void on_turn(void *userdata) {
        Prober *b = userdata;

        b->n_refs++;
        for (unsigned i = 0; i < b->limits.max_fresh && can_begin(b);) {
                for (unsigned n = 0; n < BEGUN_TOGETHER && i < b->limits.max_fresh && can_begin(b); n++, i++)
                        begin_first(b);
                look_for_answers(b);
        }
        pump_when_needed(b);
        (void) prober_free(b);
}

static const WaitersCallbacks waiters_callbacks = { on_socket, on_time, on_turn };

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
        b->limits = *limits;
        TAILQ_INIT(&b->queue);
        TAILQ_INIT(&b->begun);
        b->desks = calloc(max_in_flight, sizeof(*b->desks));
        b->desks_taken = calloc(count_words(max_in_flight), sizeof(*b->desks_taken));
        if (!b->desks || !b->desks_taken)
                return -ENOMEM;

        r = waiters_new(event, &waiters_callbacks, b, &b->waiters);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b);
        return 0;
}

void prober_set_dialer(Prober *b, const char *path) {
        b->dialer = path;
}

Prober *prober_free(Prober *b) {
        if (!b || --b->n_refs > 0)
                return NULL;
        waiters_free(b->waiters);
        free(b->desks_taken);
        free(b->desks);
        free(b);
        return NULL;
}

int probe_new(Prober *prober, const ProbeDefinition *definition, probe_done_t done, void *userdata, Probe **ret) {
        _cleanup_free_ Probe *p = NULL;
        int r;

        p = calloc(1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        r = waiters_join(prober->waiters, &p->waiter);
        if (r < 0)
                return r;
        r = probe_exchange_init(&p->exchange, definition, &prober->requests);
        if (r < 0) {
                waiters_leave(prober->waiters, &p->waiter);
                return r;
        }
        p->prober = prober;
        prober->n_refs++;
        p->done = done;
        p->userdata = userdata;
        *ret = TAKE_PTR(p);
        return 0;
}

Probe *probe_free(Probe *p) {
        if (!p)
                return NULL;
        probe_stop(p);
        waiters_leave(p->prober->waiters, &p->waiter);
        probe_exchange_done(&p->exchange);
        (void) prober_free(p->prober);
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
        waiters_await_no_time(p->prober->waiters, &p->waiter);
        enqueue(p);
        return 0;
}

static uint64_t next_tick_usec(uint64_t due_usec) {
        uint64_t now_usec = clock_monotonic_usec(), tick_usec = TICK_MAX_USEC;

        if (due_usec <= now_usec || due_usec == USEC_NEVER)
                return due_usec;
        while (tick_usec > TICK_MIN_USEC && due_usec - now_usec < 100 * tick_usec)
                tick_usec /= 2;
        return usec_add(due_usec, tick_usec - 1) / tick_usec * tick_usec;
}

int probe_start_at(Probe *p, uint64_t due_usec) {
        if (probe_in_flight(p))
                return -EALREADY;
        p->due_usec = due_usec;
        p->stage = PROBE_SCHEDULED;
        waiters_await_time(p->prober->waiters, &p->waiter, next_tick_usec(due_usec));
        return 0;
}

void probe_cancel(Probe *p) {
        probe_stop(p);
}

bool probe_in_flight(const Probe *p) {
        return p->stage == PROBE_QUEUED || p->stage == PROBE_BEGUN || p->stage == PROBE_RUNNING;
}

uint64_t probe_next_start_usec(const Probe *p) {
        return p->stage == PROBE_SCHEDULED ? p->due_usec : USEC_NEVER;
}

void prober_count(const Prober *b, unsigned *ret_in_flight, unsigned *ret_queued) {
        *ret_in_flight = b->n_in_flight;
        *ret_queued = b->n_queued;
}
