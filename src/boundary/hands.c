/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/hands.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "boundary/errand.h"
#include "boundary/hands_work.h"

#define PATIENCE_USEC (2 * USEC_PER_SEC)

struct HandsCall {
        sd_event_source *answer, *timer;
        hands_done_t done;
        void *userdata;
};

HandsCall *hands_call_free(HandsCall *call) {
        if (!call)
                return NULL;
        sd_event_source_disable_unref(call->answer);
        sd_event_source_disable_unref(call->timer);
        free(call);
        return NULL;
}

static void conclude(HandsCall *call, int r) {
        (void) sd_event_source_set_enabled(call->answer, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(call->timer, SD_EVENT_OFF);
        call->done(call->userdata, r);
}

static int on_answer(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        _cleanup_close_ int unasked = -1;
        int error = 0, r = errand_read_answer(fd, &error, &unasked);

        (void) source;
        (void) events;
        if (r != -EAGAIN)
                conclude(userdata, r < 0 ? r : -error);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source;
        (void) usec;
        conclude(userdata, -ETIMEDOUT);
        return 0;
}

static int call_new(const Hands *h, int connection, HandsCall **ret) {
        _cleanup_(hands_call_freep) HandsCall *call = calloc(1, sizeof(*call));
        int r;

        if (!call)
                return -ENOMEM;
        r = sd_event_add_time_relative(h->event, &call->timer, CLOCK_MONOTONIC, PATIENCE_USEC, 0, on_timer, call);
        if (r >= 0)
                r = sd_event_add_io(h->event, &call->answer, connection, EPOLLIN, on_answer, call);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(call);
        return 0;
}

static int ask(const Hands *h, const HandsQuestion *q, int fd, hands_done_t done, void *userdata, HandsCall **ret) {
        _cleanup_close_ int connection = -1;
        HandsCall *call;
        int r;

        if (!h->path)
                return hands_do(q, fd);
        connection = errand_ask(h->path, q, sizeof(*q), fd);
        if (connection < 0)
                return connection;
        r = call_new(h, connection, &call);
        if (r < 0)
                return r;
        (void) sd_event_source_set_io_fd_own(call->answer, true);
        (void) TAKE_FD(connection);
        call->done = done;
        call->userdata = userdata;
        *ret = call;
        return 1;
}

int hands_give_folder(const Hands *h, int folder, uid_t uid, gid_t gid, hands_done_t done, void *userdata,
                      HandsCall **ret) {
        return ask(h, &(HandsQuestion){ HANDS_GIVE_FOLDER, uid, gid }, folder, done, userdata, ret);
}

int hands_signal(const Hands *h, int pidfd, int signal, hands_done_t done, void *userdata, HandsCall **ret) {
        return ask(h, &(HandsQuestion){ HANDS_SIGNAL, (uint32_t) signal, 0 }, pidfd, done, userdata, ret);
}
