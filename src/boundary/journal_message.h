/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* One message of several fields for the journal, in its own protocol: what an administrator can search for, and
 * `journalctl -x` explains by its MESSAGE_ID. Never waits: a journal that is stopped or overrun loses the message
 * rather than stopping us.
 *
 * `fields`: n strings "NAME=value"; a value ends at its first newline. -EAGAIN: the journal takes no more. */
int journal_message_send(const char *const *fields, size_t n);
