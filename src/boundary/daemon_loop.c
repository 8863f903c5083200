/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/daemon_loop.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

enum {
        RETURNED_BYTES_MIN = 64 * 1024,
        SPARE_BYTES = 16 * 1024, /* that stay when memory is returned; malloc's own are 128 KiB */
};

static int add_signals(sd_event *event) {
        static const int signals[] = { SIGTERM, SIGINT };
        sigset_t mask;

        (void) sigemptyset(&mask);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&mask, signals[i]);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        (void) signal(SIGPIPE, SIG_IGN);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                int r = sd_event_add_signal(event, NULL, signals[i], NULL, NULL); /* ends the loop with 0 */

                if (r < 0)
                        return r;
        }
        return 0;
}

int daemon_loop_new(sd_event **ret) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        int r = sd_event_new(&event);

        if (r >= 0)
                r = add_signals(event);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(event);
        return 0;
}

/* sd-event's own lists grow with what there is to watch, and it gives up a turn where there is no memory for that. What
 * it has not handed out by then it finds again. Only that a timer has expired it was told once: it must not wait then.
 */
static int turn_in_spite_of_memory(sd_event *event) {
        static const struct timespec pause = { .tv_nsec = 10 * 1000 * USEC_PER_MSEC };
        int r = sd_event_run(event, UINT64_MAX);

        if (r == -ENOMEM)
                log_error("no memory for the event loop: trying again");
        while (r == -ENOMEM) {
                (void) nanosleep(&pause, NULL);
                r = sd_event_run(event, 0);
        }
        return r;
}

int daemon_loop_run(sd_event *event) {
        int r, status = 0;

        do
                r = turn_in_spite_of_memory(event);
        while (r >= 0 && sd_event_get_state(event) != SD_EVENT_FINISHED);
        if (r >= 0)
                r = sd_event_get_exit_code(event, &status);
        if (r < 0)
                log_error("the event loop failed: %s", strerror(-r));
        (void) sd_notify(0, "STOPPING=1");
        return r < 0 ? EXIT_FAILURE : status;
}

void daemon_loop_return_memory(void) {
        (void) mallopt(M_MMAP_THRESHOLD, RETURNED_BYTES_MIN);
        (void) mallopt(M_TRIM_THRESHOLD, RETURNED_BYTES_MIN);
        (void) mallopt(M_TOP_PAD, SPARE_BYTES);
}
