/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tells systemd that the program is ready (Type=notify), again and again until that is sent: it is said once, and a
 * program that was not heard hangs until its start timeout, and is ended then. */

#include <systemd/sd-event.h>

#include "base/cleanup.h"

typedef struct ReadyNotice ReadyNotice;

int ready_notice_new(sd_event *event, ReadyNotice **ret);
ReadyNotice *ready_notice_free(ReadyNotice *n);
DEFINE_CLEANUP(ReadyNotice *, ready_notice_free)

/* With `status` for STATUS=, of some 40 characters; NULL: none. */
void ready_notice_tell(ReadyNotice *n, const char *status);
