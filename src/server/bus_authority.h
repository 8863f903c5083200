/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who may do what everyone may not. Asked of the bus (whose call is it?) and, where that does not settle it, of polkit;
 * nothing blocks the loop meanwhile. Any error is a denial. */

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>

#include "base/cleanup.h"

/* polkit's actions; units/org.hero.Proc1.policy tells what each is and who gets it. */
typedef enum AuthorityAction {
        AUTHORITY_MANAGE_SERVICES,    /* start, stop, restart, reset-failed */
        AUTHORITY_MANAGE_DEFINITIONS, /* what runs, as which user: as good as root. Also to see all of it */
        _AUTHORITY_ACTION_MAX,
} AuthorityAction;

/* Carries a call out once its sender has proved to be entitled. That may be minutes after it came: the message is
 * rewound, and everything that it names is to be looked up anew, for it may be gone. Returns what a method handler
 * returns (negative: the error in reterr_error, or errno, becomes the reply). */
typedef int (*authority_allowed_t)(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error);

/* What a call is about. `verb` stays where it is; `service` (polkit's detail of that name) is copied. */
typedef struct AuthorityRequest {
        AuthorityAction action;
        const char *verb;
        const char *service; /* the names, separated by blanks; "*": all, "": none in particular */
        size_t n_bytes;      /* about what the message holds, when that is much */
        authority_allowed_t allowed;
        void *userdata; /* must outlive the connection */
} AuthorityRequest;

typedef struct BusAuthority BusAuthority;

/* With is_user there is no polkit: a user's server is that user's, and root's. */
int bus_authority_new(bool is_user, BusAuthority **ret);
BusAuthority *bus_authority_free(BusAuthority *a);
DEFINE_CLEANUP(BusAuthority *, bus_authority_free)

/* Calls request->allowed, later, or answers NotAuthorized. Returns what a method handler returns. */
int bus_authority_require(BusAuthority *a, sd_bus_message *m, const AuthorityRequest *request);
/* The connection is gone, and with it whoever was asked and whoever waits. */
void bus_authority_drop_all(BusAuthority *a);
