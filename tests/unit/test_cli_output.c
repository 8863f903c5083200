/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <locale.h>
#include <time.h>

#include "base/cleanup.h"
#include "cli/fleet_rows.h"
#include "cli/list_table.h"
#include "cli/reset_report.h"
#include "cli/status_block.h"
#include "cli/status_json.h"

/* Sat 2025-11-22 10:00:00 UTC */
#define NOW UINT64_C(1763805600000000)

static const char services_json[] =
        "[{\"name\":\"hero_os\",\"description\":\"Hero OS desktop\",\"state\":\"running\",\"wanted\":\"up\","
        "\"since_usec\":1763805300000000,\"ready\":true,\"reasons\":[],"
        "\"actions\":[{\"name\":\"server\",\"unit\":\"hero-hero_os@server.service\",\"active_state\":\"active\","
        "\"sub_state\":\"running\",\"result\":\"success\",\"main_pid\":4711,\"n_restarts\":0,\"status_text\":\"12 "
        "users\"}],"
        "\"sockets\":[{\"path\":\"/run/hero/hero_os/rpc.sock\",\"state\":\"alive\",\"listener_pid\":4711,"
        "\"listener_unit\":\"hero-hero_os@server.service\",\"backlog\":128}],"
        "\"ports\":[{\"port\":8080,\"state\":\"alive\",\"listener_pid\":4712,\"listener_command\":\"hero_os_ui\","
        "\"listener_unit\":\"hero-hero_os@ui.service\",\"backlog\":0},{\"port\":81,\"state\":\"missing\","
        "\"listener_pid\":0,\"listener_command\":\"\",\"listener_unit\":\"\"}],"
        "\"probes\":[{\"name\":\"files\",\"state\":\"passing\",\"failures\":0,\"last_error\":null,\"last_status\":200,"
        "\"latency_usec\":2140,\"p50_usec\":1980,\"p99_usec\":31500,\"checked_usec\":1763805597000000}]},"
        "{\"name\":\"hero_db\",\"state\":\"failed\",\"wanted\":\"up\",\"since_usec\":1763798280000000,\"ready\":false,"
        "\"reasons\":[{\"code\":\"process-died\",\"text\":\"main left with status 1 while it was reading its journal\","
        "\"subject\":\"main\"},{\"code\":\"socket-missing\",\"text\":\"\",\"subject\":\"/run/hero/hero_db/rpc.sock\"}],"
        "\"actions\":[{\"name\":\"main\",\"unit\":\"hero-hero_db.service\",\"active_state\":\"failed\","
        "\"sub_state\":\"failed\",\"result\":\"exit-code\",\"main_pid\":0,\"n_restarts\":3}],"
        "\"sockets\":[{\"path\":\"/run/hero/hero_db/rpc.sock\",\"state\":\"missing\",\"listener_pid\":0,"
        "\"listener_unit\":null}],"
        "\"probes\":[{\"name\":\"health\",\"state\":\"failing\",\"failures\":4,\"last_error\":\"connection refused\","
        "\"last_status\":0,\"latency_usec\":0,\"checked_usec\":1763805540000000},{\"name\":\"rpc\","
        "\"role\":\"readiness\",\"state\":\"pending\",\"failures\":0,\"last_error\":null,\"not_asked\":"
        "\"out of memory\",\"last_status\":null,\"latency_usec\":0,\"checked_usec\":0},{\"name\":\"ui\","
        "\"role\":\"liveness\",\"state\":\"failed\",\"failures\":0,\"last_error\":\"empty reply\",\"not_asked\":"
        "\"\",\"last_status\":200,\"latency_usec\":90,\"checked_usec\":1763805600000000},{\"name\":\"old\",\"state\":"
        "\"stale\",\"failures\":0,"
        "\"last_error\":\"short header\",\"since_usec\":1763805480000000,\"before\":\"failed\"}]},"
        "{\"name\":\"hero_zz\",\"state\":\"levitating\",\"since_usec\":0,\"reasons\":[{\"code\":\"stale\"}]}]";

static struct json_object *parse_services(void) {
        struct json_object *services = NULL;

        (void) setlocale(LC_CTYPE, "C.UTF-8");
        (void) setenv("TZ", "UTC", 1);
        tzset();
        (void) status_json_parse(services_json, &services);
        return services;
}

static char *list(const TerminalStyle *style, bool legend) {
        struct json_object *services = parse_services();
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        (void) list_table_print(f, services, style, legend, NOW);
        fclose(f);
        json_object_put(services);
        return text;
}

static char *status(const TerminalStyle *style, size_t i) {
        struct json_object *services = parse_services();
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        status_block_print(f, json_object_array_get_idx(services, i), style, NOW);
        fclose(f);
        json_object_put(services);
        return text;
}

/* The services on two hosts, and a host that is silent. */
static struct json_object *make_fleet(void) {
        struct json_object *rows = json_object_new_array();

        for (int i = 0; i < 2; i++) {
                struct json_object *services = parse_services();

                (void) fleet_rows_add(rows, i == 0 ? "web2" : "web1", services);
                json_object_put(services);
        }
        fleet_rows_add_silent_host(rows, "web3", "server-unreachable", "ssh: connection refused");
        fleet_rows_sort(rows);
        return rows;
}

#define GREEN "\033[0;32m"
#define RED "\033[0;1;31m"
#define MAGENTA "\033[0;35m"

TEST(list_is_one_line_a_service_by_name_with_reason_and_summary) {
        _cleanup_free_ char *text = list(&(TerminalStyle){ .utf8 = true }, true);

        ASSERT_STREQ(text, "STATE      NAME     SINCE        REASON\n"
                           "✗ failed   hero_db  2h 2min ago  main left with status 1 while it was reading its journal\n"
                           "● running  hero_os  5min ago\n"
                           "? unknown  hero_zz  -            stale\n"
                           "\n"
                           "3 services: 1 running, 1 failed, 1 unknown\n");
}

TEST(list_fits_80_columns_by_cutting_the_reason) {
        _cleanup_free_ char *text = list(&(TerminalStyle){ .utf8 = true, .width = 80 }, false);

        ASSERT_STREQ(text, "✗ failed   hero_db  2h 2min ago  main left with status 1 while it was reading i…\n"
                           "● running  hero_os  5min ago\n"
                           "? unknown  hero_zz  -            stale\n");
}

TEST(list_without_utf8_is_ascii) {
        _cleanup_free_ char *text = list(&(TerminalStyle){ 0 }, false);

        ASSERT_STREQ(text, "x failed   hero_db  2h 2min ago  main left with status 1 while it was reading its journal\n"
                           "* running  hero_os  5min ago\n"
                           "? unknown  hero_zz  -            stale\n");
}

TEST(list_in_colour_colours_sign_and_state) {
        _cleanup_free_ char *text = list(&(TerminalStyle){ .utf8 = true, .color = true }, false);

        ASSERT_STREQ(text, RED "✗ failed \033[0m  hero_db  2h 2min ago  main left with status 1 while it was reading "
                               "its journal\n" GREEN "● running\033[0m  hero_os  5min ago\n" MAGENTA
                               "? unknown\033[0m  hero_zz  -            stale\n");
}

TEST(status_of_a_running_service_shows_all_its_evidence) {
        _cleanup_free_ char *text = status(&(TerminalStyle){ .utf8 = true }, 1);

        ASSERT_STREQ(
                text,
                "● hero_os - Hero OS desktop\n"
                "      State: running since Sat 2025-11-22 09:55:00 UTC; 5min ago\n"
                "     Wanted: up\n"
                "      Ready: yes\n"
                "     Action: server (hero-hero_os@server.service): active (running), PID 4711, says \"12 users\"\n"
                "     Socket: /run/hero/hero_os/rpc.sock: alive, PID 4711 in hero-hero_os@server.service\n"
                "       Port: 8080: alive, PID 4712 (hero_os_ui) in hero-hero_os@ui.service\n"
                "             81: missing\n"
                "      Probe: files: passing, HTTP 200, in 2.1ms (p50 1.9ms, p99 31ms), 3s ago\n");
}

TEST(status_of_a_failed_service_lists_every_reason) {
        _cleanup_free_ char *text = status(&(TerminalStyle){ 0 }, 0);

        ASSERT_STREQ(text, "x hero_db\n"
                           "      State: failed (process-died) since Sat 2025-11-22 07:58:00 UTC; 2h 2min ago\n"
                           "     Reason: process-died: main left with status 1 while it was reading its journal\n"
                           "             socket-missing: /run/hero/hero_db/rpc.sock\n"
                           "     Wanted: up\n"
                           "      Ready: no\n"
                           "     Action: main (hero-hero_db.service): failed (failed), result exit-code, 3 restarts\n"
                           "     Socket: /run/hero/hero_db/rpc.sock: missing\n"
                           "      Probe: health: failing, 4 in a row, connection refused, 1min ago\n"
                           "             rpc (readiness): pending, not answered yet: out of memory\n"
                           "             ui: failed, before: empty reply, HTTP 200, in 90us, now\n"
                           "             old: stale, recorded as failed 2min ago, short header, not answered yet\n");
}

TEST(status_in_colour_ends_each_colour) {
        _cleanup_free_ char *text = status(&(TerminalStyle){ .utf8 = true, .color = true }, 1);

        ASSERT(strncmp(text, GREEN "●\033[0m hero_os - ", strlen(GREEN "●\033[0m hero_os - ")) == 0);
        ASSERT(strstr(text, "State: " GREEN "running\033[0m since"));
}

TEST(a_state_of_a_later_version_is_shown_as_unknown) {
        _cleanup_free_ char *text = status(&(TerminalStyle){ .utf8 = true }, 2);

        ASSERT_STREQ(text, "? hero_zz\n"
                           "      State: unknown (stale)\n"
                           "     Reason: stale\n"
                           "      Ready: not required\n");
}

/* Whatever a server may call a state: the colour of running is the promise that it runs. */
TEST(only_running_is_ever_green) {
        static const char *const words[] = { "degraded", "failed",  "starting", "stopping",  "restarting",
                                             "stopped",  "unknown", "",         "levitating" };
        TerminalStyle style = { .utf8 = true, .color = true };

        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                char json[128];
                struct json_object *service;

                (void) snprintf(json, sizeof json, "{\"state\":\"%s\"}", words[i]);
                service = json_tokener_parse(json);
                ASSERT(strcmp(terminal_style_color(&style, status_json_state(service)), GREEN) != 0);
                ASSERT(!strstr(terminal_style_color(&style, status_json_state(service)), "32m"));
                json_object_put(service);
        }
        ASSERT_STREQ(terminal_style_color(&style, SERVICE_RUNNING), GREEN);
}

TEST(a_summary_counts_one_service_and_none_in_words) {
        struct json_object *none = json_tokener_parse("[]"), *one = json_tokener_parse("[{\"state\":\"stopped\"}]");
        char *text _cleanup_free_ = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        list_table_print_summary(f, none);
        list_table_print_summary(f, one);
        fclose(f);
        json_object_put(none);
        json_object_put(one);
        ASSERT_STREQ(text, "0 services\n1 service: 1 stopped\n");
}

TEST(what_is_not_an_array_is_no_status) {
        struct json_object *services = NULL;

        ASSERT_EQ(status_json_parse("", &services), -EBADMSG);
        ASSERT_EQ(status_json_parse("{}", &services), -EBADMSG);
        ASSERT_EQ(status_json_parse("[", &services), -EBADMSG);
        ASSERT(!services);
}

TEST(a_status_of_nonsense_is_printed_without_harm) {
        struct json_object *services = NULL;
        char *text _cleanup_free_ = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        TerminalStyle style = { 0 };

        ASSERT_EQ(status_json_parse("[null, 7, {\"name\":3,\"state\":[],\"reasons\":[null],\"actions\":{},"
                                    "\"sockets\":[1],\"probes\":[\"x\"]}]",
                                    &services),
                  0);
        for (size_t i = 0; i < 3; i++)
                status_block_print(f, json_object_array_get_idx(services, i), &style, NOW);
        ASSERT_EQ(list_table_print(f, services, &style, true, NOW), 0);
        fclose(f);
        json_object_put(services);
        ASSERT(strstr(text, "3 services: 3 unknown"));
}

static ServiceResult reset_items[] = {
        { (char *) "hero_db", (char *) "still-failed", (char *) "main left with status 1" },
        { (char *) "hero_os", (char *) "left-alone", (char *) "healthy" },
        { (char *) "hero_ui", (char *) "restarted", (char *) "files failed" },
};

TEST(reset_failed_is_a_table_for_people) {
        ServiceResults results = { .items = reset_items, .n = 3 };
        char *text _cleanup_free_ = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        ASSERT_EQ(reset_report_print(f, &results, &(TerminalStyle){ .utf8 = true }, true), 0);
        fclose(f);
        ASSERT_STREQ(text, "SERVICE  OUTCOME       REASON\n"
                           "hero_db  still-failed  main left with status 1\n"
                           "hero_os  left-alone    healthy\n"
                           "hero_ui  restarted     files failed\n");
}

TEST(reset_failed_is_four_lists_for_programs) {
        ServiceResults results = { .items = reset_items, .n = 3 };
        struct json_object *json = reset_report_json(&results);

        ASSERT_STREQ(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN),
                     "{\"restarted\":[\"hero_ui\"],\"left_alone\":[\"hero_os\"],\"still_failed\":[\"hero_db\"],"
                     "\"skipped\":[]}");
        json_object_put(json);
}

TEST(a_fleet_goes_from_what_needs_somebody_to_what_needs_nobody) {
        static const char *const expected[][2] = {
                { "web1", "hero_db" }, { "web2", "hero_db" }, { "web1", "hero_zz" }, { "web2", "hero_zz" },
                { "web3", "" },        { "web1", "hero_os" }, { "web2", "hero_os" },
        };
        struct json_object *rows = make_fleet();

        ASSERT_EQ(json_object_array_length(rows), ELEMENTSOF(expected));
        for (size_t i = 0; i < ELEMENTSOF(expected); i++) {
                struct json_object *row = json_object_array_get_idx(rows, i);

                ASSERT_STREQ(status_json_text(row, "host"), expected[i][0]);
                ASSERT_STREQ(status_json_text(row, "name"), expected[i][1]);
                ASSERT_EQ(fleet_rows_is_silent_host(row), !*expected[i][1]);
        }
        json_object_put(rows);
}

TEST(a_silent_host_is_a_row_and_no_service) {
        const TerminalStyle style = { 0 };
        struct json_object *rows = make_fleet();
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        ASSERT_EQ(list_table_print_fleet(f, rows, &style, true, NOW), 0);
        fclose(f);
        ASSERT(strstr(text, "STATE      HOST  NAME     SINCE"));
        ASSERT(strstr(text, "web3  -        -"));
        ASSERT(strstr(text, "ssh: connection refused\n"));
        ASSERT(strstr(text, "\n6 services: 2 running, 2 failed, 2 unknown; of 1 host nothing is known\n"));
        free(text);
        json_object_put(rows);
}
