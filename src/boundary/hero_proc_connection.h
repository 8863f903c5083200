/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A connection to the server's D-Bus API, org.hero.Proc1, for a client that may block: how a call is made, how what
 * goes wrong is named, and how signals get through meanwhile (service_view.h). Must not know what the
 * calls mean: see hero_proc_client.h.
 *
 * Functions return 0, an Outcome, or a negative errno, and in both other cases (but -ENOMEM) a text in *reterr_message.
 * HERO_E_SERVER_UNREACHABLE covers all of: no bus, no server on it, a server that left or does not answer. -ETIMEDOUT
 * comes only from calls that were given a time-out by the caller. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"

#define HERO_PROC_NAME "org.hero.Proc1"
#define HERO_PROC_PATH "/org/hero/Proc1"

typedef struct HeroProcTarget {
        bool is_user;        /* the caller's own server rather than the system's */
        const char *host;    /* over ssh to there; NULL: this machine */
        const char *machine; /* in that container; NULL: this machine */
} HeroProcTarget;

typedef struct HeroProcConnection HeroProcConnection;

int hero_proc_connection_open(const HeroProcTarget *target, HeroProcConnection **ret, char **reterr_message);
/* Speaks over a stream that leads to a bus, which may take its time; takes the descriptor, whatever comes of it.
 * Negative errno. */
int hero_proc_connection_open_fd(int fd, HeroProcConnection **ret);
/* Speaks over a connection that is set up already; takes a reference. */
int hero_proc_connection_attach(sd_bus *bus, HeroProcConnection **ret);
HeroProcConnection *hero_proc_connection_free(HeroProcConnection *c);
DEFINE_CLEANUP(HeroProcConnection *, hero_proc_connection_free)

/* Whether a bus was there at the other end, at least once. */
bool hero_proc_connection_was_through(const HeroProcConnection *c);

/* From now on calls let the server ask for a password, by whichever agent the caller's session has. */
void hero_proc_connection_allow_interaction(HeroProcConnection *c);

/* How long a server may take for what it answers from what it knows, before it counts as away; 25 s until this is
 * called. */
void hero_proc_connection_set_patience(HeroProcConnection *c, uint64_t usec);
uint64_t hero_proc_connection_patience_usec(const HeroProcConnection *c);

/* After that time `alarm` is called, once, by whatever handles the connection. There is one; NULL: none any more. */
void hero_proc_connection_set_alarm(HeroProcConnection *c, uint64_t delay_usec, void (*alarm)(void *userdata),
                                    void *userdata);

/* Waits until there was something to handle, at most until `deadline_usec` (CLOCK_MONOTONIC). 0, or -ETIMEDOUT. */
int hero_proc_connection_wait(HeroProcConnection *c, uint64_t deadline_usec, char **reterr_message);

/* From now on the loop waits, and none of the functions here may any more. `lost` is called once, when the connection
 * has gone; it must not free it. Negative errno. */
int hero_proc_connection_attach_event(HeroProcConnection *c, sd_event *event, void (*lost)(void *userdata),
                                      void *userdata);

/* For hero_proc_client.c and service_view.c. A call's reply is what `answered` tells of; pending_call_done() forgets
 * an unanswered one. */
sd_bus *hero_proc_connection_bus(HeroProcConnection *c); /* borrowed */

typedef struct PendingCall {
        sd_bus_slot *slot;
        sd_bus_message *reply;
        bool *answered;
} PendingCall;

void pending_call_done(PendingCall *p);

int hero_proc_connection_new_call(HeroProcConnection *c, const char *member, sd_bus_message **ret);
int hero_proc_connection_new_object_call(HeroProcConnection *c, const char *path, const char *interface,
                                         const char *member, sd_bus_message **ret);
/* Sends and returns; `p` must stay where it is until it is done with. Negative errno. */
int hero_proc_connection_send(HeroProcConnection *c, sd_bus_message *call, PendingCall *p);
/* Handles one thing or waits for one. Negative errno, -ETIMEDOUT among them. */
int hero_proc_connection_turn(HeroProcConnection *c, uint64_t deadline_usec);
int hero_proc_connection_call(HeroProcConnection *c, sd_bus_message *call, uint64_t timeout_usec,
                              sd_bus_message **ret_reply, char **reterr_message);
/* For what the server answers from what it knows: silence means that it is not there. */
int hero_proc_connection_call_promptly(HeroProcConnection *c, sd_bus_message *call, sd_bus_message **ret_reply,
                                       char **reterr_message);

/* It says that there is no server; what else it may say comes of one that is there, or was. */
bool hero_proc_connection_error_is_absence(const sd_bus_error *e);
/* Each returns the code that belongs to the failure, and writes its text. */
int hero_proc_connection_fail(int r, const char *text, char **reterr_message);
int hero_proc_connection_fail_with_error(const sd_bus_error *e, char **reterr_message);
int hero_proc_connection_fail_with_errno(int r, char **reterr_message);
/* A reply that is not of the form agreed on: another version's server. */
int hero_proc_connection_fail_with_bad_reply(char **reterr_message);
