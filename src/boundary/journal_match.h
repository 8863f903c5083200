/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* sd_journal_add_match() for programs that go on where there is no memory. In libsystemd (252 to 256, at least) its way
 * out of that hands NULL to a function that asserts to get none, which aborts the process. Here it is -ENOMEM. */

#include <systemd/sd-journal.h>

/* FIELD=value. After -ENOMEM the journal is good for nothing but sd_journal_close(). */
int journal_match_add(sd_journal *j, const char *field, const char *value);
