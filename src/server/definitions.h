/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Takes new definitions, all or nothing, and forgets old ones. */

#include "core/unit_plan_diff.h"
#include "server/supervisor.h"

enum {
        APPLY_DRY_RUN = 1 << 0,
        APPLY_PRUNE = 1 << 1, /* services that are not among them are removed */
};

typedef enum ApplyOutcome { APPLY_CREATED, APPLY_UPDATED, APPLY_UNCHANGED, APPLY_REMOVED } ApplyOutcome;

typedef struct ApplyChange {
        char *name;
        ApplyOutcome outcome;
        UnitPlanChange units; /* of an update */
} ApplyChange;

typedef struct ApplyResult {
        ApplyChange *changes;
        size_t n_changes;
        char *difference; /* for people; what a dry run is for */
} ApplyResult;

void apply_result_done(ApplyResult *r);

/* `texts`: NULL-terminated; each one definition or an array of them. What starts, starts after this returns.
 * HERO_E_INVALID_DEFINITION, HERO_E_DEPENDENCY_CYCLE, HERO_E_BUSY (one of them is being removed), HERO_E_STORE_FULL, or
 * negative errno; then nothing was changed, and *reterr_message (to be freed) may say why. */
int definitions_apply(Supervisor *s, const char *const *texts, unsigned flags, ApplyResult *ret, char **reterr_message);

/* Begins to take the service down and to forget it; it is gone when the observer's removed() was called.
 * HERO_E_INVALID_DEFINITION when another one requires it (*reterr_message names it), HERO_E_STORE_FULL. */
int definitions_remove(Service *s, char **reterr_message);
