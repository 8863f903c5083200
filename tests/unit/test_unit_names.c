/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "core/unit_names.h"

static ServiceDefinition service(const char *name, const char *action, size_t n) {
        static ActionDefinition made[32][2];
        static size_t n_made;
        ActionDefinition *actions = made[n_made++ % 32];

        actions[0].name = (char *) action;
        actions[1].name = (char *) "other";
        return (ServiceDefinition){ .name = (char *) name, .actions = actions, .n_actions = n };
}

static void round_trip(const ServiceDefinition *d) {
        char unit[UNIT_NAME_MAX], name[DEFINITION_NAME_MAX + 1], action[DEFINITION_NAME_MAX + 1];

        unit_name_of_slice(d->name, unit);
        ASSERT(unit_name_parse(unit, name, action));
        ASSERT_STREQ(name, d->name);
        ASSERT_STREQ(action, "");
        unit_name_of_action(d, 0, unit);
        ASSERT(unit_name_parse(unit, name, action));
        ASSERT_STREQ(name, d->name);
        ASSERT_STREQ(action, d->actions[0].name);
}

TEST(a_dash_does_not_nest_slices) {
        char unit[UNIT_NAME_MAX];

        unit_name_of_slice("my-app", unit);
        ASSERT_STREQ(unit, "hero-my\\x2dapp.slice");
}

TEST(only_a_lone_main_has_the_short_name) {
        ServiceDefinition one = service("a-b", "main", 1), named = service("a-b", "ui", 1),
                          two = service("a-b", "main", 2);
        char unit[UNIT_NAME_MAX];

        unit_name_of_action(&one, 0, unit);
        ASSERT_STREQ(unit, "hero-a-b.service");
        unit_name_of_action(&named, 0, unit);
        ASSERT_STREQ(unit, "hero-a-b@ui.service");
        unit_name_of_action(&two, 0, unit);
        ASSERT_STREQ(unit, "hero-a-b@main.service");
}

TEST(names_come_back_from_units) {
        static const char *const names[] = { "a", "my-app", "a.service", "0_x", "a-b-c.slice", "hero", "_" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                ServiceDefinition d = service(names[i], "main", 1), e = service(names[i], "ui", 2);

                round_trip(&d);
                round_trip(&e);
        }
}

TEST(units_of_others_are_not_ours) {
        static const char *const units[] = { "hero.slice",
                                             "hero-.slice",
                                             "hero-a",
                                             "hero-a.socket",
                                             "ssh.service",
                                             "hero-a@.service",
                                             "hero-@x.service",
                                             "hero-a@b-c.service",
                                             "hero-a b.service",
                                             "hero-my-app.slice",
                                             "" };
        char name[DEFINITION_NAME_MAX + 1], action[DEFINITION_NAME_MAX + 1];

        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (unit_name_parse(units[i], name, action))
                        FAIL("%s was taken for a unit of %s", units[i], name);
}
