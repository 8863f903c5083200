/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/socket_owner.h"

SocketOwner socket_owner_decide(ListenerPlace listener, SocketHeld held) {
        if (listener == LISTENER_IN_UNIT || held == HELD_BY_UNIT)
                return OWNER_SERVICE;
        switch (listener) {
        case LISTENER_ELSEWHERE:
                return OWNER_STRANGER;
        case LISTENER_MANAGER:
                return held == HELD_NOT_BY_UNIT ? OWNER_STRANGER : OWNER_UNTOLD;
        case LISTENER_UNSEEN:
        case LISTENER_GONE:
        case LISTENER_IN_UNIT:
        case _LISTENER_PLACE_MAX:
                break;
        }
        return OWNER_UNTOLD;
}
