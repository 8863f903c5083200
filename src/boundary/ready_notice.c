/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/ready_notice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"

#define AGAIN_USEC (100 * USEC_PER_MSEC)

struct ReadyNotice {
        sd_event_source *again; /* made at once: where telling fails, a timer would as well */
        char text[64];          /* no memory is asked for when it is told */
};

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        const ReadyNotice *n = userdata;

        (void) usec;
        if (sd_notify(0, n->text) >= 0)
                return 0;
        (void) sd_event_source_set_time_relative(source, AGAIN_USEC);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

void ready_notice_tell(ReadyNotice *n, const char *status) {
        (void) snprintf(n->text, sizeof n->text, "READY=1%s%s", status ? "\nSTATUS=" : "", status ? status : "");
        (void) on_time(n->again, 0, n);
}

int ready_notice_new(sd_event *event, ReadyNotice **ret) {
        _cleanup_(ready_notice_freep) ReadyNotice *n = calloc(1, sizeof *n);
        int r;

        if (!n)
                return -ENOMEM;
        r = sd_event_add_time(event, &n->again, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_time, n);
        if (r >= 0)
                r = sd_event_source_set_enabled(n->again, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(n);
        return 0;
}

ReadyNotice *ready_notice_free(ReadyNotice *n) {
        if (!n)
                return NULL;
        sd_event_source_disable_unref(n->again);
        free(n);
        return NULL;
}
