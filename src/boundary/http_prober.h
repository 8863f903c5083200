/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Runs one probe at a time for each Probe object, non-blocking in the event loop: connect, send, read, judge, report.
 * The only file that opens a connection to a service. One absolute deadline a probe; nothing is allocated, forked or
 * logged per probe. Only so many run at once; the rest wait in a queue, first come first served, and the time in the
 * queue does not count against their timeout. A probe that hangs makes room for the next after a moment, so that a few
 * services that hang on everything do not hold up all others. */

#include <netinet/in.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "core/probe_health.h"
#include "core/service_definition.h"

typedef struct Prober Prober;
typedef struct Probe Probe;

typedef struct ProbeResult {
        ProbeOutcome outcome;
        /* "" on pass; else why: "refused", "empty reply", "closed in the body after 2 of 5 bytes", "timed out after
         * 2000 ms in the header", "status 502", … (all of them: tests/unit/http_behaviours.h) */
        char error[120];
        bool nobody_there;     /* fail because nobody listens (no such socket, refused), rather than a wrong answer */
        unsigned status;       /* HTTP status, 0 where none came */
        uint64_t latency_usec; /* from connect() to the complete answer or the failure */
        uint64_t due_usec, began_usec, done_usec; /* monotonic: when it should have begun, and when it did */
} ProbeResult;

/* How a unix socket or port is reached, where that is not the prober's to decide.
 *
 * A unix socket: `connect` is given a fresh non-blocking stream socket and connects it to what is to be asked. 0: done,
 * and it may be asked; -EAGAIN: its accept queue is full, `connect` is called again with the same socket; other
 * negative errno: why it cannot be connected to; 1: it is not to be asked, and outcome, error and nobody_there of
 * *refusal say why. A port: `find` says at which address, IPv4 as ::ffff:; false: as 1. Without it: 127.0.0.1. */
typedef struct ProbeReach {
        int (*connect)(int fd, ProbeResult *refusal, void *userdata);
        bool (*find)(struct in6_addr *ret, ProbeResult *refusal, void *userdata);
        void *userdata;
} ProbeReach;

/* Called from the event loop when a probe is complete; may start or free probes, this one too. */
typedef void (*probe_done_t)(Probe *probe, const ProbeResult *result, void *userdata);

typedef struct ProberLimits {
        unsigned max_fresh; /* begun less than 20 ms ago: so that answers are read when they come, and timed rightly */
        unsigned max_in_flight; /* in all: each is a file descriptor and 2 KiB */
} ProberLimits;

/* Borrows `event` until freed; lives on until its last probe is freed too. -ENOMEM and what sd-event says. */
int prober_new(sd_event *event, const ProberLimits *limits, Prober **ret);
/* TCP connections are made by the hero_proc_dialer that listens at this path from now on; borrowed. */
void prober_set_dialer(Prober *p, const char *path);
Prober *prober_free(Prober *p);
DEFINE_CLEANUP(Prober *, prober_free)

/* Gives back what more probes at once had need of than are in flight now. */
void prober_release_memory(Prober *p);

/* A reusable probe. `definition` is borrowed until probe_free(). The request is built here, once: -EINVAL where
 * the definition does not make one, -E2BIG for an expect_body over HTTP_EXPECT_BODY_MAX. */
int probe_new(Prober *prober, const ProbeDefinition *definition, probe_done_t done, void *userdata, Probe **ret);
/* Cancels what is in flight; done() is not called. NULL is fine. */
Probe *probe_free(Probe *p);
DEFINE_CLEANUP(Probe *, probe_free)

/* How its unix socket is reached from now on; copied, what it points to is used until the end. Without that: by its
 * path, following no link but root's own (socket_path.h). */
void probe_set_reach(Probe *p, const ProbeReach *reach);

/* Starts it, or queues it. 0 when started or queued; -EALREADY when it is in flight already. Local resource failures
 * are not errors here: they come to done() as PROBE_UNKNOWN. */
int probe_start(Probe *p);
/* The same at a time to come (monotonic), unless probe_start() or another probe_start_at() comes before. What the event
 * loop says. */
int probe_start_at(Probe *p, uint64_t due_usec);
/* Also what waits for its time. */
void probe_cancel(Probe *p);
bool probe_in_flight(const Probe *p);
/* When it will start; USEC_NEVER where it is in flight or nothing is set. */
uint64_t probe_next_start_usec(const Probe *p);

/* How many are under way, and how many wait for their turn. */
void prober_count(const Prober *b, unsigned *ret_in_flight, unsigned *ret_queued);
