/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "core/socket_owner.h"

TEST(a_listener_in_the_unit_makes_it_the_services_own_whoever_else_has_it) {
        for (int held = 0; held < _SOCKET_HELD_MAX; held++)
                ASSERT_EQ(socket_owner_decide(LISTENER_IN_UNIT, (SocketHeld) held), OWNER_SERVICE);
}

TEST(a_process_of_the_unit_that_has_it_open_makes_it_the_services_own_whoever_listens) {
        for (int place = 0; place < _LISTENER_PLACE_MAX; place++)
                ASSERT_EQ(socket_owner_decide((ListenerPlace) place, HELD_BY_UNIT), OWNER_SERVICE);
}

TEST(a_listener_elsewhere_is_a_stranger) {
        ASSERT_EQ(socket_owner_decide(LISTENER_ELSEWHERE, HELD_NOT_BY_UNIT), OWNER_STRANGER);
        ASSERT_EQ(socket_owner_decide(LISTENER_ELSEWHERE, HELD_UNTOLD), OWNER_STRANGER);
}

TEST(systemd_is_a_stranger_only_where_the_service_surely_has_not_been_given_the_socket) {
        ASSERT_EQ(socket_owner_decide(LISTENER_MANAGER, HELD_NOT_BY_UNIT), OWNER_STRANGER);
        ASSERT_EQ(socket_owner_decide(LISTENER_MANAGER, HELD_UNTOLD), OWNER_UNTOLD);
}

TEST(a_listener_that_is_gone_or_cannot_be_seen_is_nobodys_guilt) {
        for (int held = 0; held < _SOCKET_HELD_MAX; held++) {
                SocketOwner expected = held == HELD_BY_UNIT ? OWNER_SERVICE : OWNER_UNTOLD;

                ASSERT_EQ(socket_owner_decide(LISTENER_GONE, (SocketHeld) held), expected);
                ASSERT_EQ(socket_owner_decide(LISTENER_UNSEEN, (SocketHeld) held), expected);
        }
}
