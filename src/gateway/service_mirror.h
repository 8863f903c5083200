/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the server says of its services, kept at hand: /metrics, service.status, server-sent events and pages read it
 * without asking. It is fed by the server's signals, and each service is asked for anew, as a whole, when one speaks of
 * it. The moment that the server or the bus is gone everything is unknown, whatever was known before. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boundary/hero_proc_link.h"
#include "core/reason.h"

typedef struct MirrorReason {
        const char *code, *text, *subject;
} MirrorReason;

typedef struct MirrorAction {
        const char *name, *unit, *active_state, *sub_state, *result, *invocation_id, *status_text;
        uint64_t main_pid, n_restarts;
} MirrorAction;

typedef struct MirrorSocket {
        const char *path, *state, *listener_unit;
        uint64_t listener_pid, backlog;
} MirrorSocket;

typedef struct MirrorPort {
        const char *state, *listener_unit, *listener_command;
        uint64_t port, listener_pid, backlog;
} MirrorPort;

typedef struct MirrorAnswer {
        uint32_t latency_usec;
        uint8_t outcome; /* ProbeOutcome */
} MirrorAnswer;

/* Its numbers are those of the last time that the service was asked for: no signal comes for each answer of a probe.
 * See service_mirror_set_watched(). */
typedef struct MirrorProbe {
        const char *name, *state, *last_error;
        uint64_t failures, last_status, latency_usec, checked_usec, p50_usec, p99_usec;
        const MirrorAnswer *recent; /* the last answers, the oldest first */
        size_t n_recent;
} MirrorProbe;

/* One service as the server described it: the fields of `hero_proc --json status`. Strings are never NULL. Valid until
 * the event loop has its next turn. */
typedef struct MirrorService {
        const char *name, *description;
        ServiceState state; /* as it was told; see service_mirror_state() */
        bool wanted_up;
        int ready;                          /* 1, 0, or -1: it has nothing to say about that */
        uint64_t since_usec, observed_usec; /* CLOCK_REALTIME */
        size_t n_reasons, n_actions, n_sockets, n_ports, n_probes;
        const MirrorReason *reasons; /* the leading one first */
        const MirrorAction *actions;
        const MirrorSocket *sockets;
        const MirrorPort *ports; /* that it declares */
        const MirrorProbe *probes;
        bool is_current; /* false: something has changed since, and the answer is on its way; `state` is new already */
        uint64_t change; /* the number of its last change, see service_mirror_change() */
} MirrorService;

typedef struct ServiceMirror ServiceMirror;

/* Told after the fact. Whatever is called from here must not add or remove observers. */
typedef struct MirrorObserver {
        void (*changed)(const MirrorService *s, void *userdata); /* new, or anything about it is another */
        void (*removed)(const char *name, void *userdata);
        /* Of the server: everything is unknown, or known again. Told first of all when it is known whether it is there.
         */
        void (*presence)(bool present, void *userdata);
        void *userdata;
} MirrorObserver;

enum {
        SERVICE_MIRROR_OBSERVERS_MAX = 4,
};

int service_mirror_new(sd_event *event, bool is_user, ServiceMirror **ret);
ServiceMirror *service_mirror_free(ServiceMirror *m);
DEFINE_CLEANUP(ServiceMirror *, service_mirror_free)

int service_mirror_add_observer(ServiceMirror *m, const MirrorObserver *observer);

/* For calls. */
HeroProcLink *service_mirror_link(const ServiceMirror *m);

/* Whether the server is there and all of its services are known. */
bool service_mirror_is_complete(const ServiceMirror *m);
/* Why it is not, in words; "" where it is. */
const char *service_mirror_absence(const ServiceMirror *m);
/* Since when it is complete, or not (CLOCK_REALTIME). */
uint64_t service_mirror_since_usec(const ServiceMirror *m);

/* Sorted by name. Also while the server is away: names and definitions outlive it, states do not. */
const MirrorService *const *service_mirror_services(const ServiceMirror *m, size_t *ret_n);
const MirrorService *service_mirror_find(const ServiceMirror *m, const char *name);
/* The state to show: unknown unless the server is there to say otherwise. */
ServiceState service_mirror_state(const ServiceMirror *m, const MirrorService *s);

/* Counts changes of anything, from 1 up; those newer than a number are the services whose `change` is greater. Where
 * `removal` is greater too, the whole list has to be shown anew. */
uint64_t service_mirror_change(const ServiceMirror *m);
uint64_t service_mirror_removal(const ServiceMirror *m);

/* While somebody looks, each service is asked for every two seconds, so that the numbers of probes move. Counted: each
 * true needs its false. */
void service_mirror_set_watched(ServiceMirror *m, bool watched);
/* Somebody looks once, and may look again: each service is asked for now. */
void service_mirror_refresh(ServiceMirror *m);
