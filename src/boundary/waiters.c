/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/waiters.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"

enum {
        SOCKETS_A_TURN = 16, /* then the loop serves others; those that are left wake it again */
};

#define TIMER_ACCURACY_USEC USEC_PER_MSEC

struct Waiters {
        unsigned n_refs;                   /* the owner, and each callback of the loop that is running */
        const WaitersCallbacks *callbacks; /* NULL: the owner has freed it */
        void *userdata;
        Agenda agenda;
        /* No defer source for a turn: sd-event puts one that is enabled anew before all that was ready meanwhile, and
         * a turn that asks for the next would have the loop for itself. */
        sd_event_source *timer, *sockets;
        uint64_t armed_usec; /* what the timer stands at; USEC_NEVER: it is off */
        bool turn_is_asked;
        int epoll;
        struct epoll_event ready[SOCKETS_A_TURN]; /* those of this turn: from `next` on they still have to be told */
        unsigned n_ready, next;
};

static Waiter *waiter_of(AgendaEntry *e) {
        return (Waiter *) (void *) ((char *) e - offsetof(Waiter, time));
}

/* A timer that wakes too early is left alone: to set it would cost as much. */
static void arm(Waiters *w) {
        const AgendaPlace *first = agenda_first(&w->agenda);
        uint64_t at_usec = w->turn_is_asked ? 0 : first ? first->at_usec : USEC_NEVER;

        if (at_usec >= w->armed_usec)
                return;
        if (sd_event_source_set_time(w->timer, at_usec) >= 0 &&
            sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT) >= 0)
                w->armed_usec = at_usec;
}

static void unref(Waiters *w) {
        if (--w->n_refs > 0)
                return;
        sd_event_source_disable_unref(w->timer);
        sd_event_source_disable_unref(w->sockets);
        cleanup_close(&w->epoll);
        agenda_done(&w->agenda);
        free(w);
}

static int on_timer(_unused_ sd_event_source *s, _unused_ uint64_t usec, void *userdata) {
        Waiters *w = userdata;
        uint64_t now_usec = clock_monotonic_usec();
        const AgendaPlace *first;

        w->n_refs++;
        w->armed_usec = 0; /* nothing that is set meanwhile need arm it: that comes at the end */
        w->turn_is_asked = false;
        while (w->callbacks && (first = agenda_first(&w->agenda)) && first->at_usec <= now_usec) {
                Waiter *waiter = waiter_of(first->entry);

                agenda_unset(&w->agenda, &waiter->time);
                w->callbacks->on_time(waiter, w->userdata);
        }
        if (w->callbacks && w->callbacks->on_turn)
                w->callbacks->on_turn(w->userdata);
        w->armed_usec = USEC_NEVER;
        if (w->callbacks)
                arm(w);
        unref(w);
        return 0;
}

static int on_sockets(_unused_ sd_event_source *s, _unused_ int fd, _unused_ uint32_t revents, void *userdata) {
        Waiters *w = userdata;
        int n = epoll_wait(w->epoll, w->ready, SOCKETS_A_TURN, 0);

        w->n_refs++;
        w->n_ready = n > 0 ? (unsigned) n : 0;
        for (w->next = 0; w->callbacks && w->next < w->n_ready;) {
                Waiter *waiter = w->ready[w->next++].data.ptr;

                if (waiter)
                        w->callbacks->on_socket(waiter, w->userdata);
        }
        w->n_ready = 0;
        unref(w);
        return 0;
}

int waiters_new(sd_event *event, const WaitersCallbacks *callbacks, void *userdata, Waiters **ret) {
        _cleanup_(waiters_freep) Waiters *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->n_refs = 1;
        w->callbacks = callbacks;
        w->userdata = userdata;
        w->armed_usec = USEC_NEVER;
        w->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (w->epoll < 0)
                return -errno;
        r = sd_event_add_io(event, &w->sockets, w->epoll, EPOLLIN, on_sockets, w);
        if (r >= 0)
                r = sd_event_add_time(event, &w->timer, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_USEC, on_timer, w);
        if (r >= 0)
                r = sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

Waiters *waiters_free(Waiters *w) {
        if (!w)
                return NULL;
        w->callbacks = NULL;
        (void) sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(w->sockets, SD_EVENT_OFF);
        unref(w);
        return NULL;
}

int waiters_join(Waiters *w, Waiter *waiter) {
        *waiter = (Waiter){ .fd = -1 };
        return agenda_join(&w->agenda);
}

void waiters_leave(Waiters *w, Waiter *waiter) {
        waiters_socket_is_closed(w, waiter);
        agenda_leave(&w->agenda, &waiter->time);
}

void waiters_await_time(Waiters *w, Waiter *waiter, uint64_t at_usec) {
        agenda_set(&w->agenda, &waiter->time, at_usec);
        arm(w);
}

void waiters_await_no_time(Waiters *w, Waiter *waiter) {
        agenda_unset(&w->agenda, &waiter->time);
}

int waiters_await_socket(Waiters *w, Waiter *waiter, int fd, uint32_t events) {
        struct epoll_event e = { .events = events, .data.ptr = waiter };

        if (waiter->fd == fd && waiter->events == events)
                return 0;
        if (epoll_ctl(w->epoll, waiter->fd == fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) < 0)
                return -errno;
        waiter->fd = fd;
        waiter->events = events;
        return 0;
}

/* The kernel forgets a socket that is closed; what it has told of it already is left out. */
void waiters_socket_is_closed(Waiters *w, Waiter *waiter) {
        if (waiter->fd < 0)
                return;
        waiter->fd = -1;
        for (unsigned i = w->next; i < w->n_ready; i++)
                if (w->ready[i].data.ptr == waiter)
                        w->ready[i].data.ptr = NULL;
}

void waiters_ask_for_turn(Waiters *w) {
        w->turn_is_asked = true;
        arm(w);
}
