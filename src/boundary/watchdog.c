/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "boundary/notify_socket.h"

#define AGAIN_USEC (100 * USEC_PER_MSEC)

enum {
        TIMES_A_PERIOD = 3,
        /* Ahead of all that may keep the loop busy: as long as it turns at all it is alive. */
        WATCHDOG_PRIORITY = SD_EVENT_PRIORITY_IMPORTANT - 100,
};

struct Watchdog {
        NotifySocket socket;
        sd_event_source *timer;
        uint64_t interval_usec;
};

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        const Watchdog *w = userdata;
        int r = notify_socket_send(&w->socket, "WATCHDOG=1");

        (void) usec;
        /* Want of memory, or of room in systemd's queue, is no reason to be taken for dead. */
        (void) sd_event_source_set_time_relative(source, r < 0 ? AGAIN_USEC : w->interval_usec);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

int watchdog_new(sd_event *event, Watchdog **ret) {
        _cleanup_(watchdog_freep) Watchdog *w = NULL;
        const char *address = getenv("NOTIFY_SOCKET");
        uint64_t period_usec;
        int r = sd_watchdog_enabled(0, &period_usec);

        *ret = NULL;
        if (r <= 0 || !address)
                return r;
        w = calloc(1, sizeof *w);
        if (!w)
                return -ENOMEM;
        w->socket = (NotifySocket) NOTIFY_SOCKET_NULL;
        w->interval_usec = period_usec / TIMES_A_PERIOD;
        r = notify_socket_open(address, &w->socket);
        /* Where systemd does not read, the loop must not wait for it. */
        if (r >= 0 && fcntl(w->socket.fd, F_SETFL, O_NONBLOCK) < 0)
                r = -errno;
        if (r >= 0)
                r = sd_event_add_time_relative(event, &w->timer, CLOCK_MONOTONIC, 0, AGAIN_USEC, on_timer, w);
        if (r >= 0)
                r = sd_event_source_set_priority(w->timer, WATCHDOG_PRIORITY);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

Watchdog *watchdog_free(Watchdog *w) {
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->timer);
        notify_socket_done(&w->socket);
        free(w);
        return NULL;
}
