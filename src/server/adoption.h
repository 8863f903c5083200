/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Keeps what we know of units true to what systemd says: follows its signals, and lists, compares and reads what
 * differs whenever signals may have been missed (first connection, daemon-reload, re-execution, a new bus). On the
 * first pass it adopts: nothing that runs is touched. */

#include "boundary/systemd_client.h"
#include "server/supervisor.h"

typedef struct Adoption Adoption;

int adoption_new(Supervisor *s, Adoption **ret);
Adoption *adoption_free(Adoption *a);
DEFINE_CLEANUP(Adoption *, adoption_free)

const SystemdCallbacks *adoption_callbacks(void);

/* Everything has been compared since the connection came up. */
bool adoption_is_done(const Adoption *a);
/* … or since the server came up, on whatever connection. */
bool adoption_was_done(const Adoption *a);
/* The server was held up (stopped, starved): the signals that it finds in its queue tell one after the other what was
 * so, and only a list what is. Until that is there nothing is claimed; requests are taken all the same. */
void adoption_look_again(Adoption *a);
bool adoption_is_in_doubt(const Adoption *a);

/* That a failure is the end of a stop shows by time alone: systemd does not try again. To be asked at each evaluation.
 */
void adoption_follow_time(const Adoption *a, Service *s);

/* Called once, when the first comparison is complete; the server is of use from then on. */
void adoption_set_ready(Adoption *a, void (*ready)(void *userdata), void *userdata);
