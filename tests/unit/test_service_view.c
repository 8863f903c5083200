/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/clock.h"
#include "base/outcome.h"
#include "boundary/service_view.h"
#include "private_bus.h"

#define FAR (20 * USEC_PER_SEC)

/* A view and what it told, as "name:old>new ". */
typedef struct Fixture {
        PrivateBus bus;
        HeroProcConnection *connection;
        ServiceView *view;
        char *message;
        char told[1024];
        sd_event *event; /* NULL: the test itself waits */
        pid_t stopped;   /* the server; 0: it runs */
} Fixture;

static void let_go_on(Fixture *f) {
        if (f->stopped > 0)
                (void) kill(f->stopped, SIGCONT);
        f->stopped = 0;
}

static void fixture_done(Fixture *f) {
        let_go_on(f);
        service_view_free(f->view);
        hero_proc_connection_free(f->connection);
        sd_event_unref(f->event);
        free(f->message);
        if (f->bus.daemon > 0)
                private_bus_done(&f->bus);
}

static void remember(const ViewEvent *e, void *userdata) {
        static const char *const kinds[] = {
                [VIEW_SERVICE_CHANGED] = "",
                [VIEW_SERVICE_REMOVED] = "removed",
                [VIEW_SERVER_GONE] = "gone",
                [VIEW_SERVER_BACK] = "back",
        };
        Fixture *f = userdata;
        size_t n = strlen(f->told);

        if (e->kind == VIEW_SERVICE_CHANGED)
                (void) snprintf(f->told + n, sizeof f->told - n, "%s:%s>%s ", e->service->name,
                                (int) e->old_state < 0 ? "" : service_state_to_string(e->old_state),
                                service_state_to_string(e->service->state));
        else
                (void) snprintf(f->told + n, sizeof f->told - n, "%s:%s ", e->service ? e->service->name : "server",
                                kinds[e->kind]);
}

static bool handle_until(Fixture *f, bool (*is_so)(const Fixture *f)) {
        uint64_t deadline = usec_add(clock_monotonic_usec(), FAR);

        while (!is_so(f)) {
                uint64_t now = clock_monotonic_usec();

                if (f->event ? now >= deadline || sd_event_run(f->event, deadline - now) < 0
                             : hero_proc_connection_wait(f->connection, deadline, &f->message) != 0)
                        return false;
        }
        return true;
}

static bool is_live(const Fixture *f) {
        return service_view_is_live(f->view);
}

static bool has_error(const Fixture *f) {
        const char *message;

        return service_view_error(f->view, &message) != 0;
}

static bool later_runs(const Fixture *f) {
        return strstr(f->told, "hero_later:starting>running") != NULL;
}

static bool fleeting_is_removed(const Fixture *f) {
        return strstr(f->told, "hero_fleeting:removed") != NULL;
}

static bool mortal_runs_again(const Fixture *f) {
        return strstr(f->told, "hero_mortal:unknown>running") != NULL;
}

static bool connect_to_bus(Fixture *f, bool with_server) {
        *f = (Fixture){ 0 };
        return private_bus_start(&f->bus) && (!with_server || private_bus_start_server(&f->bus)) &&
               hero_proc_connection_open(&(HeroProcTarget){ 0 }, &f->connection, &f->message) == 0;
}

static bool begin_to_view(Fixture *f, char *const *names) {
        return service_view_new(names, remember, f, &f->view) == 0 &&
               service_view_attach(f->view, f->connection, &f->message) == 0;
}

/* On a bus of its own, on which there may be a server. */
static bool fixture_init(Fixture *f, bool with_server, char *const *names) {
        return connect_to_bus(f, with_server) && begin_to_view(f, names);
}

static bool stop_the_server(Fixture *f) {
        sd_bus_creds *creds = NULL;
        bool stopped = sd_bus_get_name_creds(hero_proc_connection_bus(f->connection), HERO_PROC_NAME, SD_BUS_CREDS_PID,
                                             &creds) >= 0 &&
                       sd_bus_creds_get_pid(creds, &f->stopped) >= 0 && kill(f->stopped, SIGSTOP) == 0;

        sd_bus_creds_unref(creds);
        return stopped;
}

static void on_lost(void *userdata _unused_) {
}

TEST(all_services_are_there_by_name_with_state_and_reasons) {
        Fixture f _cleanup_(fixture_done);
        const ViewedService *db;
        size_t n;

        ASSERT(fixture_init(&f, true, NULL));
        ASSERT(!service_view_is_live(f.view));
        ASSERT(handle_until(&f, is_live));
        ASSERT_STREQ(service_view_services(f.view, &n)[0]->name, "hero_db");
        ASSERT_EQ(n, STAND_IN_SERVICES);
        ASSERT_STREQ(service_view_services(f.view, &n)[n - 1]->name, "hero_slow");
        db = service_view_find(f.view, "hero_db");
        ASSERT(db && db->state == SERVICE_FAILED && db->wanted_up && db->n_reasons == 2);
        ASSERT_EQ(db->since_usec, 1763805600000000);
        ASSERT_STREQ(db->reasons[1].code, "socket-missing");
        ASSERT_STREQ(db->reasons[1].subject, "/run/hero/hero_db/rpc.sock");
        ASSERT_STREQ(viewed_service_reason(db), "server left with status 1");
        ASSERT_STREQ(viewed_service_reason(service_view_find(f.view, "hero_os")), "");
        ASSERT(!service_view_find(f.view, "nobody"));
}

TEST(signals_carry_it_on_without_another_question) {
        Fixture f _cleanup_(fixture_done);
        const ViewedService *later;

        ASSERT(fixture_init(&f, true, NULL));
        ASSERT(handle_until(&f, later_runs));
        later = service_view_find(f.view, "hero_later");
        ASSERT_EQ(later->n_reasons, 0);
        ASSERT(strstr(f.told, "hero_later:>starting "));
}

TEST(only_those_that_are_named_are_there_and_one_that_is_unknown_is_not) {
        char *const names[] = { (char *) "hero_later", (char *) "hero_oss", (char *) "hero_fleeting", NULL };
        Fixture f _cleanup_(fixture_done);

        ASSERT(fixture_init(&f, true, names));
        ASSERT(handle_until(&f, later_runs));
        ASSERT(handle_until(&f, fleeting_is_removed));
        ASSERT(service_view_is_live(f.view));
        ASSERT(service_view_find(f.view, "hero_later"));
        ASSERT(!service_view_find(f.view, "hero_oss"));
        ASSERT(!service_view_find(f.view, "hero_fleeting"));
        ASSERT(!service_view_find(f.view, "hero_os"));
}

TEST(more_names_than_may_be_asked_for_at_a_time_are_all_asked_for) {
        enum { MANY = 150 };
        char texts[MANY][16], *names[MANY + 1] = { NULL };
        Fixture f _cleanup_(fixture_done);
        size_t n;

        for (size_t i = 0; i < MANY; i++) {
                (void) snprintf(texts[i], sizeof texts[i], i == MANY - 1 ? "hero_os" : "nobody_%zu", i);
                names[i] = texts[i];
        }
        ASSERT(fixture_init(&f, true, names));
        ASSERT(handle_until(&f, is_live));
        (void) service_view_services(f.view, &n);
        ASSERT_EQ(n, 1);
        ASSERT_STREQ(f.told, "hero_os:>running ");
}

TEST(when_the_server_leaves_nothing_is_known_until_it_is_back_and_has_answered) {
        char *const names[] = { (char *) "hero_os", (char *) "hero_mortal", NULL };
        Fixture f _cleanup_(fixture_done);
        char *gone;

        ASSERT(fixture_init(&f, true, names));
        ASSERT(handle_until(&f, mortal_runs_again));
        ASSERT(handle_until(&f, is_live));
        gone = strstr(f.told, "server:gone ");
        ASSERT(gone);
        ASSERT(strstr(gone, "server:back "));
        ASSERT(strstr(strstr(gone, "server:back "), "hero_os:unknown>running"));
        ASSERT(!has_error(&f));
}

TEST(a_server_that_is_not_there_is_an_error_and_not_an_empty_list) {
        Fixture f _cleanup_(fixture_done);
        const char *message;

        ASSERT(fixture_init(&f, false, NULL));
        ASSERT(handle_until(&f, has_error));
        ASSERT_EQ(service_view_error(f.view, &message), HERO_E_SERVER_UNREACHABLE);
        ASSERT_STREQ(message, "hero_proc_server is not running");
        ASSERT(!service_view_is_live(f.view));
        /* And when one comes, it is noticed. */
        ASSERT(private_bus_start_server(&f.bus));
        ASSERT(handle_until(&f, is_live));
        ASSERT(!has_error(&f));
}

TEST(a_connection_that_is_given_up_leaves_nothing_known) {
        Fixture f _cleanup_(fixture_done);
        const char *message;
        size_t n;

        ASSERT(fixture_init(&f, true, NULL));
        ASSERT(handle_until(&f, is_live));
        service_view_detach(f.view, "lost the connection to the bus");
        ASSERT(!service_view_is_live(f.view));
        ASSERT_EQ(service_view_error(f.view, &message), HERO_E_SERVER_UNREACHABLE);
        (void) service_view_services(f.view, &n);
        ASSERT_EQ(n, STAND_IN_SERVICES);
        ASSERT_EQ(service_view_find(f.view, "hero_os")->state, SERVICE_UNKNOWN);
        ASSERT_EQ(service_view_attach(f.view, f.connection, &f.message), 0);
        ASSERT(handle_until(&f, is_live));
        ASSERT_EQ(service_view_find(f.view, "hero_os")->state, SERVICE_RUNNING);
}

/* It goes on under the name that it had, so that nothing tells of it. */
TEST(a_server_that_was_held_up_while_it_was_asked_is_asked_again) {
        for (int with_loop = 0; with_loop < 2; with_loop++) {
                Fixture f _cleanup_(fixture_done);
                const char *message;

                ASSERT(connect_to_bus(&f, true));
                hero_proc_connection_set_patience(f.connection, 50 * USEC_PER_MSEC);
                ASSERT(stop_the_server(&f));
                if (with_loop) {
                        ASSERT(sd_event_new(&f.event) >= 0);
                        ASSERT(hero_proc_connection_attach_event(f.connection, f.event, on_lost, NULL) >= 0);
                }
                ASSERT(begin_to_view(&f, NULL));
                ASSERT(handle_until(&f, has_error));
                ASSERT_EQ(service_view_error(f.view, &message), HERO_E_SERVER_UNREACHABLE);
                ASSERT_STREQ(message, "hero_proc_server does not answer");
                ASSERT(service_view_asks_again(f.view));
                let_go_on(&f);
                ASSERT(handle_until(&f, is_live));
                ASSERT(!has_error(&f));
                ASSERT(strstr(f.told, "server:gone server:back hero_db:>failed "));
        }
}

TEST(after_an_error_of_the_moment_it_is_asked_again_with_a_pause_and_nothing_is_taken_for_removed) {
        char *const os[] = { (char *) "hero_os", NULL };

        for (int with_names = 0; with_names < 2; with_names++) {
                Fixture f _cleanup_(fixture_done);
                uint64_t began;
                bool begun;

                stand_in_finds_that_fail = 1;
                begun = fixture_init(&f, true, with_names ? os : NULL);
                stand_in_finds_that_fail = 0;
                ASSERT(begun);
                ASSERT(handle_until(&f, has_error));
                ASSERT(service_view_asks_again(f.view));
                began = clock_monotonic_usec();
                ASSERT(handle_until(&f, is_live));
                ASSERT(clock_monotonic_usec() - began > 900 * USEC_PER_MSEC);
                ASSERT(strstr(f.told, "server:gone server:back ") == f.told);
                ASSERT(strstr(f.told, "hero_os:>running "));
                ASSERT(!strstr(f.told, "removed"));
        }
}
