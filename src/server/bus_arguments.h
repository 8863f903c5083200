/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the members of the Manager have in common: flags, names, and what is wrong with them. Each function sets
 * reterr_error and returns negative when the argument is not to be had. */

#include <systemd/sd-bus.h>

#include "base/outcome.h"
#include "server/bus_authority.h"
#include "server/bus_waiters.h"
#include "server/reset_failed.h"
#include "server/supervisor.h"

/* Flags of the calls; each member takes those that mean something to it. */
enum {
        FLAG_NO_WAIT = 1 << 0,
        FLAG_DRY_RUN = 1 << 1,
        FLAG_FORCE = 1 << 2,
        FLAG_PRUNE = 1 << 3,
        FLAG_RECENT = 1 << 4, /* GetStatus: with the last answers of each probe */
        FLAG_BRIEF = 1 << 5,  /* GetStatus: what a list of all shows, and no more */
};

/* What a member works on. */
typedef struct BusContext {
        Supervisor *supervisor;
        BusWaiters *waiters;
        Resets *resets;
        BusAuthority *authority;
} BusContext;

int bus_arguments_fail(sd_bus_error *reterr_error, Outcome outcome, const char *text);
int bus_arguments_check_flags(uint64_t flags, uint64_t allowed, sd_bus_error *reterr_error);
int bus_arguments_find_service(const BusContext *c, const char *name, Service **ret, sd_bus_error *reterr_error);
/* Reads `as`: the services that are named, each once; all of them when none is. *ret is to be freed. */
int bus_arguments_read_services(const BusContext *c, sd_bus_message *m, Service ***ret, size_t *ret_n,
                                sd_bus_error *reterr_error);
/* Who is to wait for the end of something must have a place before it begins. */
int bus_arguments_check_room(const BusContext *c, sd_bus_message *m, WaitFor what, sd_bus_error *reterr_error);
/* Changing calls make sense only while systemd can be asked. */
int bus_arguments_check_reachable(const BusContext *c, sd_bus_error *reterr_error);

/* What a call is about, in the form of AuthorityRequest.service; read before its sender is known, so that nobody is
 * asked for a password in vain. Existence is no secret: everyone may list the services. To be freed. */
int bus_arguments_read_subject(const BusContext *c, sd_bus_message *m, char **ret, sd_bus_error *reterr_error);
/* The same of a list: more than a few names are "*", which only a rule for all services grants. */
int bus_arguments_read_subjects(const BusContext *c, sd_bus_message *m, char **ret, sd_bus_error *reterr_error);
/* The bytes of an array of texts. */
int bus_arguments_measure_texts(sd_bus_message *m, size_t *ret);
