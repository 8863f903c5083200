/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Many who wait, each for a socket, for a time, or for whichever comes first, behind one timer and one descriptor of
 * the event loop. For a probe that is answered at once, sources of its own would cost as much as the probe does: for
 * each source that is dispatched the loop asks the kernel for news, and each is some 300 bytes. */

#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"
#include "core/agenda.h"

typedef struct Waiters Waiters;

typedef struct Waiter {
        AgendaEntry time;
        int fd; /* that is awaited; -1: none is */
        uint32_t events;
} Waiter;

typedef struct WaitersCallbacks {
        void (*on_socket)(Waiter *waiter, void *userdata);
        void (*on_time)(Waiter *waiter, void *userdata); /* it awaits no time any more */
        void (*on_turn)(void *userdata);                 /* after all whose time had come; may be NULL */
} WaitersCallbacks;

/* `callbacks` is borrowed. A callback may free anything, the Waiters too. -ENOMEM and what the kernel and sd-event
 * say. */
int waiters_new(sd_event *event, const WaitersCallbacks *callbacks, void *userdata, Waiters **ret);
Waiters *waiters_free(Waiters *w);
DEFINE_CLEANUP(Waiters *, waiters_free)

/* -ENOMEM. */
int waiters_join(Waiters *w, Waiter *waiter);
void waiters_leave(Waiters *w, Waiter *waiter);

/* In place of any time before. */
void waiters_await_time(Waiters *w, Waiter *waiter, uint64_t at_usec);
void waiters_await_no_time(Waiters *w, Waiter *waiter);

/* EPOLLIN, EPOLLOUT. Goes on until waiters_socket_is_closed(), to be called when it is. What epoll_ctl() says. */
int waiters_await_socket(Waiters *w, Waiter *waiter, int fd, uint32_t events);
void waiters_socket_is_closed(Waiters *w, Waiter *waiter);

/* Has on_turn() called once all else that waits in the event loop has had its turn. */
void waiters_ask_for_turn(Waiters *w);
