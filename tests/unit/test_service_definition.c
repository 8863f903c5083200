/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "core/definition_field.h"
#include "core/definition_systemd.h"
#include "core/service_definition.h"

/* The claims about whole files are in tests/definitions: bad/NNN-what.json with the message in NNN-what.expect, and
 * good/what.json. Run from the top of the tree, or with the folder of `definitions` in HERO_PROC_TESTS. */
static const char *tests_folder(void) {
        const char *folder = getenv("HERO_PROC_TESTS");

        return folder ? folder : "tests";
}

static char *read_whole(const char *path) {
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        size_t n = 0, size = 0;
        char *text = NULL;

        if (!f)
                return NULL;
        for (;;) {
                size_t got;

                if (size - n < 4096) {
                        size = size * 2 + 8192;
                        text = realloc(text, size);
                        if (!text)
                                return NULL;
                }
                got = fread(text + n, 1, size - n - 1, f);
                n += got;
                if (got == 0)
                        break;
        }
        text[n] = '\0';
        return text;
}

/* One parse with all that it gives. */
typedef struct Parsed {
        ServiceDefinition **list;
        size_t n;
        char *message;
        int result;
} Parsed;

static void parsed_done(Parsed *p) {
        service_definition_free_list(p->list, p->n);
        free(p->message);
}

#define _cleanup_parsed_ _cleanup_(parsed_done)

static Parsed parse(const char *text) {
        Parsed p = {};

        p.result = service_definition_parse(text, "/run/hero", &p.list, &p.n, &p.message);
        return p;
}

static int n_files;

/* Calls `check` for each file of the folder whose name ends in ".json". */
static void walk(const char *folder, const char *(*check)(const char *path)) {
        char path[512];
        struct dirent *entry;
        DIR *dir;

        snprintf(path, sizeof path, "%s/definitions/%s", tests_folder(), folder);
        dir = opendir(path);
        if (!dir)
                FAIL("cannot open %s", path);
        n_files = 0;
        while ((entry = readdir(dir))) {
                const char *dot = strrchr(entry->d_name, '.'), *fault;

                if (!dot || strcmp(dot, ".json") != 0)
                        continue;
                snprintf(path, sizeof path, "%s/definitions/%s/%s", tests_folder(), folder, entry->d_name);
                n_files++;
                fault = check(path);
                if (!fault)
                        continue;
                unit_test_failed = true;
                printf("     %s: %s\n", path, fault);
        }
        closedir(dir);
}

static const char *is_refused_as_expected(const char *path) {
        static char fault[1024];
        _cleanup_free_ char *text = read_whole(path), *expected = NULL;
        _cleanup_parsed_ Parsed p = {};
        char expect_path[512];

        snprintf(expect_path, sizeof expect_path, "%.*s.expect", (int) (strrchr(path, '.') - path), path);
        expected = read_whole(expect_path);
        if (!text || !expected)
                return "cannot be read, or has no .expect beside it";
        expected[strcspn(expected, "\n")] = '\0';
        p = parse(text);
        if (p.result != HERO_E_INVALID_DEFINITION || !p.message || p.list)
                return "is not refused";
        snprintf(fault, sizeof fault, "\n       says \"%s\"\n       and not \"%s\"", p.message, expected);
        return strcmp(p.message, expected) == 0 ? NULL : fault;
}

TEST(each_bad_definition_is_refused_with_its_message) {
        walk("bad", is_refused_as_expected);
        ASSERT(n_files >= 110);
}

static const char *is_kept_byte_for_byte(const char *path) {
        static char fault[512];
        _cleanup_free_ char *text = read_whole(path);
        _cleanup_parsed_ Parsed p = {};
        const char *at = text;

        if (!text)
                return "cannot be read";
        p = parse(text);
        if (p.result != 0) {
                snprintf(fault, sizeof fault, "is refused: %s", p.message);
                return fault;
        }
        /* In the text's order, each without the commas and blanks between. */
        for (size_t i = 0; i < p.n; i++) {
                at += strcspn(at, "{");
                if (strncmp(at, p.list[i]->text, strlen(p.list[i]->text)) != 0)
                        return "is altered in `text`";
                at += strlen(p.list[i]->text);
        }
        at += strspn(at, " \t\r\n]");
        return *at ? "is cut short in `text`" : NULL;
}

TEST(each_good_definition_keeps_its_text) {
        walk("good", is_kept_byte_for_byte);
        ASSERT(n_files >= 8);
}

TEST(a_text_of_nothing_optional_is_kept_and_filled_with_defaults) {
        static const char text[] = "{\"name\":\"web\",\"exec\":[\"/bin/sleep\",\"9\"]}";
        _cleanup_parsed_ Parsed p = parse("{\"name\":\"web\",\"exec\":[\"/bin/sleep\",\"9\"]}\n");
        const ServiceDefinition *d;
        const ActionDefinition *a;

        ASSERT_EQ(p.result, 0);
        ASSERT_EQ(p.n, 1);
        d = p.list[0];
        ASSERT_STREQ(d->text, text);
        ASSERT_STREQ(d->name, "web");
        ASSERT_STREQ(d->directory, "/run/hero/web");
        ASSERT(!d->description && d->autostart && !d->require_ready && !d->requires && !d->after);
        ASSERT_EQ(d->on_unhealthy, UNHEALTHY_RESTART);
        ASSERT_EQ(d->n_actions, 1);
        ASSERT_EQ(d->n_sockets, 0);
        ASSERT_EQ(d->n_probes, 0);
        a = &d->actions[0];
        ASSERT_STREQ(a->name, "main");
        ASSERT_STREQ(a->exec[0], "/bin/sleep");
        ASSERT_STREQ(a->exec[1], "9");
        ASSERT(!a->exec[2] && !a->env && !a->env_file && !a->user && !a->group && !a->working_dir && !a->systemd);
        ASSERT_EQ(a->kind, ACTION_KIND_PROCESS);
        ASSERT_EQ(a->ready, READY_EXEC);
        ASSERT_EQ(a->umask, -1);
        ASSERT_EQ(a->start_timeout_usec, 30000000);
        ASSERT_EQ(a->stop_timeout_usec, 10000000);
        ASSERT_EQ(a->stop_signal, SIGTERM);
        ASSERT(!a->kill_others);
        ASSERT_EQ(a->restart.policy, RESTART_ON_FAILURE);
        ASSERT_EQ(a->restart.delay_usec, 1000000);
        ASSERT_EQ(a->restart.max_delay_usec, 60000000);
        ASSERT_EQ(a->restart.max_attempts, 5);
        ASSERT_EQ(a->restart.window_usec, 600000000);
        ASSERT_EQ(a->restart.stability_period_usec, 60000000);
        ASSERT(a->memory_max_bytes == UINT64_MAX && a->tasks_max == UINT64_MAX && a->cpu_quota_percent == 0);
}

TEST(a_probe_of_nothing_optional_is_filled_with_defaults) {
        _cleanup_parsed_ Parsed p = parse("{\"name\":\"web\",\"exec\":\"x\",\"probe\":{\"port\":8080}}");
        const ProbeDefinition *q;

        ASSERT_EQ(p.result, 0);
        ASSERT_EQ(p.list[0]->n_probes, 1);
        q = p.list[0]->probes;
        ASSERT_STREQ(q->name, "health");
        ASSERT_EQ(q->action, 0);
        ASSERT_EQ(q->type, PROBE_HTTP);
        ASSERT_EQ(q->role, PROBE_LIVENESS);
        ASSERT(!q->socket && q->port == 8080 && !q->body && !q->expect_body && q->n_headers == 0);
        ASSERT_STREQ(q->method, "GET");
        ASSERT_STREQ(q->path, "/health");
        ASSERT_EQ(q->n_expect_status, 1);
        ASSERT_EQ(q->expect_status[0].first, 200);
        ASSERT_EQ(q->expect_status[0].last, 399);
        ASSERT_EQ(q->interval_usec, 5000000);
        ASSERT_EQ(q->timeout_usec, 2000000);
        ASSERT_EQ(q->fast_interval_usec, 200000);
        ASSERT_EQ(q->down_interval_usec, 5000000);
        ASSERT_EQ(q->failures, 3);
        ASSERT_EQ(q->successes, 1);
        ASSERT(q->window_failures == 0 && q->window_length == 0);
}

TEST(every_field_of_an_action_arrives) {
        _cleanup_parsed_ Parsed p =
                parse("{\"name\": \"web\", \"description\": \"d\", \"autostart\": false, \"requires\": [\"db\"], "
                      "\"after\": [\"x\", \"db\"],"
                      " \"on_unhealthy\": \"report\", \"exec\": \"a; b\", \"ready\": \"fd3\", \"env\": {\"A\": \"1\", "
                      "\"_b\": \"\"},"
                      " \"env_file\": \"/etc/e\", \"credentials\": {\"key\": \"/etc/k\"}, \"user\": \"www-data\", "
                      "\"group\": 33,"
                      " \"working_dir\": \"/\", \"umask\": \"027\", \"ports\": [80, 443], \"start_timeout_ms\": 1, "
                      "\"stop_timeout_ms\": 2,"
                      " \"stop_signal\": \"INT\", \"kill_others\": true,"
                      " \"restart\": {\"policy\": \"never\", \"delay_ms\": 3, \"max_delay_ms\": 4, \"max_attempts\": 6,"
                      "  \"window_ms\": 7000, \"stability_period_ms\": 8},"
                      " \"limits\": {\"memory_max\": \"2M\", \"cpu_quota_percent\": 150, \"tasks_max\": 9}}");
        const ServiceDefinition *d;
        const ActionDefinition *a;

        ASSERT_STREQ(p.message, NULL);
        d = p.list[0];
        a = d->actions;
        ASSERT_STREQ(d->description, "d");
        ASSERT(!d->autostart && d->on_unhealthy == UNHEALTHY_REPORT);
        ASSERT_STREQ(d->requires[0], "db");
        ASSERT_STREQ(d->after[0], "x");
        ASSERT(!d->requires[1] && !d->after[1]);
        ASSERT_STREQ(a->exec[0], "/bin/sh");
        ASSERT_STREQ(a->exec[1], "-c");
        ASSERT_STREQ(a->exec[2], "a; b");
        ASSERT(!a->exec[3]);
        ASSERT_EQ(a->ready, READY_FD3);
        ASSERT_EQ(a->n_env, 2);
        ASSERT_STREQ(a->env[1].key, "_b");
        ASSERT_STREQ(a->env[1].value, "");
        ASSERT_STREQ(a->env_file[0], "/etc/e");
        ASSERT_EQ(a->n_credentials, 1);
        ASSERT_STREQ(a->credentials[0].value, "/etc/k");
        ASSERT_STREQ(a->user, "www-data");
        ASSERT_STREQ(a->group, "33");
        ASSERT_STREQ(a->working_dir, "/");
        ASSERT_EQ(a->umask, 027);
        ASSERT(d->n_ports == 2 && d->ports[1].port == 443 && d->ports[1].action == 0);
        ASSERT_STREQ(d->ports[1].name, "port 443");
        ASSERT(a->start_timeout_usec == 1000 && a->stop_timeout_usec == 2000 && a->stop_signal == SIGINT &&
               a->kill_others);
        ASSERT(a->restart.policy == RESTART_NEVER && a->restart.delay_usec == 3000 &&
               a->restart.max_delay_usec == 4000);
        ASSERT(a->restart.max_attempts == 6 && a->restart.window_usec == 7000000);
        ASSERT_EQ(a->restart.stability_period_usec, 8000);
        ASSERT(a->memory_max_bytes == 2097152 && a->cpu_quota_percent == 150 && a->tasks_max == 9);
}

TEST(every_field_of_a_probe_arrives) {
        _cleanup_parsed_ Parsed p = parse(
                "{\"name\": \"web\", \"exec\": \"x\", \"sockets\": [\"a/rpc.sock\"], \"probes\": [{\"name\": \"p\", "
                "\"role\": \"report\","
                " \"socket\": \"/run/hero/web/a/rpc.sock\", \"method\": \"POST\", \"path\": \"/r?x=1\", \"headers\": "
                "{\"Host\": \"h\"},"
                " \"body\": {\"a\" : [1,  2.50]}, \"expect_status\": [\"200-204, 206\", 404], \"expect_body\": \"ok\","
                " \"interval_ms\": 100, \"timeout_ms\": 1, \"failures\": 9, \"successes\": 2, \"fast_interval_ms\": 10,"
                " \"down_interval_ms\": 60000, \"failures_in\": [5, 10]}, {\"type\": \"connect\", \"socket\": "
                "\"a/rpc.sock\"}]}");
        const ProbeDefinition *q;

        ASSERT_STREQ(p.message, NULL);
        ASSERT_EQ(p.list[0]->n_probes, 2);
        q = p.list[0]->probes;
        ASSERT_STREQ(q->name, "p");
        ASSERT_EQ(q->role, PROBE_REPORT);
        ASSERT_STREQ(q->socket, "/run/hero/web/a/rpc.sock");
        ASSERT_STREQ(q->method, "POST");
        ASSERT_STREQ(q->path, "/r?x=1");
        ASSERT_STREQ(q->headers[0].name, "Host");
        ASSERT_STREQ(q->headers[0].value, "h");
        ASSERT(q->body_is_json);
        ASSERT_STREQ(q->body, "{\"a\" : [1,  2.50]}");
        ASSERT_EQ(q->n_expect_status, 3);
        ASSERT(q->expect_status[0].first == 200 && q->expect_status[0].last == 204);
        ASSERT(q->expect_status[1].first == 206 && q->expect_status[2].last == 404);
        ASSERT_STREQ(q->expect_body, "ok");
        ASSERT(q->interval_usec == 100000 && q->timeout_usec == 1000 && q->fast_interval_usec == 10000);
        ASSERT(q->down_interval_usec == 60000000 && q->failures == 9 && q->successes == 2);
        ASSERT(q->window_failures == 5 && q->window_length == 10);
        q++;
        ASSERT_STREQ(q->name, "connect");
        ASSERT_STREQ(q->socket, "/run/hero/web/a/rpc.sock");
        ASSERT(!q->path && !q->method && q->n_expect_status == 0);
}

TEST(a_string_body_is_sent_as_it_is) {
        _cleanup_parsed_ Parsed p =
                parse("{\"name\": \"web\", \"exec\": \"x\", \"probe\": {\"port\": 1, \"method\": \"POST\","
                      " \"body\": \"a=1&\\u00e9\"}}");

        ASSERT_EQ(p.result, 0);
        ASSERT(!p.list[0]->probes[0].body_is_json);
        ASSERT_STREQ(p.list[0]->probes[0].body, "a=1&\xc3\xa9");
}

TEST(a_default_gives_way_to_what_was_written) {
        _cleanup_parsed_ Parsed p = parse("{\"name\": \"web\", \"exec\": \"x\", \"restart\": {\"delay_ms\": 90000},"
                                          " \"probe\": {\"port\": 1, \"interval_ms\": 150}}");

        ASSERT_EQ(p.result, 0);
        ASSERT_EQ(p.list[0]->actions[0].restart.max_delay_usec, 90000000);
        ASSERT_EQ(p.list[0]->probes[0].fast_interval_usec, 150000);
}

TEST(the_services_restart_fills_in_below_the_actions_own) {
        _cleanup_parsed_ Parsed p =
                parse("{\"name\": \"web\", \"restart\": {\"policy\": \"always\", \"delay_ms\": 7}, \"actions\": {"
                      "\"a\": {\"exec\": \"x\", \"restart\": {\"delay_ms\": 9}}, \"b\": {\"exec\": \"x\"}}}");

        ASSERT_EQ(p.result, 0);
        ASSERT_EQ(p.list[0]->actions[0].restart.policy, RESTART_ALWAYS);
        ASSERT_EQ(p.list[0]->actions[0].restart.delay_usec, 9000);
        ASSERT_EQ(p.list[0]->actions[1].restart.delay_usec, 7000);
        ASSERT_EQ(p.list[0]->actions[1].restart.max_attempts, 5);
}

TEST(ready_is_the_explicit_one_else_the_file_where_it_is_required) {
        _cleanup_parsed_ Parsed p = parse(
                "{\"name\": \"web\", \"require_ready\": true, \"actions\": {\"a\": {\"exec\": \"x\"},"
                " \"b\": {\"exec\": \"x\", \"ready\": \"exec\"}, \"c\": {\"exec\": \"x\", \"kind\": \"oneshot\"}}}");

        ASSERT_EQ(p.result, 0);
        ASSERT_EQ(p.list[0]->actions[0].ready, READY_FILE);
        ASSERT_EQ(p.list[0]->actions[1].ready, READY_EXEC);
        ASSERT_EQ(p.list[0]->actions[2].ready, READY_EXEC);
}

TEST(a_oneshot_has_all_the_time_it_takes_unless_it_is_given_less) {
        _cleanup_parsed_ Parsed p =
                parse("{\"name\": \"web\", \"actions\": {\"a\": {\"exec\": \"x\", \"kind\": \"oneshot\"},"
                      " \"b\": {\"exec\": \"x\", \"kind\": \"oneshot\", \"start_timeout_ms\": 7},"
                      " \"c\": {\"exec\": \"x\"}}}");

        ASSERT_EQ(p.result, 0);
        ASSERT_EQ(p.list[0]->actions[0].start_timeout_usec, USEC_NEVER);
        ASSERT_EQ(p.list[0]->actions[1].start_timeout_usec, 7000);
        ASSERT_EQ(p.list[0]->actions[2].start_timeout_usec, 30000000);
}

TEST(a_socket_belongs_to_the_action_that_declares_it) {
        _cleanup_parsed_ Parsed p =
                parse("{\"name\": \"web\", \"sockets\": [\"x\", \"y\"], \"probe\": {\"socket\": \"z\"}, \"actions\": {"
                      "\"a\": {\"exec\": \"x\"}, \"b\": {\"exec\": \"x\", \"sockets\": [\"/run/hero/web/y\", \"z\"],"
                      " \"probe\": {\"socket\": \"x\"}}}}");
        const ServiceDefinition *d;

        ASSERT_EQ(p.result, 0);
        d = p.list[0];
        ASSERT_EQ(d->n_sockets, 3);
        ASSERT_STREQ(d->sockets[0].name, "x");
        ASSERT_EQ(d->sockets[0].action, -1);
        ASSERT_STREQ(d->sockets[1].name, "y");
        ASSERT_EQ(d->sockets[1].action, 1);
        ASSERT_STREQ(d->sockets[2].path, "/run/hero/web/z");
        ASSERT_EQ(d->sockets[2].action, 1);
        ASSERT_EQ(d->probes[0].action, -1);
        ASSERT_EQ(d->probes[1].action, 1);
        ASSERT_STREQ(d->probes[1].name, "health-2");
}

TEST(a_single_action_owns_what_its_service_declares) {
        _cleanup_parsed_ Parsed p = parse("{\"name\": \"web\", \"sockets\": [\"x\"], \"probe\": {\"socket\": \"x\"},"
                                          " \"actions\": {\"a\": {\"exec\": \"x\", \"sockets\": [\"x\", \"y\"]}}}");

        ASSERT_EQ(p.result, 0);
        ASSERT_EQ(p.list[0]->n_sockets, 2);
        ASSERT(p.list[0]->sockets[0].action == 0 && p.list[0]->sockets[1].action == 0);
        ASSERT_EQ(p.list[0]->probes[0].action, 0);
}

TEST(a_socket_path_of_107_bytes_is_taken) {
        char text[300];
        _cleanup_parsed_ Parsed p = {};

        /* "/run/hero/web/" has 14. */
        snprintf(text, sizeof text, "{\"name\": \"web\", \"exec\": \"x\", \"sockets\": [\"%093d\"]}", 0);
        p = parse(text);
        ASSERT_EQ(p.result, 0);
        ASSERT_EQ(strlen(p.list[0]->sockets[0].path), 107);
}

TEST(unnamed_probes_are_named_after_what_they_ask) {
        static const char *const names[] = { "api_files", "http",        "rpc",   "api_files-2",
                                             "connect",   "api_files-3", "v1.0-x" };
        _cleanup_parsed_ Parsed p =
                parse("{\"name\": \"web\", \"exec\": \"x\", \"probes\": ["
                      "{\"port\": 1, \"path\": \"/api/files/?deep=1\"}, {\"port\": 1, \"path\": \"/\"},"
                      "{\"port\": 1, \"name\": \"rpc\"}, {\"port\": 1, \"name\": \"api_files-2\"}, {\"port\": 1, "
                      "\"type\": \"connect\"},"
                      "{\"port\": 1, \"path\": \"/api/files\"}, {\"port\": 1, \"path\": \"/v1.0-x\"}]}");

        ASSERT_EQ(p.result, 0);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                ASSERT_STREQ(p.list[0]->probes[i].name, names[i]);
        }
}

TEST(the_longest_paths_still_get_different_names_that_are_valid) {
        char text[4096], *at = text;
        _cleanup_parsed_ Parsed p = {};

        at += sprintf(at, "{\"name\": \"web\", \"exec\": \"x\", \"probes\": [");
        for (int i = 0; i < 20; i++)
                at += sprintf(at, "%s{\"port\": 1, \"path\": \"/%0100d\"}", i > 0 ? "," : "", i);
        (void) strcpy(at, "]}");
        p = parse(text);
        ASSERT_EQ(p.result, 0);
        for (size_t i = 0; i < p.list[0]->n_probes; i++) {
                ASSERT(service_name_is_valid(p.list[0]->probes[i].name));
                for (size_t j = 0; j < i; j++)
                        ASSERT(strcmp(p.list[0]->probes[i].name, p.list[0]->probes[j].name) != 0);
        }
}

TEST(arguments_and_variables_may_be_as_long_as_the_kernel_takes) {
        enum { LONGEST = DEFINITION_STRING_MAX - 1 };
        _cleanup_free_ char *text = malloc(2 * DEFINITION_STRING_MAX + 256);
        _cleanup_parsed_ Parsed p = {};

        ASSERT(text);
        sprintf(text, "{\"name\": \"web\", \"exec\": [\"a\", \"%0*d\"], \"env\": {\"A\": \"%0*d\"}}", LONGEST, 0,
                LONGEST - 2, 0);
        p = parse(text);
        ASSERT_EQ(p.result, 0);
        ASSERT_EQ(strlen(p.list[0]->actions[0].exec[1]), LONGEST);
        ASSERT_EQ(strlen(p.list[0]->actions[0].env[0].value), LONGEST - 2);
}

TEST(a_service_of_more_than_a_mebibyte_is_refused) {
        _cleanup_free_ char *text = malloc(DEFINITION_TEXT_MAX + 256);
        _cleanup_parsed_ Parsed p = {};
        int n;

        ASSERT(text);
        n = sprintf(text, "{\"name\": \"web\",%*s\"exec\": \"x\"}", DEFINITION_TEXT_MAX, "");
        ASSERT(n > DEFINITION_TEXT_MAX);
        p = parse(text);
        ASSERT_EQ(p.result, HERO_E_INVALID_DEFINITION);
        ASSERT_STREQ(p.message, "definition: expected at most 1048576 bytes a service");
}

TEST(the_systemd_table_arrives_with_the_types_of_the_bus) {
        _cleanup_parsed_ Parsed p = parse("{\"name\": \"web\", \"exec\": \"x\", \"systemd\": {\"PrivateTmp\": true, "
                                          "\"ProtectSystem\": \"strict\","
                                          " \"ReadOnlyPaths\": [\"/etc\", \"-+/x\"], \"MemoryHigh\": \"1M\", "
                                          "\"LimitNOFILE\": \"infinity\", \"Nice\": -5,"
                                          " \"CapabilityBoundingSet\": [\"CAP_CHOWN\", \"CAP_NET_BIND_SERVICE\"], "
                                          "\"CPUSchedulingPolicy\": \"idle\"}}");
        struct json_object *t;

        ASSERT_STREQ(p.message, NULL);
        t = p.list[0]->actions[0].systemd;
        ASSERT_EQ(json_object_object_length(t), 8);
        ASSERT(json_object_get_boolean(json_object_object_get(t, "PrivateTmp")));
        ASSERT_STREQ(json_object_get_string(json_object_object_get(t, "ProtectSystem")), "strict");
        ASSERT_EQ(json_object_array_length(json_object_object_get(t, "ReadOnlyPaths")), 2);
        ASSERT_EQ(json_object_get_uint64(json_object_object_get(t, "MemoryHigh")), 1048576);
        ASSERT(json_object_get_uint64(json_object_object_get(t, "LimitNOFILE")) == UINT64_MAX);
        ASSERT_EQ(json_object_get_int(json_object_object_get(t, "Nice")), -5);
        ASSERT_EQ(json_object_get_uint64(json_object_object_get(t, "CapabilityBoundingSet")), 1025);
        ASSERT_EQ(json_object_get_int(json_object_object_get(t, "CPUSchedulingPolicy")), 5);
}

TEST(each_allowed_property_is_there_once_with_a_known_signature) {
        const SystemdProperty *p;

        for (size_t i = 0; (p = definition_systemd_property_at(i)); i++) {
                ASSERT(definition_systemd_property(p->name) == p);
                ASSERT(strcmp(p->signature, "b") == 0 || strcmp(p->signature, "s") == 0 ||
                       strcmp(p->signature, "as") == 0 || strcmp(p->signature, "t") == 0 ||
                       strcmp(p->signature, "i") == 0);
        }
        ASSERT_EQ(definition_systemd_property("MemoryZSwapMax")->min_version, 253);
        ASSERT(!definition_systemd_property("ExecStart"));
}

TEST(several_services_come_in_the_texts_order) {
        _cleanup_parsed_ Parsed p =
                parse(" [ {\"name\": \"b\", \"exec\": \"x\"}, { \"exec\": \"x\", \"name\": \"a\" } ] \n");

        ASSERT_EQ(p.result, 0);
        ASSERT_EQ(p.n, 2);
        ASSERT_STREQ(p.list[0]->name, "b");
        ASSERT_STREQ(p.list[1]->text, "{ \"exec\": \"x\", \"name\": \"a\" }");
}

TEST(names_are_what_the_design_says) {
        char longest[65];

        memset(longest, 'a', sizeof longest);
        longest[64] = '\0';
        ASSERT(!service_name_is_valid(longest) && !action_name_is_valid(longest));
        longest[63] = '\0';
        ASSERT(service_name_is_valid(longest) && action_name_is_valid(longest));
        ASSERT(service_name_is_valid("9a.B-c_") && service_name_is_valid("_") && service_name_is_valid("hero_proc"));
        ASSERT(!service_name_is_valid("") && !service_name_is_valid("-a") && !service_name_is_valid(".a") &&
               !service_name_is_valid("a b") && !service_name_is_valid("a/b") && !service_name_is_valid("a@b"));
        ASSERT(action_name_is_valid("ui_2") && !action_name_is_valid("a-b") && !action_name_is_valid("a.b"));
}

/* The manual is checked against this table: what it says must be true. */
TEST(each_field_is_described_once_a_scope_and_its_default_is_a_right_value) {
        size_t n;
        const DefinitionField *fields = definition_fields(&n);

        for (size_t i = 0; i < n; i++) {
                ASSERT(fields[i].name && fields[i].summary && fields[i].scopes);
                ASSERT(fields[i].type != FIELD_OTHER || fields[i].expects);
                for (size_t j = 0; j < i; j++)
                        ASSERT(strcmp(fields[i].name, fields[j].name) != 0 || !(fields[i].scopes & fields[j].scopes));
                if (fields[i].type == FIELD_INTEGER && fields[i].standard)
                        ASSERT(atoll(fields[i].standard) >= fields[i].min &&
                               atoll(fields[i].standard) <= fields[i].max);
                if (fields[i].type == FIELD_WORD && fields[i].standard) {
                        bool found = false;

                        for (size_t j = 0; j < fields[i].n_words; j++)
                                found = found || strcmp(fields[i].words[j], fields[i].standard) == 0;
                        ASSERT(found);
                }
        }
}

/* -- as it is kept -- */

static bool is_in_piece(const ServiceDefinition *d, const void *p) {
        return !p || ((const char *) p >= (const char *) d &&
                      (const char *) p < (const char *) d + malloc_usable_size((void *) d));
}

static bool are_in_piece(const ServiceDefinition *d, char *const *texts) {
        bool is_in = is_in_piece(d, texts);

        for (; texts && *texts; texts++)
                is_in = is_in && is_in_piece(d, *texts);
        return is_in;
}

static bool pairs_are_in_piece(const ServiceDefinition *d, const KeyValue *pairs, size_t n) {
        bool is_in = is_in_piece(d, pairs);

        for (size_t i = 0; i < n; i++)
                is_in = is_in && is_in_piece(d, pairs[i].key) && is_in_piece(d, pairs[i].value);
        return is_in;
}

static void expect_action_in_piece(const ServiceDefinition *d, const ActionDefinition *a) {
        ASSERT(is_in_piece(d, a) && is_in_piece(d, a->name) && are_in_piece(d, a->exec) &&
               are_in_piece(d, a->env_file));
        ASSERT(pairs_are_in_piece(d, a->env, a->n_env));
        ASSERT(pairs_are_in_piece(d, a->credentials, a->n_credentials));
        ASSERT(pairs_are_in_piece(d, a->credentials_encrypted, a->n_credentials_encrypted));
        ASSERT(is_in_piece(d, a->user) && is_in_piece(d, a->group) && is_in_piece(d, a->working_dir));
}

static void expect_probe_in_piece(const ServiceDefinition *d, const ProbeDefinition *p) {
        ASSERT(is_in_piece(d, p) && is_in_piece(d, p->name) && is_in_piece(d, p->socket) && is_in_piece(d, p->method));
        ASSERT(is_in_piece(d, p->path) && is_in_piece(d, p->body) && is_in_piece(d, p->expect_body));
        ASSERT(is_in_piece(d, p->expect_status) && is_in_piece(d, p->headers));
        for (size_t i = 0; i < p->n_headers; i++)
                ASSERT(is_in_piece(d, p->headers[i].name) && is_in_piece(d, p->headers[i].value));
}

TEST(a_definition_is_one_piece_of_memory) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        ASSERT(asprintf(&path, "%s/definitions/good/everything.json", tests_folder()) > 0);
        text = read_whole(path);
        ASSERT(text);
        _cleanup_parsed_ Parsed p = parse(text);
        ASSERT_EQ(p.result, 0);
        const ServiceDefinition *d = p.list[0];

        ASSERT(d->n_actions == 2 && d->n_sockets > 0 && d->n_ports > 0 && d->n_probes > 0);
        for (size_t i = 0; i < d->n_actions; i++)
                expect_action_in_piece(d, &d->actions[i]);
        for (size_t i = 0; i < d->n_probes; i++)
                expect_probe_in_piece(d, &d->probes[i]);
        for (size_t i = 0; i < d->n_sockets; i++)
                ASSERT(is_in_piece(d, d->sockets[i].name) && is_in_piece(d, d->sockets[i].path));
        ASSERT(is_in_piece(d, d->ports) && are_in_piece(d, d->requires) && are_in_piece(d, d->after));
        ASSERT(is_in_piece(d, d->text) && is_in_piece(d, d->public_text) && is_in_piece(d, d->name));
        ASSERT(is_in_piece(d, d->description) && is_in_piece(d, d->on_failure_unit) && is_in_piece(d, d->directory));
}
