/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "cli/journal_command.h"

static const char two_actions[] =
        "{\"name\":\"hero_os\",\"actions\":[{\"name\":\"server\",\"unit\":\"hero-hero_os@server.service\"},"
        "{\"name\":\"ui\",\"unit\":\"hero-hero_os@ui.service\"}]}";

/* The command's words with one blank between them. */
static const char *for_service(const JournalQuery *query, const char *json) {
        static char text[512];
        struct json_object *service = json_tokener_parse(json);
        char **argv _cleanup_(journal_command_freep) = journal_command_for_service(query, service);

        json_object_put(service);
        *text = '\0';
        for (char **a = argv; *a; a++) {
                strcat(text, *text ? " " : "");
                strcat(text, *a);
        }
        return text;
}

TEST(every_unit_of_the_service_is_asked_for) {
        ASSERT_STREQ(for_service(&(JournalQuery){ 0 }, two_actions),
                     "journalctl --unit=hero-hero_os@server.service --unit=hero-hero_os@ui.service");
}

TEST(the_options_are_handed_on) {
        ASSERT_STREQ(for_service(&(JournalQuery){ .is_user = true,
                                                  .machine = "box",
                                                  .follow = true,
                                                  .no_pager = true,
                                                  .quiet = true,
                                                  .n_lines = "20" },
                                 two_actions),
                     "journalctl --no-pager --quiet --machine=box --follow --lines=20 "
                     "--user-unit=hero-hero_os@server.service --user-unit=hero-hero_os@ui.service");
}

TEST(a_service_without_units_is_not_taken_for_the_whole_journal) {
        ASSERT_STREQ(for_service(&(JournalQuery){ 0 }, "{\"name\":\"hero_os\",\"actions\":[]}"),
                     "journalctl --unit=hero-hero_os.service --unit=hero-hero_os@*.service");
}

TEST(a_command_that_does_not_exist_is_an_error) {
        char *const argv[] = { (char *) "/nonexistent/journalctl", NULL };

        ASSERT(journal_command_run((char **) argv) != 0);
}
