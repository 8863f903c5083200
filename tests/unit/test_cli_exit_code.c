/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>

#include "cli/exit_code.h"

TEST(results_become_the_documented_codes) {
        ASSERT_EQ(exit_code_of_result(0), 0);
        ASSERT_EQ(exit_code_of_result(-EIO), 1);
        ASSERT_EQ(exit_code_of_result(HERO_E_START_FAILED), 1);
        ASSERT_EQ(exit_code_of_result(HERO_E_NO_SUCH_SERVICE), 4);
        ASSERT_EQ(exit_code_of_result(HERO_E_INVALID_DEFINITION), 65);
        ASSERT_EQ(exit_code_of_result(HERO_E_SERVER_UNREACHABLE), 69);
        ASSERT_EQ(exit_code_of_result(HERO_E_NOT_AUTHORIZED), 77);
        ASSERT_EQ(exit_code_of_result(_HERO_E_MAX), 1);
}

TEST(only_running_is_success) {
        for (int i = 0; i < _SERVICE_STATE_MAX; i++)
                ASSERT_EQ(exit_code_of_state((ServiceState) i) == 0, i == SERVICE_RUNNING);
        ASSERT_EQ(exit_code_of_state(SERVICE_DEGRADED), 5);
        ASSERT_EQ(exit_code_of_state(SERVICE_STARTING), 3);
        ASSERT_EQ(exit_code_of_state(SERVICE_STOPPED), 3);
        ASSERT_EQ(exit_code_of_state(SERVICE_UNKNOWN), 6);
        ASSERT_EQ(exit_code_of_state(SERVICE_STATE_INVALID), 6);
}

TEST(the_worst_of_several_wins_in_either_order) {
        static const int order[] = { 0, 5, 6, 3, 1, 4, 65, 77, 69, 2 };

        for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
                for (size_t j = 0; j <= i; j++) {
                        ASSERT_EQ(exit_code_worst(order[i], order[j]), order[i]);
                        ASSERT_EQ(exit_code_worst(order[j], order[i]), order[i]);
                }
}
