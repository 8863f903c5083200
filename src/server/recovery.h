/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a server that has just come up makes of each service: a reboot starts what is autostart, a restart of the server
 * touches nothing, and what it had begun when it died is brought to its end. */

#include "server/supervisor.h"

/* Around the judgements of all services: one transaction, and the boot id. new_life: of the machine (or of the user's
 * manager), so no unit of ours can have survived. A disk that takes no writes lets no transaction begin, and the
 * judgements are made all the same: recovery_end() is told what recovery_begin() returned. */
int recovery_begin(Supervisor *s, bool *ret_new_life);
void recovery_end(Supervisor *s, int begun, bool new_life);

/* units_there: its units are known to systemd. */
void recovery_judge(Service *s, bool units_there, bool new_life);
