/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "boundary/hero_proc_client.h"
#include "private_bus.h"

typedef struct Peer {
        sd_bus *bus;
        HeroProcConnection *connection;
        pid_t pid;
        char *message;
} Peer;

static void peer_done(Peer *p) {
        free(p->message);
        hero_proc_connection_free(p->connection);
        sd_bus_unref(p->bus);
        stand_in_reap(p->pid);
}

static void peer_init(Peer *p) {
        *p = (Peer){ 0 };
        p->pid = stand_in_fork(&p->bus);
        (void) hero_proc_connection_attach(p->bus, &p->connection);
}

#define FAR (20 * USEC_PER_SEC)

TEST(status_of_known_names_is_the_servers_text) {
        Peer p _cleanup_(peer_done);
        char *const names[] = { (char *) "hero_os", NULL };
        char *json = NULL;

        peer_init(&p);
        ASSERT_EQ(hero_proc_client_get_status(p.connection, names, &json, &p.message), 0);
        ASSERT(strstr(json, "[{\"name\":\"hero_os\",\"state\":\"running\""));
        ASSERT(!strstr(json, "hero_db"));
        free(json);
        ASSERT_EQ(hero_proc_client_get_status(p.connection, NULL, &json, &p.message), 0);
        ASSERT(strstr(json, "hero_db"));
        free(json);
}

TEST(a_server_that_cannot_be_brief_says_all) {
        Peer p _cleanup_(peer_done);
        char *json = NULL;

        peer_init(&p);
        ASSERT_EQ(hero_proc_client_get_overview(p.connection, &json, &p.message), 0);
        ASSERT(!p.message);
        ASSERT(strstr(json, "hero_db"));
        free(json);
}

TEST(an_error_of_the_server_becomes_its_outcome_and_text) {
        Peer p _cleanup_(peer_done);
        char *const names[] = { (char *) "hero_oss", NULL };
        char *json = NULL;

        peer_init(&p);
        ASSERT_EQ(hero_proc_client_get_status(p.connection, names, &json, &p.message), HERO_E_NO_SUCH_SERVICE);
        ASSERT_STREQ(p.message, "hero_oss: no such service");
        ASSERT(!json);
}

TEST(names_are_listed) {
        Peer p _cleanup_(peer_done);
        char **names _cleanup_(hero_proc_client_free_namesp) = NULL;

        peer_init(&p);
        ASSERT_EQ(hero_proc_client_list_names(p.connection, &names, &p.message), 0);
        ASSERT_STREQ(names[0], "hero_db");
        ASSERT_STREQ(names[8], "hero_slow");
        ASSERT(!names[9]);
}

TEST(services_that_wait_for_each_other_are_started_at_the_same_time) {
        Peer p _cleanup_(peer_done);
        ServiceChangeCall calls[2] = { { .name = "hero_first" }, { .name = "hero_second" } };

        peer_init(&p);
        ASSERT_EQ(hero_proc_client_change(p.connection, SERVICE_CHANGE_START, calls, 2, 0, FAR), 0);
        for (size_t i = 0; i < 2; i++) {
                ASSERT_EQ(calls[i].r, 0);
                ASSERT_STREQ(calls[i].state, "running");
                service_change_call_done(&calls[i]);
        }
}

TEST(more_changes_than_may_be_in_flight_all_get_their_answer) {
        enum { MANY = 3 * HERO_PROC_CALLS_IN_FLIGHT_MAX + 1 };
        Peer p _cleanup_(peer_done);
        ServiceChangeCall calls[MANY];

        peer_init(&p);
        for (size_t i = 0; i < MANY; i++)
                calls[i] = (ServiceChangeCall){ .name = i % 2 ? "hero_os" : "hero_oss" };
        ASSERT_EQ(hero_proc_client_change(p.connection, SERVICE_CHANGE_STOP, calls, MANY, 0, FAR), 0);
        for (size_t i = 0; i < MANY; i++) {
                ASSERT_EQ(calls[i].r, i % 2 ? 0 : HERO_E_NO_SUCH_SERVICE);
                service_change_call_done(&calls[i]);
        }
}

TEST(a_removal_reaches_no_state) {
        Peer p _cleanup_(peer_done);
        ServiceChangeCall call _cleanup_(service_change_call_done) = { .name = "hero_os" };

        peer_init(&p);
        ASSERT_EQ(hero_proc_client_change(p.connection, SERVICE_CHANGE_REMOVE, &call, 1, 0, FAR), 0);
        ASSERT_EQ(call.r, 0);
        ASSERT_STREQ(call.state, "");
}

TEST(a_change_that_takes_too_long_times_out_and_the_others_have_their_answers) {
        Peer p _cleanup_(peer_done);
        ServiceChangeCall calls[2] = { { .name = "hero_slow" }, { .name = "hero_os" } };

        peer_init(&p);
        ASSERT_EQ(hero_proc_client_change(p.connection, SERVICE_CHANGE_START, calls, 2, 0, 200 * USEC_PER_MSEC), 0);
        ASSERT_EQ(calls[0].r, -ETIMEDOUT);
        ASSERT_EQ(calls[1].r, 0);
        service_change_call_done(&calls[0]);
        service_change_call_done(&calls[1]);
}

TEST(no_block_is_handed_on) {
        Peer p _cleanup_(peer_done);
        ServiceChangeCall call _cleanup_(service_change_call_done) = { .name = "hero_slow" };

        peer_init(&p);
        ASSERT_EQ(hero_proc_client_change(p.connection, SERVICE_CHANGE_START, &call, 1, HERO_PROC_FLAG_NO_BLOCK, FAR),
                  0);
        ASSERT_STREQ(call.state, "starting");
}

TEST(a_server_that_ends_in_the_middle_of_a_call_is_unreachable) {
        Peer p _cleanup_(peer_done);
        ServiceChangeCall call _cleanup_(service_change_call_done) = { .name = "hero_fatal" };
        char *json = NULL;

        peer_init(&p);
        ASSERT_EQ(hero_proc_client_change(p.connection, SERVICE_CHANGE_START, &call, 1, 0, FAR), 0);
        ASSERT_EQ(call.r, HERO_E_SERVER_UNREACHABLE);
        ASSERT(call.message);
        ASSERT_EQ(hero_proc_client_dump(p.connection, FAR, &json, &p.message), HERO_E_SERVER_UNREACHABLE);
}

TEST(apply_sends_all_texts_in_one_call_and_reads_results_and_difference) {
        Peer p _cleanup_(peer_done);
        char *const texts[] = { (char *) "{\"name\":\"a\"}", (char *) "{\"name\":\"b\"}" };
        ServiceResults results _cleanup_(service_results_done) = { 0 };

        peer_init(&p);
        ASSERT_EQ(hero_proc_client_apply(p.connection, texts, 2, HERO_PROC_FLAG_DRY_RUN | HERO_PROC_FLAG_PRUNE, FAR,
                                         &results, &p.message),
                  0);
        ASSERT_EQ(results.n, 2);
        ASSERT_STREQ(results.items[1].service, "b");
        ASSERT_STREQ(results.items[1].outcome, "created");
        ASSERT(!results.items[1].reason);
        ASSERT_STREQ(results.difference, "flags 10");
}

TEST(text_that_cannot_travel_is_an_invalid_definition) {
        Peer p _cleanup_(peer_done);
        char *const texts[] = { (char *) "{\"name\":\"\xff\"}" };
        ServiceResults results = { 0 };

        peer_init(&p);
        ASSERT_EQ(hero_proc_client_apply(p.connection, texts, 1, 0, FAR, &results, &p.message),
                  HERO_E_INVALID_DEFINITION);
        ASSERT_STREQ(p.message, "not valid UTF-8 text");
}

TEST(reset_failed_reads_outcomes_and_reasons) {
        Peer p _cleanup_(peer_done);
        ServiceResults results _cleanup_(service_results_done) = { 0 };

        peer_init(&p);
        ASSERT_EQ(hero_proc_client_reset_failed(p.connection, NULL, 0, FAR, &results, &p.message), 0);
        ASSERT_EQ(results.n, 4);
        ASSERT_STREQ(results.items[0].outcome, "still-failed");
        ASSERT_STREQ(results.items[0].reason, "server left with status 1");
        ASSERT(!results.difference);
}

TEST(on_a_bus_without_the_server_it_is_not_running) {
        PrivateBus bus _cleanup_(private_bus_done);
        HeroProcConnection *connection _cleanup_(hero_proc_connection_freep) = NULL;
        char *json = NULL, *message _cleanup_free_ = NULL;

        ASSERT(private_bus_start(&bus));
        ASSERT_EQ(hero_proc_connection_open(&(HeroProcTarget){ 0 }, &connection, &message), 0);
        ASSERT_EQ(hero_proc_client_dump(connection, FAR, &json, &message), HERO_E_SERVER_UNREACHABLE);
        ASSERT_STREQ(message, "hero_proc_server is not running");
}

TEST(a_bus_that_is_not_there_is_an_unreachable_server) {
        HeroProcConnection *connection = NULL;
        char *message = NULL;

        setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
        ASSERT_EQ(hero_proc_connection_open(&(HeroProcTarget){ 0 }, &connection, &message), HERO_E_SERVER_UNREACHABLE);
        ASSERT(message && strstr(message, "system bus"));
        ASSERT(!connection);
        free(message);
}
