/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* With it libc's headers have bodies of their own for what is replaced here, which clang does not let pass. */
#undef _FORTIFY_SOURCE

#include "unit_test.h"

#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "boundary/daemon_loop.h"
#include "faults/fault_injection.h"

enum {
        CALLERS = 100, /* more than sd-event has room for at first */
        EXIT_STATUS = 7,
};

typedef struct Party {
        sd_event *event;
        int callers[CALLERS];
        size_t n_callers, n_heard;
} Party;

static void party_over(Party *p) {
        for (size_t i = 0; i < p->n_callers; i++)
                (void) close(p->callers[i]);
        sd_event_unref(p->event);
}

static int on_call(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Party *p = userdata;
        uint64_t n;

        (void) source;
        (void) events;
        if (read(fd, &n, sizeof n) == sizeof n && ++p->n_heard == p->n_callers)
                (void) sd_event_exit(p->event, EXIT_STATUS);
        return 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        Party *p = userdata;

        (void) source;
        (void) usec;
        return sd_event_exit(p->event, EXIT_STATUS);
}

static bool call_together(Party *p) {
        for (; p->n_callers < CALLERS; p->n_callers++) {
                int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

                if (fd < 0 || sd_event_add_io(p->event, NULL, fd, EPOLLIN, on_call, p) < 0)
                        return false;
                p->callers[p->n_callers] = fd;
        }
        return true;
}

/* A loop without an end is ended by this. */
static int run_without_memory(Party *p, uint64_t n, uint64_t span) {
        int status;

        log_set_max_level(LOG_EMERG);
        alarm(60);
        fault_begin(FAULT_ALLOCATION, n, span);
        status = daemon_loop_run(p->event);
        (void) fault_end();
        alarm(0);
        return status;
}

TEST(a_loop_that_lacks_memory_for_many_events_at_once_hears_them_all) {
        for (uint64_t n = 1, n_failed = 1; n_failed > 0; n++) {
                Party p _cleanup_(party_over) = { 0 };

                ASSERT_EQ(daemon_loop_new(&p.event), 0);
                ASSERT(call_together(&p));
                ASSERT_EQ(run_without_memory(&p, n, 3), EXIT_STATUS);
                ASSERT_EQ(p.n_heard, CALLERS);
                n_failed = fault_plan->n_failed;
                ASSERT(n > 2 || n_failed > 0);
        }
}

TEST(a_timer_that_expired_when_there_was_no_memory_is_heard) {
        for (uint64_t n = 1, n_failed = 1; n_failed > 0; n++) {
                Party p _cleanup_(party_over) = { 0 };

                ASSERT_EQ(daemon_loop_new(&p.event), 0);
                ASSERT(sd_event_add_time_relative(p.event, NULL, CLOCK_MONOTONIC, 0, 1, on_time, &p) >= 0);
                ASSERT_EQ(run_without_memory(&p, n, 3), EXIT_STATUS);
                n_failed = fault_plan->n_failed;
        }
}

TEST(a_loop_that_ends_for_another_reason_says_so) {
        Party p _cleanup_(party_over) = { 0 };

        ASSERT_EQ(daemon_loop_new(&p.event), 0);
        ASSERT_EQ(sd_event_exit(p.event, 0), 0);
        ASSERT_EQ(daemon_loop_run(p.event), EXIT_SUCCESS);
        ASSERT_EQ(daemon_loop_run(p.event), EXIT_FAILURE); /* it has ended */
}
