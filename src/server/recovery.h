/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a server that has just come up makes of each service: a reboot starts what is autostart, a restart of the server
 * touches nothing, and what it had begun when it died is brought to its end. */

#include <systemd/sd-id128.h>

#include "server/supervisor.h"

/* What tells a reboot from a restart of the server. */
typedef struct Recovery {
        sd_id128_t boot;
        char *last_life; /* that the store was last written in; "": it is new */
} Recovery;

/* When the server starts, which must not go on without: a service that a reboot took down would be one that an operator
 * stopped, and stay down for good. */
int recovery_init(Recovery *recovery, Store *store);
void recovery_done(Recovery *recovery);

/* Around the judgements of all services: one transaction, and the boot id. new_life: of the machine (or of the user's
 * manager), so no unit of ours can have survived. A disk that takes no writes lets no transaction begin, and the
 * judgements are made all the same: recovery_end() is told what recovery_begin() returned. */
int recovery_begin(const Recovery *recovery, Supervisor *s, bool *ret_new_life);
void recovery_end(const Recovery *recovery, Supervisor *s, int begun, bool new_life);

/* units_there: its units are known to systemd. */
void recovery_judge(Service *s, bool units_there, bool new_life);
