/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/folder_gift.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "boundary/service_folder.h"
#include "server/supervisor.h"

enum {
        TRIES_MAX = 3, /* of a helper that hung up: it may have ended just then, and another takes its place */
};

/* What passes is worth another try before the action is started with a folder that is not its user's. */
static bool is_tried_again(const Service *s) {
        return service_step_may_pass(s->gift_error) || (s->gift_error == -ECONNRESET && s->n_gift_tries < TRIES_MAX);
}

static void take_result(Service *s, int r) {
        s->gift_error = r < 0 ? r : 0;
        if (is_tried_again(s))
                service_retry_later(s, s->definition->directory, r);
        else if (r < 0)
                log_warning("%s: %s cannot be given to its user: %s", s->definition->name, s->definition->directory,
                            strerror(-r));
}

static void on_given(void *userdata, int r) {
        Service *s = userdata;

        s->gift = hands_call_free(s->gift);
        take_result(s, r);
        supervisor_mark(s);
}

static int give(Service *s) {
        FolderGift gift;
        int r;

        s->gift = hands_call_free(s->gift);
        s->n_gift_tries++;
        r = service_folder_make(s->definition, &gift);
        if (r <= 0) {
                s->gift_error = r;
                return r;
        }
        r = hands_give_folder(supervisor_hands(s->supervisor), gift.folder, gift.uid, gift.gid, on_given, s, &s->gift);
        (void) close(gift.folder);
        take_result(s, r);
        return 0;
}

int folder_gift_begin(Service *s) {
        s->n_gift_tries = 0;
        return give(s);
}

bool folder_gift_is_over(Service *s) {
        int r = 0;

        if (s->gift || clock_monotonic_usec() < s->retry_at_usec)
                return false;
        if (s->gift_error == 0 || is_tried_again(s)) /* /run may have been swept by hand */
                r = give(s);
        if (service_step_may_pass(r))
                service_retry_later(s, s->definition->directory, r);
        if (s->gift || is_tried_again(s))
                return false;
        s->gift_error = 0; /* it has been tried for this start */
        s->n_gift_tries = 0;
        return true;
}
