/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The only file that opens the database: definitions as given, what is wanted, intentions, a bounded history, the boot
 * id and the last probe verdicts. Evidence and wishes, never a status. One connection, WAL, synchronous=FULL.
 *
 * Every write returns only after its commit, and that of a definition when it has left the log: of a log that is
 * damaged, SQLite takes what stands before that and says nothing. HERO_E_STORE_FULL: the disk is full or read-only;
 * nothing was written, and everything that only reads still works. Other failures are negative errno (-EIO, -ENOMEM,
 * -EUCLEAN: damaged). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/outcome.h"

typedef struct Store Store;

typedef enum IntentionKind {
        INTENTION_NONE,
        INTENTION_START,   /* bring up what is wanted up */
        INTENTION_STOP,    /* take it down */
        INTENTION_RESTART, /* down, then up */
        INTENTION_REPLACE, /* the units are being made anew */
        INTENTION_REMOVE,  /* take down and forget */
        INTENTION_REFRESH, /* the units are being told of what changes as they run */
        _INTENTION_MAX,
} IntentionKind;

typedef struct StoredService {
        char *name, *text;       /* the definition's JSON as given */
        bool wanted_up;          /* of the service as a whole */
        char *actions_down;      /* names, separated by blanks, of actions that an operator took down; "" mostly */
        IntentionKind intention; /* what was begun and not finished */
        uint64_t asked_usec;     /* monotonic: when an operator last asked for it, or took it down; 0: nobody did */
        const char *damaged;     /* what of it is not as we wrote it: a word, and all of it in doubt; NULL: nothing */
} StoredService;

/* Opens or creates `path` (its folder is made, 0700) and migrates it by user_version. A newer schema is refused with
 * -EPROTO, a file that is not ours or damaged with -EUCLEAN; *reterr_message (free it) then says what and where.
 * A read-only or full disk is not an error as long as the file can be read. */
int store_open(const char *path, Store **ret, char **reterr_message);
Store *store_close(Store *s);
DEFINE_CLEANUP(Store *, store_close)

/* Lets go of what it has read and would keep in case that it is asked again. */
void store_release_memory(Store *s);

/* All services, by name. Free with stored_service_free_list(). A definition, and whether it is wanted, has a checksum
 * of its own, which is written and read with it; an intention is a word that is known. */
int store_load(Store *s, StoredService **ret, size_t *ret_n);
void stored_service_free_list(StoredService *list, size_t n);

/* Several changes in one transaction, all or nothing: begin, then any of the writes below, then commit (or roll back).
 */
int store_begin(Store *s);
int store_commit(Store *s);
void store_rollback(Store *s);

/* A new service gets wanted_up as said here; an existing one keeps its own. */
int store_put_definition(Store *s, const char *name, const char *text, bool wanted_up);
int store_remove_service(Store *s, const char *name);
int store_set_wanted(Store *s, const char *name, bool wanted_up, const char *actions_down);
int store_set_intention(Store *s, const char *name, IntentionKind intention, uint64_t asked_usec);

/* The boot id last recorded ("" when none), and recording a new one. */
int store_get_boot_id(Store *s, char **ret);
int store_set_boot_id(Store *s, const char *boot_id);

/* A transition for the history; at most 200 a service are kept, the oldest go first. */
int store_add_transition(Store *s, const char *name, uint64_t realtime_usec, const char *old_state,
                         const char *new_state, const char *reason_code, const char *reason_text);
typedef struct StoredTransition {
        uint64_t realtime_usec;
        char *old_state, *new_state, *reason_code, *reason_text;
} StoredTransition;
/* The newest `limit`, newest first. Free with stored_transition_free_list(). */
int store_load_transitions(Store *s, const char *name, unsigned limit, StoredTransition **ret, size_t *ret_n);
void stored_transition_free_list(StoredTransition *list, size_t n);

/* How often a service was restarted by hero_proc itself, so that a restart of the server grants it no new tries.
 * Nothing is stored for one that was not (n_attempts 0): -ENOENT. */
typedef struct StoredHealing {
        unsigned n_attempts;
        bool is_spent;
        uint64_t last_realtime_usec;
} StoredHealing;
int store_put_healing(Store *s, const char *name, const StoredHealing *healing);
int store_get_healing(Store *s, const char *name, StoredHealing *ret);

/* The last verdict of a probe for one invocation (32 hex digits); verdicts of other invocations of that probe are
 * dropped, and all of a service by store_put_definition(). -ENOENT when there is none. *ret_error is to be freed. */
int store_put_verdict(Store *s, const char *service, const char *probe, const char *invocation_id, const char *verdict,
                      const char *error, uint64_t realtime_usec);
int store_get_verdict(Store *s, const char *service, const char *probe, const char *invocation_id, char **ret_verdict,
                      char **ret_error, uint64_t *ret_realtime_usec);
