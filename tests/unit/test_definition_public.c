/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <string.h>

#include "core/service_definition.h"

typedef struct Parsed {
        ServiceDefinition **list;
        size_t n;
        char *message;
} Parsed;

static void parsed_done(Parsed *p) {
        service_definition_free_list(p->list, p->n);
        free(p->message);
}

static Parsed parse(const char *text) {
        Parsed p = { 0 };

        if (service_definition_parse(text, "/run/hero", &p.list, &p.n, &p.message) != 0)
                printf("     %s\n", p.message ? p.message : "?");
        return p;
}

TEST(what_is_not_for_everyone_is_null_and_the_rest_as_it_was) {
        Parsed p _cleanup_(parsed_done) = parse("[ {\"name\":\"web\", \"env\" : { \"A\":\"m1\" ,\"B\": "
                                                "\"m\\u0032\"},\n \"exec\":[\"x\", \"env\"],\"sockets\":[\"s\"],"
                                                "\"probe\":{\"socket\":\"s\",\"method\":\"POST\",\"headers\":{\"X\":"
                                                "\"m3\"},\"body\":{\"headers\":[\"m4\"]}}}]");

        ASSERT_EQ(p.n, 1);
        ASSERT_STREQ(p.list[0]->public_text,
                     "{\"name\":\"web\", \"env\" : { \"A\":null ,\"B\": null},\n \"exec\":[\"x\", "
                     "\"env\"],\"sockets\":[\"s\"],"
                     "\"probe\":{\"socket\":\"s\",\"method\":\"POST\",\"headers\":{\"X\":null},\"body\":null}}");
        ASSERT(strstr(p.list[0]->text, "m\\u0032"));
}

TEST(it_is_found_in_actions_and_their_probes_whatever_they_are_called) {
        Parsed p _cleanup_(parsed_done) = parse(
                "{\"name\":\"web\",\"probes\":[{\"port\":1,\"name\":\"p\"},{\"port\":2,\"headers\":{\"body\":\"m\"}}],"
                "\"actions\":{\"env\":{\"exec\":\"a\",\"env\":{\"env\":\"m\"}},"
                "\"headers\":{\"exec\":\"b\",\"probe\":{\"port\":3,\"method\":\"POST\",\"body\":\"m\"}},"
                "\"body\":{\"exec\":\"c\",\"credentials\":{\"key\":\"/etc/key\"}}}}");

        ASSERT_EQ(p.n, 1);
        ASSERT_STREQ(
                p.list[0]->public_text,
                "{\"name\":\"web\",\"probes\":[{\"port\":1,\"name\":\"p\"},{\"port\":2,\"headers\":{\"body\":null}}],"
                "\"actions\":{\"env\":{\"exec\":\"a\",\"env\":{\"env\":null}},"
                "\"headers\":{\"exec\":\"b\",\"probe\":{\"port\":3,\"method\":\"POST\",\"body\":null}},"
                "\"body\":{\"exec\":\"c\",\"credentials\":{\"key\":\"/etc/key\"}}}}");
}

TEST(where_nothing_is_hidden_there_is_no_second_text) {
        Parsed p _cleanup_(parsed_done) = parse("{\"name\":\"web\",\"exec\":\"x\",\"env\":{}}");

        ASSERT_EQ(p.n, 1);
        ASSERT(!p.list[0]->public_text);
}

TEST(a_public_text_is_refused_where_it_hides_something) {
        static const char *const texts[] = {
                "{\"name\":\"web\",\"exec\":\"x\",\"env\":{\"A\":\"m\"}}",
                "{\"name\":\"web\",\"exec\":\"x\",\"probe\":{\"port\":1,\"headers\":{\"A\":\"m\"}}}",
                ("{\"name\":\"web\",\"exec\":\"x\",\"probe\":{\"port\":1,\"method\":\"POST\","
                 "\"body\":\"m\"}}")
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                Parsed p _cleanup_(parsed_done) = parse(texts[i]), again _cleanup_(parsed_done) = { 0 };

                ASSERT_EQ(p.n, 1);
                ASSERT(service_definition_parse(p.list[0]->public_text, "/run/hero", &again.list, &again.n,
                                                &again.message) > 0);
                ASSERT(strstr(again.message, "null: expected"));
        }
}

TEST(what_was_stored_is_read_whatever_its_variables_are_called_and_never_quoted) {
        static const char secret[] = "{\"name\":\"web\",\"exec\":\"x\",\"env\":{\"DB_PASSWORD\":\"m\"}}";
        static const char wrong[] = "{\"name\":\"web\",\"exec\":\"x\",\"env\":[\"marker\"]}";
        Parsed fresh _cleanup_(parsed_done) = { 0 }, stored _cleanup_(parsed_done) = { 0 },
                     faulty _cleanup_(parsed_done) = { 0 };

        ASSERT(service_definition_parse(secret, "/run/hero", &fresh.list, &fresh.n, &fresh.message) > 0);
        ASSERT(strstr(fresh.message, "web: env.DB_PASSWORD: PASSWORD: "));
        ASSERT_EQ(service_definition_parse_stored(secret, "/run/hero", &stored.list, &stored.n, &stored.message), 0);
        ASSERT(service_definition_parse_stored(wrong, "/run/hero", &faulty.list, &faulty.n, &faulty.message) > 0);
        ASSERT_STREQ(faulty.message, "web: env: expected an object of strings");
}
