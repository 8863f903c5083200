/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* hero_proc's own D-Bus API as a client sees it: a function a member of org.hero.Proc1.Manager. What they return in
 * common stands in hero_proc_connection.h. Must not print, and must not know verbs or exit codes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "boundary/hero_proc_connection.h"

enum {
        HERO_PROC_FLAG_NO_BLOCK = 1,
        HERO_PROC_FLAG_DRY_RUN = 2,
        HERO_PROC_FLAG_FORCE = 4,
        HERO_PROC_FLAG_PRUNE = 8,
        HERO_PROC_FLAG_RECENT = 16, /* status: with the last answers of each probe */
        HERO_PROC_FLAG_BRIEF = 32,  /* status: what a list of all shows, and no more */

        /* dbus-daemon allows a connection 128 pending replies. */
        HERO_PROC_CALLS_IN_FLIGHT_MAX = 32,
};

/* `names` is NULL-terminated, and NULL or empty means all services. */
int hero_proc_client_get_status(HeroProcConnection *c, char *const *names, char **ret_json, char **reterr_message);
/* Of all services: name, state, since when, and the leading reason alone; from a server that does not know how to be
 * brief, all of it. */
int hero_proc_client_get_overview(HeroProcConnection *c, char **ret_json, char **reterr_message);
int hero_proc_client_why(HeroProcConnection *c, const char *name, char **ret_json, char **reterr_message);
/* The same in two halves, for a caller that goes on in between: the reply is there once p->answered says so. The status
 * is that of all services. */
int hero_proc_client_send_status(HeroProcConnection *c, PendingCall *p, char **reterr_message);
int hero_proc_client_read_status(PendingCall *p, char **ret_json, char **reterr_message);
int hero_proc_client_send_why(HeroProcConnection *c, const char *name, PendingCall *p, char **reterr_message);
int hero_proc_client_read_why(PendingCall *p, char **ret_json, char **reterr_message);
/* The newest `limit` transitions. */
int hero_proc_client_history(HeroProcConnection *c, const char *name, uint64_t limit, char **ret_json,
                             char **reterr_message);
/* It may have to wait for a password. */
int hero_proc_client_dump(HeroProcConnection *c, uint64_t timeout_usec, char **ret_json, char **reterr_message);
/* NULL-terminated, to be freed with hero_proc_client_free_names(). */
int hero_proc_client_list_names(HeroProcConnection *c, char ***ret, char **reterr_message);
char **hero_proc_client_free_names(char **names);

typedef struct ServiceBrief {
        char *name, *state;
} ServiceBrief;

/* Names and states for somebody who would rather have none than wait: a server that is away is not started, and one
 * that does not answer in time is left alone. 0, an Outcome or a negative errno, without a text. */
int hero_proc_client_peek(HeroProcConnection *c, uint64_t timeout_usec, ServiceBrief **ret, size_t *ret_n);
void service_brief_free_list(ServiceBrief *list, size_t n);
DEFINE_CLEANUP(char **, hero_proc_client_free_names)

/* What was done to one service. */
typedef struct ServiceResult {
        char *service;
        char *outcome; /* e.g. "created", "left-alone" */
        char *reason;  /* NULL where the call gives none */
} ServiceResult;

typedef struct ServiceResults {
        ServiceResult *items;
        size_t n;
        char *difference; /* of apply; else NULL */
} ServiceResults;

void service_results_done(ServiceResults *results);

/* `texts` holds `n` JSON texts, each one service or an array of services. */
int hero_proc_client_apply(HeroProcConnection *c, char *const *texts, size_t n, uint64_t flags, uint64_t timeout_usec,
                           ServiceResults *ret, char **reterr_message);
int hero_proc_client_reset_failed(HeroProcConnection *c, char *const *names, uint64_t flags, uint64_t timeout_usec,
                                  ServiceResults *ret, char **reterr_message);

typedef enum ServiceChange {
        SERVICE_CHANGE_START,
        SERVICE_CHANGE_STOP,
        SERVICE_CHANGE_RESTART,
        SERVICE_CHANGE_REMOVE,
        _SERVICE_CHANGE_MAX,
} ServiceChange;

/* One service of hero_proc_client_change(); all but `name` is filled in there and freed by service_change_call_done().
 */
typedef struct ServiceChangeCall {
        const char *name;
        int r;         /* as of the functions here */
        char *state;   /* reached; NULL on error, "" for a removal */
        char *message; /* on error */
        bool answered;
} ServiceChangeCall;

void service_change_call_done(ServiceChangeCall *call);

/* Makes the change to all services at the same time, since one of them may have to wait for another, and returns once
 * each has its answer or the time is up. `answered` may be read by the observer meanwhile. -ENOMEM, else 0. */
int hero_proc_client_change(HeroProcConnection *c, ServiceChange change, ServiceChangeCall *calls, size_t n,
                            uint64_t flags, uint64_t timeout_usec);
