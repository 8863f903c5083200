/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From what happened to the exit code of hero_proc(1). Pure. */

#include "base/outcome.h"
#include "core/reason.h"

/* For the result of a function: 0, an Outcome or a negative errno. */
int exit_code_of_result(int r);

/* What `status` says of a service in that state. */
int exit_code_of_state(ServiceState state);

/* Of two services or steps, the code that stands for both. From harmless to grave:
 *
 *     0 done, 5 degraded, 6 unknown, 3 not running, 1 failed, 4 no such service, 65 invalid definition, 77 not
 *     authorised, 69 server unreachable, 2 usage */
int exit_code_worst(int a, int b);
