/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The status of all services of many machines, all asked at the same time. Each has the same time to answer, and none
 * keeps another one's answer from coming. */

#include "boundary/hero_proc_connection.h"

enum {
        /* A process and a handful of files each. */
        FLEET_MEMBERS_MAX = 128,
};

typedef struct FleetAnswer {
        int r;      /* 0, an Outcome or a negative errno */
        char *json; /* with 0: as of hero_proc_client_get_status() */
        char *text; /* else: why there is none; NULL: out of memory */
} FleetAnswer;

/* `answers` has room for `n`, each to be freed with fleet_answer_done(). Negative errno: nobody could be asked. */
int fleet_inquiry_run(const HeroProcTarget *targets, size_t n, uint64_t timeout_usec, FleetAnswer *answers);
void fleet_answer_done(FleetAnswer *a);
