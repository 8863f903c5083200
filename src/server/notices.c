/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/notices.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "boundary/journal_message.h"

/* Never to be changed: journals and rules of administrators hold them. */
static const char *const message_ids[_NOTICE_MAX] = {
        [NOTICE_STORE_UNWRITABLE] = "365fa2678ccf400e84c50161d24df77d",
        [NOTICE_DEFINITION_UNREADABLE] = "4fd93f2dfbad445790cb8ad4eed26be6",
        [NOTICE_SERVICE_DAMAGED] = "74367d2e70894ad19bf913c7dfda74ee",
        [NOTICE_UNITS_REFUSED] = "d5e4a620f80f41bab694a3d4c74ad14e",
        [NOTICE_SERVER_HELD_UP] = "b1e35351c0e347bbbf261d29cbc6a21b",
        [NOTICE_NO_INOTIFY] = "eface9b0e2f94bca9abcc1efc586e836",
};

static int send_line(int level, Notice notice, const char *text) {
        char message[2048 + sizeof "MESSAGE="], id[64], priority[32];
        const char *fields[] = { message, id, priority, "SYSLOG_IDENTIFIER=hero_proc_server" };

        (void) snprintf(message, sizeof message, "MESSAGE=%s", text);
        (void) snprintf(id, sizeof id, "MESSAGE_ID=%s", message_ids[notice]);
        (void) snprintf(priority, sizeof priority, "PRIORITY=%d", level);
        return journal_message_send(fields, ELEMENTSOF(fields));
}

void notice_line(int level, Notice notice, const char *format, ...) {
        char text[2048];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof text, format, ap);
        va_end(ap);
        if (isatty(STDERR_FILENO) || send_line(level, notice, text) < 0)
                log_line(level, "%s", text);
}
