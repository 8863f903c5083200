/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "server/service.h"

/* One turn for one service: act on what is due, decide, publish what changed, and see to it that time alone is noticed.
 */
void evaluation_run(Service *s);

/* The text of a reason, for people: what, how, how often. To be freed; NULL on -ENOMEM. */
char *evaluation_reason_text(const Service *s, const Reason *reason);
/* The name of what a reason is about. Borrowed. */
const char *evaluation_reason_subject(const Service *s, const Reason *reason);
