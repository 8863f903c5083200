/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "boundary/waiters.h"

enum {
        N = 4,
};

/* A room of waiters that note what they are told, and may leave each other's place. */
typedef struct Room {
        sd_event *event;
        Waiters *waiters;
        Waiter all[N];
        bool is_in[N];
        int pairs[N][2];
        char told[64];            /* "t2s0": the time of 2, then the socket of 0; "." a turn */
        int on_first_socket_drop; /* -1: nobody */
        unsigned n_turns_left;
} Room;

static void note(Room *room, char what, const Waiter *w) {
        size_t n = strlen(room->told);

        if (n + 2 < sizeof(room->told)) {
                room->told[n] = what;
                if (w)
                        room->told[n + 1] = (char) ('0' + (w - room->all));
        }
}

static void drop(Room *room, size_t i) {
        if (!room->is_in[i])
                return;
        room->is_in[i] = false;
        (void) close(room->pairs[i][0]);
        (void) close(room->pairs[i][1]);
        waiters_leave(room->waiters, &room->all[i]);
}

static void on_socket(Waiter *w, void *userdata) {
        Room *room = userdata;
        char byte;

        note(room, 's', w);
        ASSERT(recv(w->fd, &byte, 1, MSG_DONTWAIT) == 1);
        for (size_t i = 0; i < N; i++)
                if (room->on_first_socket_drop == (int) i && w != &room->all[i])
                        drop(room, i);
}

static void on_time(Waiter *w, void *userdata) {
        note(userdata, 't', w);
}

static void on_turn(void *userdata) {
        Room *room = userdata;

        note(room, '.', NULL);
        if (room->n_turns_left > 0 && --room->n_turns_left > 0)
                waiters_ask_for_turn(room->waiters);
}

static const WaitersCallbacks callbacks = { on_socket, on_time, on_turn };

static void room_init(Room *room) {
        *room = (Room){ .on_first_socket_drop = -1 };
        ASSERT(sd_event_new(&room->event) >= 0);
        ASSERT_EQ(waiters_new(room->event, &callbacks, room, &room->waiters), 0);
        for (size_t i = 0; i < N; i++) {
                ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, room->pairs[i]), 0);
                ASSERT_EQ(waiters_join(room->waiters, &room->all[i]), 0);
                room->is_in[i] = true;
        }
}

static void room_done(Room *room) {
        for (size_t i = 0; i < N; i++)
                drop(room, i);
        waiters_free(room->waiters);
        sd_event_unref(room->event);
}

static void run(Room *room, uint64_t usec) {
        uint64_t end_usec = clock_monotonic_usec() + usec;

        while (clock_monotonic_usec() < end_usec)
                ASSERT(sd_event_run(room->event, end_usec - clock_monotonic_usec()) >= 0);
}

TEST(times_come_in_their_order_and_one_that_is_set_anew_or_not_awaited_any_more_only_as_last_said) {
        Room room _cleanup_(room_done);
        uint64_t now_usec;

        room_init(&room);
        now_usec = clock_monotonic_usec();
        waiters_await_time(room.waiters, &room.all[0], now_usec + 6000);
        waiters_await_time(room.waiters, &room.all[1], now_usec + 20000);
        waiters_await_time(room.waiters, &room.all[2], now_usec + 1000);
        waiters_await_time(room.waiters, &room.all[3], now_usec + 2000);
        waiters_await_time(room.waiters, &room.all[1], now_usec + 3000);
        waiters_await_no_time(room.waiters, &room.all[3]);
        run(&room, 30000);
        for (char *dot; (dot = strchr(room.told, '.'));)
                memmove(dot, dot + 1, strlen(dot));
        ASSERT_STREQ(room.told, "t2t1t0");
}

TEST(a_socket_is_told_until_it_is_closed_and_not_to_one_that_left_meanwhile) {
        for (int leaves = -1; leaves < N; leaves++) {
                Room room _cleanup_(room_done);
                size_t expected = leaves < 0 ? N : N - 1;

                room_init(&room);
                room.on_first_socket_drop = leaves;
                for (size_t i = 0; i < N; i++) {
                        ASSERT_EQ(waiters_await_socket(room.waiters, &room.all[i], room.pairs[i][0], EPOLLIN), 0);
                        ASSERT(send(room.pairs[i][1], "x", 1, 0) == 1);
                }
                run(&room, 5000);
                /* The one that leaves is told only where it came before any other did. */
                if (leaves >= 0 && room.told[1] == '0' + leaves)
                        expected++;
                ASSERT_EQ(strlen(room.told), 2 * expected);
        }
}

TEST(a_turn_that_asks_for_the_next_does_not_have_the_loop_for_itself) {
        Room room _cleanup_(room_done);

        room_init(&room);
        room.n_turns_left = 8;
        ASSERT_EQ(waiters_await_socket(room.waiters, &room.all[0], room.pairs[0][0], EPOLLIN), 0);
        waiters_ask_for_turn(room.waiters);
        ASSERT(send(room.pairs[0][1], "x", 1, 0) == 1);
        run(&room, 5000);
        ASSERT_EQ(strlen(room.told), 8 + 2);
        ASSERT(strstr(room.told, "s0"));
        ASSERT(strstr(room.told, "s0") - room.told < 4);
}

static void free_all(Waiter *w, void *userdata) {
        Room *room = userdata;

        note(room, 't', w);
        for (size_t i = 0; i < N; i++)
                drop(room, i);
        room->waiters = waiters_free(room->waiters);
}

TEST(a_callback_may_free_all) {
        static const WaitersCallbacks freeing = { free_all, free_all, on_turn };
        Room room _cleanup_(room_done);

        room_init(&room);
        for (size_t i = 0; i < N; i++)
                drop(&room, i);
        waiters_free(room.waiters);
        ASSERT_EQ(waiters_new(room.event, &freeing, &room, &room.waiters), 0);
        for (size_t i = 0; i < N; i++) {
                ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, room.pairs[i]), 0);
                ASSERT_EQ(waiters_join(room.waiters, &room.all[i]), 0);
                room.is_in[i] = true;
                waiters_await_time(room.waiters, &room.all[i], 1);
        }
        run(&room, 2000);
        ASSERT_EQ(strlen(room.told), 2);
}
