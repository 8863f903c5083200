/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/outcome.h"

TEST(every_outcome_is_found_again_by_its_bus_name) {
        for (int i = 1; i < _HERO_E_MAX; i++)
                ASSERT_EQ(outcome_from_dbus_name(outcome_info((Outcome) i)->dbus_name), i);
}

TEST(codes_are_distinct) {
        for (int i = 1; i < _HERO_E_MAX; i++)
                for (int j = 1; j < i; j++) {
                        ASSERT(outcome_info((Outcome) i)->rpc_code != outcome_info((Outcome) j)->rpc_code);
                        ASSERT(strcmp(outcome_info((Outcome) i)->code_name, outcome_info((Outcome) j)->code_name) != 0);
                }
}

TEST(the_bus_answering_for_an_absent_server_is_known) {
        ASSERT_EQ(outcome_from_dbus_name("org.freedesktop.DBus.Error.NameHasNoOwner"), HERO_E_SERVER_UNREACHABLE);
        ASSERT_EQ(outcome_from_dbus_name("org.freedesktop.DBus.Error.ServiceUnknown"), HERO_E_SERVER_UNREACHABLE);
        ASSERT_EQ(outcome_from_dbus_name("org.example.Other"), -22);
}
