/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>

#include "base/cleanup.h"
#include "cli/import_systemd_names.h"

TEST(a_name_is_plain_or_has_an_instance_or_room_for_one) {
        ASSERT_EQ(unit_name_kind("web.service"), UNIT_NAME_PLAIN);
        ASSERT_EQ(unit_name_kind("web@.service"), UNIT_NAME_TEMPLATE);
        ASSERT_EQ(unit_name_kind("web@a.b@c.service"), UNIT_NAME_INSTANCE);
        ASSERT_EQ(unit_name_kind("web"), UNIT_NAME_PLAIN);
        ASSERT_EQ(unit_name_kind(""), UNIT_NAME_PLAIN);
        ASSERT(unit_name_is_service("web.service") && !unit_name_is_service(".service"));
        ASSERT(!unit_name_is_service("web.services") && !unit_name_is_service("web"));
}

TEST(only_a_name_without_the_ending_gets_it) {
        static const struct {
                const char *name;
                bool is_file;
                const char *complete;
        } cases[] = {
                { "web", false, "web.service" },
                { "web@a", false, "web@a.service" },
                { "web.service", false, "web.service" },
                { "a.example.org", false, "a.example.org.service" },
                { "web", true, "web" },
                { "web.conf", true, "web.conf" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *complete = unit_name_complete(cases[i].name, cases[i].is_file);

                ASSERT_STREQ(complete, cases[i].complete);
        }
}

TEST(dashes_are_taken_away_one_by_one_as_systemd_does_it) {
        static const struct {
                const char *name, *shorter;
        } cases[] = {
                { "a.service", NULL },
                { "a-b.service", "a-.service" },
                { "a-b-c.service", "a-b-.service" },
                { "a-b-.service", "a-.service" },
                { "a-.service", NULL },
                { "a--b.service", "a--.service" },
                { "a--.service", "a-.service" },
                { "-a.service", NULL },
                { "--.service", NULL },
                { "-.service", NULL },
                { "a-b@c-d.service", "a-@c-d.service" },
                { "a-b@.service", "a-.service" },
                { "a@b-c.service", NULL },
                { "a-b", "a-" },
                { "", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *shorter = NULL;

                ASSERT_EQ(unit_name_shorten(cases[i].name, &shorter), 0);
                ASSERT_STREQ(shorter, cases[i].shorter);
        }
}

TEST(an_alias_of_a_template_is_one_of_each_instance_and_kinds_do_not_mix) {
        static const struct {
                const char *name, *target, *becomes;
        } cases[] = {
                { "a.service", "b.service", "b.service" },
                { "a@x.service", "b@.service", "b@x.service" },
                { "a@x.service", "b@y.service", "b@y.service" },
                { "a@.service", "b@.service", "b@.service" },
                { "a@.service", "b.service", NULL },
                { "a.service", "b@.service", NULL },
                { "a.service", "b.socket", NULL },
        };
        _cleanup_free_ char *instance = NULL, *plain = NULL, *template = NULL;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *becomes = NULL;
                int r = unit_name_of_target(cases[i].name, cases[i].target, &becomes);

                ASSERT_EQ(r, cases[i].becomes ? 0 : -ENOENT);
                ASSERT_STREQ(becomes, cases[i].becomes);
        }
        ASSERT_EQ(unit_name_of_alias("u@.service", "t@x.service", &instance), 0);
        ASSERT_STREQ(instance, "u@x.service");
        ASSERT_EQ(unit_name_of_alias("u.service", "t.service", &plain), 0);
        ASSERT_STREQ(plain, "u.service");
        ASSERT_EQ(unit_name_template("t@x.y.service", &template), 0);
        ASSERT_STREQ(template, "t@.service");
}
