/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A socket or port that goes bad while its process counts as up may be the first sign of a stop or a death, of which
 * systemd's own word is still on its way. Until that has come it is not called dead: the service would be shown failed
 * for some milliseconds, which it never was. */

#include "server/service.h"

/* Sets *until_usec, the doubt_until_usec of a socket or port of `owner` (NULL: no one action's), or leaves it alone
 * where nothing is to be awaited. Of a death that has happened systemd will tell; else it is asked whether it knows of
 * a stop, and its answer ends the doubt. */
void death_doubt_raise(Action *owner, uint64_t *until_usec);
/* The same where its process has died, and nobody is asked otherwise: of a probe that failed while its socket is alive.
 */
void death_doubt_raise_of_dead(Action *owner, uint64_t *until_usec);
