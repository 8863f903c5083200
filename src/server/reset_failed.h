/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* `reset-failed`: asks every probe of the named services now, restarts only what proves broken, leaves the healthy
 * alone, never touches what an operator stopped. A second run right after does nothing. */

#include "server/supervisor.h"

enum {
        RESET_DRY_RUN = 1 << 0,
        RESET_FORCE = 1 << 1, /* the healthy too */
};

typedef enum ResetOutcome {
        RESET_PENDING,
        RESET_RESTARTED,
        RESET_LEFT_ALONE,
        RESET_STILL_FAILED,
        RESET_SKIPPED,
        _RESET_OUTCOME_MAX,
        RESET_OUTCOME_INVALID = -EINVAL,
} ResetOutcome;

DECLARE_STRING_TABLE(ResetOutcome, reset_outcome)

typedef struct ResetRow {
        char *name;
        ResetOutcome outcome;
        char *reason;
        bool restarting;
} ResetRow;

typedef struct ResetRun ResetRun;
typedef void (*reset_done_t)(const ResetRow *rows, size_t n, void *userdata);

/* The runs under way; one object a server. */
typedef struct Resets Resets;
int resets_new(Supervisor *s, Resets **ret);
Resets *resets_free(Resets *r);
DEFINE_CLEANUP(Resets *, resets_free)

/* Takes up a run over these services; done() comes at most once, perhaps at once. Then, or when the run is dropped, it
 * gives userdata to free_userdata() (may be NULL). -ENOMEM: userdata was not taken. */
int resets_start(Resets *r, Service *const *services, size_t n, unsigned flags, reset_done_t done,
                 void (*free_userdata)(void *userdata), void *userdata);
/* Who asked is gone: what has not been begun yet is not begun. */
void resets_drop_all(Resets *r);

/* To be told by the observer. */
void resets_service_evaluated(Resets *r, Service *s);
void resets_service_removed(Resets *r, const Service *s);
