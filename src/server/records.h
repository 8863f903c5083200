/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the server writes of its own accord: wishes and intentions at once, because a crash may follow; history and
 * cleared intentions a moment later and many at a time, because each commit waits for the disk. A disk that is full or
 * read-only stops nothing: what could not be written is owed, logged once, and tried again. */

#include "server/service.h"

typedef struct Records Records;

/* The life that units live, in words: the kernel's boot, and the PID 1 or user manager in it. */
typedef char ManagerLife[64];

int records_new(sd_event *event, Store *store, Records **ret);
/* Writes what is still owed. */
Records *records_free(Records *r);
DEFINE_CLEANUP(Records *, records_free)

void records_save_wanted(Records *r, Service *s);
void records_save_intention(Records *r, Service *s, IntentionKind intention);
/* How often hero_proc restarted it: at once, so that a server that is lost does not try without end. */
void records_save_healing(Records *r, Service *s);
/* Something undid what was written of these services (a transaction that could not be committed): their wishes and
 * intentions are owed again. */
void records_owe_all(Records *r, Service *const *services, size_t n);
/* The same of the life that is stored. */
void records_owe_life(Records *r, const ManagerLife life);
void records_add_transition(Records *r, const Service *s, ServiceState old, ReasonCode code);
/* The verdict of a probe changed. Written later as it is then: of many changes only the last. */
void records_save_verdict(Records *r, ServiceProbe *p);
/* It is about to be freed. `r` may be NULL. */
void records_forget_verdict(Records *r, ServiceProbe *p);
/* Writes now what would have been written in a moment. */
void records_flush(Records *r);
/* The service is about to be freed: nothing is owed for it any more. */
void records_forget(Records *r, Service *s);
/* Whether the store takes writes, as far as is known; *ret_n_owed: changes not yet written. */
bool records_is_writable(const Records *r, size_t *ret_n_owed);
