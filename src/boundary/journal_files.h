/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The journal of this machine, and whether all of it is read. sd_journal_open(), and whoever then goes through the
 * lines, leaves out without a word each file that it has no memory for: what is left looks like all that there is. */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-journal.h>

/* -ENOMEM: not all of its files could be opened. */
int journal_files_open(sd_journal **ret, uint64_t *ret_n_bytes);
/* Files were dropped since then, for want of memory or because they are damaged. */
bool journal_files_were_lost(sd_journal *j, uint64_t n_bytes);
