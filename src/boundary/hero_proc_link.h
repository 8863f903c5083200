/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The server's D-Bus API for a program that lives on when the server or the bus is restarted, and may never wait: the
 * counterpart of hero_proc_connection.h within an event loop. Never starts the server: who stopped it meant it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"

enum {
        HERO_PROC_LINK_CALLS_MAX = 2048,   /* in all; most of them wait for their turn */
        HERO_PROC_LINK_IN_FLIGHT_MAX = 64, /* dbus-daemon allows a connection 128 pending replies */
};

typedef struct HeroProcLink HeroProcLink;
typedef struct HeroProcCall HeroProcCall;

/* What it tells of itself. `present`: the server is on the bus, and new calls are taken; else what it is that is not
 * there, in words. Signals come in the order in which the server sent them, and before the answers that it sent later.
 */
typedef struct HeroProcLinkObserver {
        void (*presence)(bool present, const char *text, void *userdata);
        void (*state_changed)(const char *service, const char *state, void *userdata);
        void (*properties_changed)(const char *service, void *userdata);
        void (*added)(const char *service, void *userdata);
        void (*removed)(const char *service, void *userdata);
        void *userdata;
} HeroProcLinkObserver;

int hero_proc_link_new(sd_event *event, bool is_user, const HeroProcLinkObserver *observer, HeroProcLink **ret);
/* Calls that are not answered fail. */
HeroProcLink *hero_proc_link_free(HeroProcLink *l);
DEFINE_CLEANUP(HeroProcLink *, hero_proc_link_free)

bool hero_proc_link_is_present(const HeroProcLink *l);
/* How often the server or the bus has come back. */
uint64_t hero_proc_link_reconnects(const HeroProcLink *l);

/* A call as data, so that it can be made again. By the signature of the member: "" takes nothing, "st" texts[0] and
 * flags, "stt" the limit between them, "ast" all texts and flags. */
typedef struct HeroProcQuestion {
        const char *member, *signature; /* static */
        const char *const *texts;       /* copied */
        size_t n_texts;
        uint64_t limit, flags;
        uint64_t timeout_usec;
        bool is_prompt;     /* the server answers it from what it knows: silence means that it is not there */
        bool is_repeatable; /* made again where the server was restarted before it answered: it does nothing twice */
        bool awaits_server; /* while the server is away it waits for it, rather than fail at once */
} HeroProcQuestion;

/* r: 0, an Outcome or a negative errno, `message` then says it in words; `reply` is there only with 0. */
typedef struct HeroProcAnswer {
        int r;
        const char *message;
        sd_bus_message *reply;
        bool was_sent; /* a server has, or had, the question */
} HeroProcAnswer;

typedef void (*hero_proc_answered_t)(const HeroProcAnswer *answer, void *userdata);

/* Calls `answered` exactly once, later, unless it is cancelled before. A failure to ask at all comes the same way.
 * -ENOMEM, -ENOBUFS: too many. */
int hero_proc_link_ask(HeroProcLink *l, const HeroProcQuestion *q, hero_proc_answered_t answered, void *userdata,
                       HeroProcCall **ret);
/* The server may do it all the same. */
HeroProcCall *hero_proc_call_cancel(HeroProcCall *c);
