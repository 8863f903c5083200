/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A connection to the server's D-Bus API, org.hero.Proc1, for a client that may block: how a call is made, how what
 * goes wrong is named, and how events get through meanwhile. Must not know what the calls mean: see hero_proc_client.h.
 *
 * Functions return 0, an Outcome, or a negative errno, and in both other cases (but -ENOMEM) a text in *reterr_message.
 * HERO_E_SERVER_UNREACHABLE covers all of: no bus, no server on it, a server that left or does not answer. -ETIMEDOUT
 * comes only from calls that were given a time-out by the caller. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "base/cleanup.h"

typedef struct HeroProcTarget {
        bool is_user;        /* the caller's own server rather than the system's */
        const char *host;    /* over ssh to there; NULL: this machine */
        const char *machine; /* in that container; NULL: this machine */
} HeroProcTarget;

typedef struct HeroProcConnection HeroProcConnection;

int hero_proc_connection_open(const HeroProcTarget *target, HeroProcConnection **ret, char **reterr_message);
/* Speaks over a connection that is set up already; takes a reference. */
int hero_proc_connection_attach(sd_bus *bus, HeroProcConnection **ret);
HeroProcConnection *hero_proc_connection_free(HeroProcConnection *c);
DEFINE_CLEANUP(HeroProcConnection *, hero_proc_connection_free)

/* From now on calls let the server ask for a password, by whichever agent the caller's session has. */
void hero_proc_connection_allow_interaction(HeroProcConnection *c);

/* Something that happened on the server's side. */
typedef struct HeroProcEvent {
        const char *service; /* NULL: the server itself came or went */
        const char *old_state, *new_state, *reason_code;
        bool server_present;
} HeroProcEvent;

typedef void (*HeroProcObserver)(const HeroProcEvent *e, void *userdata);

/* From now on every event is handed to `observer`, from inside whichever function of this file waits. What a call
 * answers is always newer than the events handed over before it returned. */
int hero_proc_connection_observe(HeroProcConnection *c, HeroProcObserver observer, void *userdata,
                                 char **reterr_message);
/* Waits until there was something to handle, at most until `deadline_usec` (CLOCK_MONOTONIC). 0, or -ETIMEDOUT. */
int hero_proc_connection_wait(HeroProcConnection *c, uint64_t deadline_usec, char **reterr_message);

/* For hero_proc_client.c. A call's reply is what `answered` tells of; pending_call_done() forgets an unanswered one. */
typedef struct PendingCall {
        sd_bus_slot *slot;
        sd_bus_message *reply;
        bool *answered;
} PendingCall;

void pending_call_done(PendingCall *p);

int hero_proc_connection_new_call(HeroProcConnection *c, const char *member, sd_bus_message **ret);
/* Sends and returns; `p` must stay where it is until it is done with. Negative errno. */
int hero_proc_connection_send(HeroProcConnection *c, sd_bus_message *call, PendingCall *p);
/* Handles one thing or waits for one. Negative errno, -ETIMEDOUT among them. */
int hero_proc_connection_turn(HeroProcConnection *c, uint64_t deadline_usec);
int hero_proc_connection_call(HeroProcConnection *c, sd_bus_message *call, uint64_t timeout_usec,
                              sd_bus_message **ret_reply, char **reterr_message);
/* For what the server answers from what it knows: silence means that it is not there. */
int hero_proc_connection_call_promptly(HeroProcConnection *c, sd_bus_message *call, sd_bus_message **ret_reply,
                                       char **reterr_message);

/* Each returns the code that belongs to the failure, and writes its text. */
int hero_proc_connection_fail(int r, const char *text, char **reterr_message);
int hero_proc_connection_fail_with_error(const sd_bus_error *e, char **reterr_message);
int hero_proc_connection_fail_with_errno(int r, char **reterr_message);
