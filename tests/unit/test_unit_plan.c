/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/clock.h"
#include "base/outcome.h"
#include "core/unit_plan.h"

static const UnitPlanContext debian_12 = { .systemd_version = 252,
                                           .socket_dir = "/run/hero",
                                           .exec_dir = "/run/hero_proc/exec",
                                           .shim = "/usr/bin/hero_proc_notify" };

static struct json_object *plan_of(const char *text, unsigned version) {
        UnitPlanContext context = debian_12;
        ServiceDefinition **list = NULL;
        struct json_object *plan = NULL;
        char *message = NULL;
        size_t n = 0;

        context.systemd_version = version;
        if (service_definition_parse(text, "/run/hero", &list, &n, &message) != 0) {
                printf("     %s\n", message);
                free(message);
                return NULL;
        }
        (void) unit_plan_build(list[0], &context, &plan);
        service_definition_free_list(list, n);
        return plan;
}

/* The value of a property of the plan's first unit; NULL when it is not there. */
static struct json_object *property(struct json_object *plan, const char *name) {
        struct json_object *unit = json_object_array_get_idx(json_object_object_get(plan, "units"), 0);
        struct json_object *list = json_object_object_get(unit, "properties");

        for (size_t i = 0; i < json_object_array_length(list); i++) {
                struct json_object *p = json_object_array_get_idx(list, i);

                if (strcmp(json_object_get_string(json_object_array_get_idx(p, 0)), name) == 0)
                        return json_object_array_get_idx(p, 2);
        }
        return NULL;
}

static const char *text_of(struct json_object *o) {
        return o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                 : "(none)";
}

static bool is_shimmed(const char *definition) {
        struct json_object *plan = plan_of(definition, 252);
        bool shimmed = strstr(text_of(property(plan, "ExecStart")), "hero_proc_notify") != NULL;

        json_object_put(plan);
        return shimmed;
}

TEST(a_plain_command_is_systemds_own_business) {
        struct json_object *plan = plan_of("{\"name\":\"a\",\"exec\":[\"/bin/sleep\",\"1000\"]}", 252);

        ASSERT_STREQ(text_of(property(plan, "ExecStart")), "[[\"/bin/sleep\",[\"/bin/sleep\",\"1000\"],false]]");
        ASSERT_STREQ(text_of(property(plan, "Type")), "\"exec\"");
        ASSERT_STREQ(text_of(property(plan, "Slice")), "\"hero-a.slice\"");
        ASSERT_STREQ(text_of(property(plan, "After")), "(none)");
        ASSERT_STREQ(text_of(property(plan, "IgnoreOnIsolate")), "true");
        ASSERT_STREQ(text_of(property(plan, "NotifyAccess")), "(none)");
        json_object_put(plan);
}

TEST(what_systemd_would_damage_goes_by_the_shim) {
        ASSERT(is_shimmed("{\"name\":\"a\",\"exec\":[\"/bin/echo\",\"a;b\"]}"));
        ASSERT(is_shimmed("{\"name\":\"a\",\"exec\":[\"/bin/echo\",\"$HOME\"]}"));
        ASSERT(is_shimmed("{\"name\":\"a\",\"exec\":[\"/bin/echo\",\"\"]}"));
        ASSERT(is_shimmed("{\"name\":\"a\",\"exec\":[\"-false\"]}"));
        ASSERT(is_shimmed("{\"name\":\"a\",\"exec\":\"true\",\"ready\":\"fd3\"}"));
        ASSERT(is_shimmed("{\"name\":\"a\",\"exec\":[\"/bin/true\"],\"sockets\":[\"rpc.sock\"]}"));
        ASSERT(!is_shimmed("{\"name\":\"a\",\"exec\":[\"/bin/true\"],\"ready\":\"notify\"}"));
}

TEST(no_argument_of_the_service_stands_in_execstart_when_the_shim_fronts_it) {
        struct json_object *plan = plan_of("{\"name\":\"a\",\"exec\":[\"/bin/echo\",\"a;b\"]}", 252);

        ASSERT(!strchr(text_of(property(plan, "ExecStart")), ';'));
        ASSERT_STREQ(text_of(property(plan, "Type")), "\"notify\"");
        ASSERT_STREQ(text_of(property(plan, "NotifyAccess")), "\"all\"");
        json_object_put(plan);
}

/* Cut, it could end in half a character, and systemd would be asked for nothing. */
TEST(the_longest_description_is_handed_on_as_a_whole) {
        char description[DEFINITION_DESCRIPTION_MAX + 1] = "", text[1024], expected[1024];
        struct json_object *plan;

        while (strlen(description) + strlen("é") < sizeof description)
                strcat(description, "é");
        (void) snprintf(text, sizeof text,
                        "{\"name\":\"a\",\"description\":\"%s\",\"actions\":{\"ui\":{\"exec\":[\"x\"]}}}", description);
        (void) snprintf(expected, sizeof expected, "%s: ui", description);
        plan = plan_of(text, 252);
        ASSERT_STREQ(json_object_get_string(property(plan, "Description")), expected);
        json_object_put(plan);
}

TEST(newer_properties_are_kept_from_older_systemd) {
        struct json_object *old = plan_of("{\"name\":\"a\",\"exec\":[\"x\"]}", 252);
        struct json_object *new = plan_of("{\"name\":\"a\",\"exec\":[\"x\"]}", 257);

        ASSERT_STREQ(text_of(property(old, "RestartSteps")), "(none)");
        ASSERT_STREQ(text_of(property(new, "RestartSteps")), "6"); /* 1 s doubled to 60 s */
        ASSERT_STREQ(text_of(property(new, "RestartMaxDelayUSec")), "60000000");
        json_object_put(old);
        json_object_put(new);
}

/* While it waits for the second restart, NRestarts is still 1. */
TEST(the_pause_before_a_restart_grows_with_each_that_was_made) {
        const RestartRule rule = { .delay_usec = USEC_PER_SEC, .max_delay_usec = 60 * USEC_PER_SEC };

        ASSERT_EQ(unit_plan_pause_usec(&rule, 0, 257), USEC_PER_SEC);
        ASSERT_EQ(unit_plan_pause_usec(&rule, 1, 257), 2 * USEC_PER_SEC);
        ASSERT_EQ(unit_plan_pause_usec(&rule, 2, 254), 4 * USEC_PER_SEC);
        ASSERT_EQ(unit_plan_pause_usec(&rule, 6, 257), 60 * USEC_PER_SEC);
        ASSERT_EQ(unit_plan_pause_usec(&rule, 2, 252), USEC_PER_SEC);
}

TEST(the_anchor_orders_itself_before_its_actions) {
        struct json_object *plan =
                plan_of("{\"name\":\"a-b\",\"actions\":{\"x\":{\"exec\":\"true\"},\"y\":{\"exec\":\"true\"}}}", 252);

        ASSERT_STREQ(text_of(json_object_object_get(plan, "slice")), "\"hero-a\\\\x2db.slice\"");
        ASSERT(strstr(text_of(json_object_object_get(plan, "slice_properties")),
                      "[\"Before\",\"as\",[\"hero-a-b@x.service\",\"hero-a-b@y.service\"]]"));
        json_object_put(plan);
}

static bool same_units(const char *a, const char *b) {
        struct json_object *x = plan_of(a, 252), *y = plan_of(b, 252);
        bool same = json_object_equal(x, y);

        json_object_put(x);
        json_object_put(y);
        return same;
}

TEST(probes_do_not_change_units_and_arguments_do) {
        ASSERT(same_units("{\"name\":\"a\",\"exec\":[\"x\"]}",
                          "{\"name\":\"a\",\"exec\":[\"x\"],\"probe\":{\"port\":80}}"));
        ASSERT(same_units("{\"name\":\"a\",\"exec\":[\"x\"]}",
                          "{\"name\":\"a\",\"exec\":[\"x\"],\"autostart\":false}"));
        ASSERT(!same_units("{\"name\":\"a\",\"exec\":[\"x\"]}", "{\"name\":\"a\",\"exec\":[\"x\",\"y\"]}"));
        ASSERT(!same_units("{\"name\":\"a\",\"exec\":[\"x\",\"$1\"]}", "{\"name\":\"a\",\"exec\":[\"x\",\"$2\"]}"));
        ASSERT(!same_units("{\"name\":\"a\",\"exec\":[\"x\"]}",
                           "{\"name\":\"a\",\"exec\":[\"x\"],\"sockets\":[\"s\"]}"));
}

TEST(a_property_that_this_systemd_lacks_is_refused_and_not_left_out) {
        static const char text[] = "{\"name\":\"a\",\"exec\":[\"x\"],\"systemd\":{\"RootEphemeral\":true}}";
        UnitPlanContext context = debian_12;
        ServiceDefinition **list = NULL;
        char *message = NULL;
        size_t n = 0;

        ASSERT_EQ(service_definition_parse(text, "/run/hero", &list, &n, &message), 0);
        ASSERT_EQ(unit_plan_check(list[0], &context, &message), HERO_E_INVALID_DEFINITION);
        ASSERT_STREQ(message, "a: action main: systemd.RootEphemeral: needs systemd 254, and this is 252");
        free(message);
        context.systemd_version = 257;
        ASSERT_EQ(unit_plan_check(list[0], &context, &message), 0);
        service_definition_free_list(list, n);
}
