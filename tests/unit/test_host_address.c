/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>

#include "base/cleanup.h"
#include "core/host_address.h"

#define ASSERT_IS(text, expected_destination, expected_port, expected_container) \
        do {                                                                     \
                HostAddress _h;                                                  \
                ASSERT_EQ(host_address_parse(text, &_h), 0);                     \
                ASSERT_STREQ(_h.destination, expected_destination);              \
                ASSERT_STREQ(_h.port, expected_port);                            \
                ASSERT_STREQ(_h.container, expected_container);                  \
        } while (0)

TEST(user_port_and_container_are_optional) {
        ASSERT_IS("web1", "web1", "", "");
        ASSERT_IS("hero@web1.example.org", "hero@web1.example.org", "", "");
        ASSERT_IS("web1:2222", "web1", "2222", "");
        ASSERT_IS("hero@web1:2222/db", "hero@web1", "2222", "db");
        ASSERT_IS("web1/db", "web1", "", "db");
}

TEST(systemds_older_form_of_a_container_is_known) {
        ASSERT_IS("web1:db", "web1", "", "db");
}

TEST(an_address_with_colons_stands_in_brackets) {
        ASSERT_IS("[fe80::1%eth0]", "fe80::1%eth0", "", "");
        ASSERT_IS("hero@[::1]:2222/db", "hero@::1", "2222", "db");
}

TEST(the_last_at_ends_the_user) {
        ASSERT_IS("hero@example.org@web1", "hero@example.org@web1", "", "");
}

TEST(what_names_nobody_is_refused) {
        static const char *const bad[] = { "",    "@web1",  "hero@",    "web1:",       "web1/",      "web1:22x/db",
                                           ":22", "[::1",   "[]",       "web1:123456", "web1:70000", "web1/a b",
                                           "/db", "[::1]x", "web1/-/x", "web1:22:23",  "web1:a b" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                HostAddress a;

                ASSERT_EQ(host_address_parse(bad[i], &a), -EINVAL);
        }
}

TEST(what_does_not_fit_is_refused_rather_than_cut) {
        char longest[HOST_DESTINATION_MAX + 1];
        HostAddress a;

        memset(longest, 'a', sizeof longest);
        longest[HOST_DESTINATION_MAX] = '\0';
        ASSERT_EQ(host_address_parse(longest, &a), -EINVAL);
        longest[HOST_DESTINATION_MAX - 1] = '\0';
        ASSERT_EQ(host_address_parse(longest, &a), 0);
        ASSERT_STREQ(a.destination, longest);
}
