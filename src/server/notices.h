/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What an administrator of the machine can do something about: a line of the log with a MESSAGE_ID, for which
 * catalog/hero_proc.catalog has a page of help (`journalctl -x`). What is about one service's health is an alert, see
 * alerts.h. */

#include "base/log.h"

typedef enum Notice {
        NOTICE_STORE_UNWRITABLE,
        NOTICE_DEFINITION_UNREADABLE,
        NOTICE_SERVICE_DAMAGED,
        NOTICE_UNITS_REFUSED,
        NOTICE_SERVER_HELD_UP,
        NOTICE_NO_INOTIFY,
        _NOTICE_MAX,
} Notice;

/* As log_line(); also that where standard error is a terminal, or the journal does not take it. */
void notice_line(int level, Notice notice, const char *format, ...) _printf_(3, 4);
