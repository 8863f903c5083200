/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "server/bus_service.h"

TEST(a_path_is_what_sd_bus_makes_of_the_name) {
        static const char *const names[] = { "a", "web", "4th", "0", "_", "_4", "my-app", "a.b_c-D9", "a--", "9-9.9" };
        char longest[DEFINITION_NAME_MAX + 1], path[BUS_SERVICE_PATH_MAX];

        memset(longest, '-', sizeof longest);
        longest[0] = '1';
        longest[DEFINITION_NAME_MAX] = '\0';
        for (size_t i = 0; i <= ELEMENTSOF(names); i++) {
                const char *name = i < ELEMENTSOF(names) ? names[i] : longest;
                _cleanup_free_ char *made = NULL;

                ASSERT(sd_bus_path_encode(BUS_SERVICE_PATH, name, &made) >= 0);
                bus_service_path(name, path);
                ASSERT_STREQ(path, made);
        }
}
