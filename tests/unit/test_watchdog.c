/* SPDX-License-Identifier: LGPL-2.1-or-later */

#undef _FORTIFY_SOURCE /* as in test_daemon_loop.c */

#include "unit_test.h"

#include <sys/un.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "boundary/watchdog.h"
#include "faults/fault_injection.h"

#define PERIOD "30000000" /* µs: longer than the test takes by far */
#define PATIENCE_USEC (5 * USEC_PER_SEC)

enum {
        LOST = 5, /* words in a row: more than a period has */
        HEARD = 7,
        NOT_HEARD,
};

static int on_word(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        (void) source;
        (void) fd;
        (void) events;
        return sd_event_exit(userdata, HEARD);
}

static int on_patience_over(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source;
        (void) usec;
        return sd_event_exit(userdata, NOT_HEARD);
}

/* In systemd's place; a name that the kernel makes up, told to whoever speaks. */
static int listen_for_words(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        socklen_t n = sizeof address;
        char text[sizeof address.sun_path + 1] = "";
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof address.sun_family) < 0 ||
            getsockname(fd, (struct sockaddr *) &address, &n) < 0)
                return -errno;
        memcpy(text, address.sun_path, n - offsetof(struct sockaddr_un, sun_path));
        text[0] = '@';
        return setenv("NOTIFY_SOCKET", text, 1) < 0 || setenv("WATCHDOG_USEC", PERIOD, 1) < 0 ? -errno : fd;
}

TEST(a_word_that_is_lost_is_said_again_at_once) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(watchdog_freep) Watchdog *w = NULL;
        _cleanup_close_ int fd = listen_for_words();
        int status;

        ASSERT(fd >= 0);
        ASSERT(sd_event_new(&event) >= 0);
        ASSERT(sd_event_add_io(event, NULL, fd, EPOLLIN, on_word, event) >= 0);
        ASSERT(sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, PATIENCE_USEC, 1, on_patience_over, event) >=
               0);
        ASSERT_EQ(watchdog_new(event, &w), 0);
        ASSERT(w);
        fault_begin(FAULT_ERROR, 1, LOST);
        status = sd_event_loop(event);
        (void) fault_end();
        ASSERT_EQ(status, HEARD);
        ASSERT_EQ(fault_plan->n_failed, LOST);
}
