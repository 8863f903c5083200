/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "core/unit_plan.h"
#include "core/unit_plan_diff.h"

static struct json_object *plan_of(const char *text) {
        const UnitPlanContext context = { .systemd_version = 252,
                                          .socket_dir = "/run/hero",
                                          .exec_dir = "/run/hero_proc/exec",
                                          .shim = "/usr/bin/hero_proc_notify" };
        ServiceDefinition **list = NULL;
        struct json_object *plan = NULL;
        char *message = NULL;
        size_t n = 0;

        if (service_definition_parse(text, "/run/hero", &list, &n, &message) != 0) {
                printf("     %s\n", message);
                free(message);
                return NULL;
        }
        (void) unit_plan_build(list[0], &context, &plan);
        service_definition_free_list(list, n);
        return plan;
}

/* Of a definition with these fields beside its name; the other way round it has to be the same kind of change. */
static UnitPlanChange change_between(const char *a, const char *b) {
        char text[2][1024];
        struct json_object *x, *y;
        UnitPlanChange change, back;

        (void) snprintf(text[0], sizeof text[0], "{\"name\":\"a-b\",%s}", a);
        (void) snprintf(text[1], sizeof text[1], "{\"name\":\"a-b\",%s}", b);
        x = plan_of(text[0]);
        y = plan_of(text[1]);
        change = unit_plan_compare(x, y);
        back = unit_plan_compare(y, x);
        json_object_put(x);
        json_object_put(y);
        return change == back ? change : (UnitPlanChange) -1;
}

#define X "\"exec\":[\"x\"]"

TEST(what_no_unit_is_made_of_changes_none) {
        static const char *const fields[] = {
                "\"probe\":{\"port\":80}",
                "\"probes\":[{\"port\":80},{\"name\":\"b\",\"port\":81,\"role\":\"report\"}]",
                "\"autostart\":false",
                "\"requires\":[\"db\"]",
                "\"after\":[\"db\"]",
                "\"on_unhealthy\":\"report\"",
                "\"restart\":{\"stability_period_ms\":5000}",
                "\"ports\":[80]",
                "\"systemd\":{}",
        };

        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
                char text[256];

                (void) snprintf(text, sizeof text, X ",%s", fields[i]);
                if (change_between(X, text) != UNIT_PLAN_SAME)
                        FAIL("%s is a change", fields[i]);
        }
}

TEST(the_order_of_actions_and_variables_is_no_change) {
        ASSERT_EQ(change_between("\"actions\":{\"x\":{\"exec\":\"a\"},\"y\":{\"exec\":\"b\"}}",
                                 "\"actions\":{\"y\":{\"exec\":\"b\"},\"x\":{\"exec\":\"a\"}}"),
                  UNIT_PLAN_SAME);
        ASSERT_EQ(change_between(X ",\"env\":{\"A\":\"1\",\"B\":\"2\"}", X ",\"env\":{\"B\":\"2\",\"A\":\"1\"}"),
                  UNIT_PLAN_SAME);
        ASSERT_EQ(change_between(X ",\"env\":{\"A\":\"1\",\"B\":\"2\"}", X ",\"env\":{\"B\":\"1\",\"A\":\"2\"}"),
                  UNIT_PLAN_REMADE);
}

TEST(what_systemd_changes_on_a_running_unit_is_a_live_change) {
        ASSERT_EQ(change_between(X, X ",\"description\":\"new\""), UNIT_PLAN_LIVE);
        ASSERT_EQ(change_between(X, X ",\"limits\":{\"memory_max\":\"1G\",\"cpu_quota_percent\":50}"), UNIT_PLAN_LIVE);
        ASSERT_EQ(change_between(X ",\"limits\":{\"tasks_max\":10}", X ",\"limits\":{\"tasks_max\":11}"),
                  UNIT_PLAN_LIVE);
        ASSERT_EQ(change_between(X, X ",\"systemd\":{\"CPUWeight\":10,\"MemoryHigh\":\"1G\"}"), UNIT_PLAN_LIVE);
        ASSERT_EQ(change_between(X ",\"sockets\":[\"a\"]", X ",\"sockets\":[\"a\",\"b\"]"), UNIT_PLAN_LIVE);
}

TEST(what_the_running_process_was_made_with_is_no_live_change) {
        static const char *const fields[] = {
                "\"env\":{\"A\":\"1\"}",
                "\"env_file\":[\"/etc/a\"]",
                "\"credentials\":{\"a\":\"/etc/a\"}",
                "\"user\":\"nobody\"",
                "\"group\":\"nogroup\"",
                "\"working_dir\":\"/\"",
                "\"umask\":\"0077\"",
                "\"kind\":\"oneshot\"",
                "\"ready\":\"notify\"",
                "\"require_ready\":true",
                "\"sockets\":[\"first\"]", /* now the shim comes in front */
                "\"start_timeout_ms\":1000",
                "\"stop_timeout_ms\":1000",
                "\"stop_signal\":\"SIGINT\"",
                "\"restart\":{\"policy\":\"never\"}",
                "\"restart\":{\"max_attempts\":1}",
                "\"systemd\":{\"PrivateTmp\":true}",
        };

        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
                char text[256];

                (void) snprintf(text, sizeof text, X ",%s", fields[i]);
                if (change_between(X, text) != UNIT_PLAN_REMADE)
                        FAIL("%s does not make its units anew", fields[i]);
        }
        ASSERT_EQ(change_between(X, "\"exec\":[\"x\",\"y\"]"), UNIT_PLAN_REMADE);
        ASSERT_EQ(change_between("\"exec\":[\"x\",\"$1\"]", "\"exec\":[\"x\",\"$2\"]"), UNIT_PLAN_REMADE);
        ASSERT_EQ(change_between("\"actions\":{\"x\":{\"exec\":\"a\"}}",
                                 "\"actions\":{\"x\":{\"exec\":\"a\"},\"y\":{\"exec\":\"a\"}}"),
                  UNIT_PLAN_REMADE);
        ASSERT_EQ(change_between("\"actions\":{\"x\":{\"exec\":\"a\"}}", "\"actions\":{\"y\":{\"exec\":\"a\"}}"),
                  UNIT_PLAN_REMADE);
}

TEST(a_limit_of_tasks_that_goes_cannot_be_taken_back_from_a_running_unit) {
        struct json_object *with = plan_of("{\"name\":\"a\"," X ",\"limits\":{\"tasks_max\":9}}");
        struct json_object *without = plan_of("{\"name\":\"a\"," X "}");

        ASSERT_EQ(unit_plan_compare(without, with), UNIT_PLAN_LIVE);
        ASSERT_EQ(unit_plan_compare(with, without), UNIT_PLAN_REMADE);
        json_object_put(with);
        json_object_put(without);
}

static void expect_told(const char *old, const char *new, const char *told) {
        struct json_object *x = old ? plan_of(old) : NULL, *y = plan_of(new), *changes = unit_plan_live_changes(x, y);

        ASSERT_STREQ(json_object_to_json_string_ext(changes, JSON_C_TO_STRING_PLAIN), told);
        json_object_put(changes);
        json_object_put(x);
        json_object_put(y);
}

TEST(systemd_is_told_of_the_differences_and_of_nothing_else) {
        expect_told("{\"name\":\"a\"," X "}", "{\"name\":\"a\"," X "}", "[]");
        expect_told("{\"name\":\"a-b\"," X "}", "{\"name\":\"a-b\"," X ",\"description\":\"new\"}",
                    "[{\"unit\":\"hero-a\\\\x2db.slice\",\"properties\":[[\"Description\",\"s\",\"new\"]]},"
                    "{\"unit\":\"hero-a-b.service\",\"properties\":[[\"Description\",\"s\",\"new\"]]}]");
        expect_told("{\"name\":\"a\",\"limits\":{\"memory_max\":4194304,\"cpu_quota_percent\":5}," X "}",
                    "{\"name\":\"a\",\"limits\":{\"memory_max\":8388608},\"sockets\":[]," X "}",
                    "[{\"unit\":\"hero-a.service\",\"properties\":[[\"MemoryMax\",\"t\",8388608],"
                    "[\"CPUQuotaPerSecUSec\",\"t\",18446744073709551615]]}]");
}

TEST(where_nothing_is_known_of_the_units_all_is_told_and_old_limits_are_lifted) {
        expect_told(NULL, "{\"name\":\"a\"," X ",\"limits\":{\"memory_max\":4194304}}",
                    "[{\"unit\":\"hero-a.slice\",\"properties\":[[\"Description\",\"s\",\"a\"]]},"
                    "{\"unit\":\"hero-a.service\",\"properties\":[[\"Description\",\"s\",\"a\"],[\"MemoryMax\",\"t\","
                    "4194304],"
                    "[\"MemoryHigh\",\"t\",18446744073709551615],[\"MemorySwapMax\",\"t\",18446744073709551615],"
                    "[\"MemoryMin\",\"t\",0],[\"MemoryLow\",\"t\",0],"
                    "[\"CPUQuotaPerSecUSec\",\"t\",18446744073709551615],"
                    "[\"CPUWeight\",\"t\",18446744073709551615],[\"IOWeight\",\"t\",18446744073709551615]]}]");
}
