/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/cleanup.h"
#include "cli/import.h"
#include "core/service_definition.h"

typedef enum From { FROM_SYSTEMD, FROM_SUPERVISORD, FROM_ZINIT } From;

/* Whether all that was made are definitions that the server takes; else why not, on stdout. */
static bool are_valid(struct json_object *definitions) {
        ServiceDefinition **list = NULL;
        _cleanup_free_ char *message = NULL;
        size_t n = 0;
        int r = service_definition_parse(json_object_to_json_string(definitions), "/run/hero", &list, &n, &message);

        if (r != 0)
                printf("     %s\n", message);
        else
                service_definition_free_list(list, n);
        return r == 0;
}

/* The definitions as JSON, a line feed, and the notes. */
static char *import(From from, const char *text) {
        char *notes = NULL, *both = NULL;
        size_t size;
        Import i = { .definitions = json_object_new_array(), .notes = open_memstream(&notes, &size), .about = "x" };

        if (from == FROM_SYSTEMD)
                import_systemd(&i, "web", text);
        else if (from == FROM_SUPERVISORD)
                import_supervisord(&i, text);
        else
                import_zinit(&i, "web", text);
        fclose(i.notes);
        if (asprintf(&both, "%s\n%s%s",
                     json_object_to_json_string_ext(i.definitions,
                                                    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                     are_valid(i.definitions) ? "" : "INVALID ", notes) < 0)
                both = NULL;
        free(notes);
        json_object_put(i.definitions);
        return both;
}

#define ASSERT_IMPORTED(from, text, expected)                      \
        do {                                                       \
                _cleanup_free_ char *_both = import((from), text); \
                ASSERT_STREQ(_both, expected);                     \
        } while (0)

TEST(a_unit_of_systemd_becomes_a_definition) {
        ASSERT_IMPORTED(
                FROM_SYSTEMD,
                "# comment\n[Unit]\nDescription=A web server\nDocumentation=man:web(8)\n\n[Service]\nType=notify\n"
                "ExecStart=/usr/sbin/web --title \"two words\" \\\n  -v\nUser=www-data\nUMask=0027\n"
                "Environment=A=1 \"B=two words\"\nEnvironment=C=3\nEnvironmentFile=/etc/default/web\n"
                "Restart=always\nRestartSec=2\nTimeoutStopSec=1min\nMemoryMax=512M\nTasksMax=64\n"
                "ProtectSystem=strict\nPrivateTmp=yes\nNice=5\nStateDirectory=web\n"
                "[Install]\nWantedBy=multi-user.target\n",
                "[{\"name\":\"web\",\"description\":\"A web server\",\"ready\":\"notify\","
                "\"exec\":[\"/usr/sbin/web\",\"--title\",\"two words\",\"-v\"],\"user\":\"www-data\","
                "\"umask\":\"0027\",\"env\":{\"A\":\"1\",\"B\":\"two words\",\"C\":\"3\"},"
                "\"env_file\":\"/etc/default/web\",\"restart\":{\"policy\":\"always\",\"delay_ms\":2000},"
                "\"stop_timeout_ms\":60000,\"limits\":{\"memory_max\":\"512M\",\"tasks_max\":64},"
                "\"systemd\":{\"ProtectSystem\":\"strict\",\"PrivateTmp\":true,\"Nice\":5,"
                "\"StateDirectory\":[\"web\"]},\"autostart\":true}]\n");
}

TEST(what_systemd_has_and_we_have_not_is_noted) {
        ASSERT_IMPORTED(
                FROM_SYSTEMD,
                "[Unit]\nAfter=network.target db.service\nRequires=db.service\n[Service]\nType=forking\n"
                "ExecStart=-/bin/a $OPTS\nExecStartPre=/bin/b\nRestart=on-abort\nTimeoutStartSec=infinity\n",
                "[{\"name\":\"web\",\"after\":[\"db\"],\"requires\":[\"db\"],\"exec\":[\"/bin/a\",\"$OPTS\"],"
                "\"restart\":{\"policy\":\"on-failure\"},\"autostart\":false}]\n"
                "x: After=network.target: hero_proc orders its own services only\n"
                "x: After=db.service: becomes after, which means a service of hero_proc of that name\n"
                "x: Requires=db.service: becomes requires, which means a service of hero_proc of that name\n"
                "x: Type=forking: has no equal; the program has to stay in the foreground\n"
                "x: ExecStart=-…: what the prefix means has no equal\n"
                "x: ExecStart=: $ and % are not expanded; write what they stand for, or a string, which /bin/sh "
                "reads\n"
                "x: ExecStartPre=/bin/b: has no equal\n"
                "x: Restart=on-abort: becomes on-failure\n"
                "x: TimeoutStartSec=infinity: not a span that a definition can hold; start_timeout_ms is left at "
                "its default\n"
                "x: it has no [Install] section, so it is not started at boot\n");
}

TEST(limits_files_and_spans_of_systemd_are_taken_as_far_as_they_go) {
        ASSERT_IMPORTED(FROM_SYSTEMD,
                        "[Service]\nExecStart=/bin/a\nEnvironmentFile=/etc/a\nEnvironmentFile=-/etc/b\n"
                        "EnvironmentFile=/etc/%p\nCPUQuota=150%\nMemoryMax=20%\nTasksMax=infinity\n"
                        "TimeoutStopSec=1min 30s\nTimeoutStartSec=2 min\nRestartMaxDelaySec=5min\n"
                        "LoadCredential=key:/etc/key\nLoadCredential=other\nLimitNOFILE=infinity\nMemoryHigh=1G\n"
                        "ReadWritePaths=/a/ -/b\nReadWritePaths=/\n"
                        "CapabilityBoundingSet=CAP_CHOWN CAP_KILL\nCapabilityBoundingSet=~CAP_SYS_ADMIN\n"
                        "[Install]\nWantedBy=multi-user.target\n",
                        "[{\"name\":\"web\",\"exec\":[\"/bin/a\"],\"env_file\":[\"/etc/a\",\"/etc/b\"],"
                        "\"limits\":{\"cpu_quota_percent\":150},\"stop_timeout_ms\":90000,\"start_timeout_ms\":120000,"
                        "\"restart\":{\"max_delay_ms\":300000},\"credentials\":{\"key\":\"/etc/key\"},"
                        "\"systemd\":{\"LimitNOFILE\":\"infinity\",\"MemoryHigh\":\"1G\",\"ReadWritePaths\":[\"/"
                        "a\",\"-/b\",\"/\"],"
                        "\"CapabilityBoundingSet\":[\"CAP_CHOWN\",\"CAP_KILL\"]},\"autostart\":true}]\n"
                        "x: EnvironmentFile=-/etc/b: it has to be there\n"
                        "x: EnvironmentFile=/etc/%p: has no equal; name each file\n"
                        "x: MemoryMax=20%: has no equal; a limit is a plain number here\n"
                        "x: LoadCredential=other: has no equal; give it as ID:/PATH\n"
                        "x: CapabilityBoundingSet=~CAP_SYS_ADMIN: write it into `systemd` by hand\n");
}

TEST(a_drop_in_adds_to_its_unit_and_takes_back) {
        char *notes = NULL;
        size_t size;
        Import i = { .definitions = json_object_new_array(), .notes = open_memstream(&notes, &size), .about = "x" };

        import_systemd(&i, "web",
                       "[Service]\nExecStart=/bin/a\nUser=u\nEnvironment=A=1\nCPUQuota=10%\nNice=5\n[Install]\n"
                       "WantedBy=multi-user.target\n");
        import_systemd_drop_in(&i, "[Service]\nExecStart=\nExecStart=/bin/b -v\nEnvironment=B=2\nUser=\nNice=\n"
                                   "CPUQuota=20%\n");
        fclose(i.notes);
        ASSERT(are_valid(i.definitions));
        ASSERT_STREQ(
                json_object_to_json_string_ext(i.definitions, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                "[{\"name\":\"web\",\"env\":{\"A\":\"1\",\"B\":\"2\"},\"limits\":{\"cpu_quota_percent\":20},"
                "\"systemd\":{},\"autostart\":true,\"exec\":[\"/bin/b\",\"-v\"]}]");
        ASSERT_STREQ(notes, "");
        free(notes);
        json_object_put(i.definitions);
}

TEST(each_program_of_supervisord_becomes_a_definition) {
        ASSERT_IMPORTED(
                FROM_SUPERVISORD,
                "[supervisord]\nlogfile=/tmp/s.log\n\n[program:web]\ncommand=/usr/bin/web -p 80 ; a comment\n"
                "directory=/srv\nuser=www-data\nenvironment=A=\"1,2\",B=x\nautostart=true\nautorestart=unexpected\n"
                "startretries=4\nstopsignal=INT\nstopwaitsecs=20\nnumprocs=1\n"
                "[program:job]\ncommand=\n  /bin/job\n  --long\nautorestart=false\nstdout_logfile=/tmp/j.log\n"
                "priority=10\n",
                "[{\"name\":\"web\",\"exec\":[\"/usr/bin/web\",\"-p\",\"80\"],"
                "\"working_dir\":\"/srv\",\"user\":\"www-data\",\"env\":{\"A\":\"1,2\",\"B\":\"x\"},"
                "\"autostart\":true,\"restart\":{\"policy\":\"on-failure\",\"max_attempts\":4},"
                "\"stop_signal\":\"SIGINT\",\"stop_timeout_ms\":20000},"
                "{\"name\":\"job\",\"exec\":[\"/bin/job\",\"--long\"],\"restart\":{\"policy\":\"never\"}}]\n"
                "x: [supervisord]: has no equal\n"
                "job: stdout_logfile=/tmp/j.log: output goes to the journal; see hero_proc logs\n"
                "job: priority=10: has no equal\n");
}

TEST(a_service_of_zinit_becomes_a_definition) {
        ASSERT_IMPORTED(
                FROM_ZINIT,
                "# comment\nexec: redis-server --port 7777\ntest: redis-cli -p 7777 PING\nafter:\n  - net\n"
                "  - \"disk\"\nsignal:\n  stop: SIGINT\nenv:\n  A: 'x y'\nlog: stdout\nshutdown_timeout: 5\n",
                "[{\"name\":\"web\",\"exec\":[\"redis-server\",\"--port\",\"7777\"],\"requires\":[\"net\",\"disk\"],"
                "\"stop_signal\":\"SIGINT\",\"env\":{\"A\":\"x y\"},\"stop_timeout_ms\":5000,"
                "\"restart\":{\"policy\":\"always\"}}]\n"
                "x: test: a command is no probe; give it a probe of the request that shows that it works\n"
                "x: log: stdout: output goes to the journal; see hero_proc logs\n");
        ASSERT_IMPORTED(FROM_ZINIT, "exec: |\n  mkdir -p /x\n  touch /x/y\noneshot: true\nfancy: 1\n",
                        "[{\"name\":\"web\",\"exec\":\"mkdir -p /x\\ntouch /x/y\\n\",\"kind\":\"oneshot\"}]\n"
                        "x: fancy: has no equal\n");
}

TEST(what_zinits_yaml_may_hold_is_read_and_what_is_not_is_told_with_its_line) {
        ASSERT_IMPORTED(FROM_ZINIT,
                        "exec: \"sh -c \\\"echo hi\\\"\"   # says it\nafter: [net, \"disk\"] # both\noneshot: true\n",
                        "[{\"name\":\"web\",\"exec\":[\"sh\",\"-c\",\"echo hi\"],\"requires\":[\"net\",\"disk\"],"
                        "\"kind\":\"oneshot\"}]\n");
        ASSERT_IMPORTED(FROM_ZINIT, "exec: >\n  /bin/a\n  --long\n\n",
                        "[{\"name\":\"web\",\"exec\":\"/bin/a --long\",\"restart\":{\"policy\":\"always\"}}]\n");
        ASSERT_IMPORTED(FROM_ZINIT, "exec: /bin/a\n  --long  # and more\n  -v\nenv:\n  A: '#1'\n",
                        "[{\"name\":\"web\",\"exec\":[\"/bin/a\",\"--long\",\"-v\"],\"env\":{\"A\":\"#1\"},"
                        "\"restart\":{\"policy\":\"always\"}}]\n");
        ASSERT_IMPORTED(FROM_ZINIT, "# one\nexec: |\n  if true; then\n    echo '# no comment'\n  fi\n",
                        "[{\"name\":\"web\",\"exec\":\"if true; then\\n  echo '# no comment'\\nfi\\n\","
                        "\"restart\":{\"policy\":\"always\"}}]\n");
        ASSERT_IMPORTED(FROM_ZINIT,
                        "exec: /bin/a\n\nenv: {A: b}\nafter: *all\nwhat is this\nsignal:\n  stop: &s SIGINT\n",
                        "[{\"name\":\"web\",\"exec\":[\"/bin/a\"],\"restart\":{\"policy\":\"always\"}}]\n"
                        "x: line 3: {A: b}: not understood\n"
                        "x: line 4: *all: not understood\n"
                        "x: line 5: what is this: not understood\n"
                        "x: line 7: stop: not understood\n");
}

TEST(lines_of_systemd_go_on_behind_a_backslash_alone_and_past_comments) {
        ASSERT_IMPORTED(FROM_SYSTEMD,
                        "[Service]\n# old: /bin/x \\\n    ExecStart=/bin/a \\\n# why \\\n  ; or not\n  -v\n"
                        "    User=u\r\n\tGroup=g \\\r\n\r\n=x\n[Install]\nWantedBy=x\n",
                        "[{\"name\":\"web\",\"exec\":[\"/bin/"
                        "a\",\"-v\"],\"user\":\"u\",\"group\":\"g\",\"autostart\":true}]\n");
}

TEST(lines_of_supervisord_go_on_further_in_than_their_key) {
        ASSERT_IMPORTED(FROM_SUPERVISORD,
                        "[program:a]\n  command=/bin/a\n    -v\n; why\n# and\n    -w\n  user=u\n  =x\n[program:b]\r\n"
                        "command=/bin/b\r\n  -v\r\n",
                        "[{\"name\":\"a\",\"exec\":[\"/bin/a\",\"-v\",\"-w\"],\"user\":\"u\"},"
                        "{\"name\":\"b\",\"exec\":[\"/bin/b\",\"-v\"]}]\n");
}

TEST(a_quota_beyond_what_a_definition_can_hold_is_told) {
        ASSERT_IMPORTED(
                FROM_SYSTEMD,
                "[Service]\nExecStart=/bin/a\nCPUQuota=1e30%\nCPUQuota=inf%\nCPUQuota=200000%\n[Install]\nWantedBy=x\n",
                "[{\"name\":\"web\",\"exec\":[\"/bin/a\"],\"autostart\":true}]\n"
                "x: CPUQuota=1e30%: has no equal; a limit is a plain number here\n"
                "x: CPUQuota=inf%: has no equal; a limit is a plain number here\n"
                "x: CPUQuota=200000%: has no equal; a limit is a plain number here\n");
}

TEST(a_command_of_zinit_after_a_block_of_the_same_key_is_told_where_it_cannot_be_read) {
        ASSERT_IMPORTED(FROM_ZINIT, "exec: |\n  a\nexec: b \"c\n  d e\n",
                        "[{\"name\":\"web\",\"exec\":\"a\\n\",\"restart\":{\"policy\":\"always\"}}]\n"
                        "x: exec: b \"c: cannot be read\n"
                        "x: line 4: d e: not understood\n");
}

TEST(words_are_split_as_a_shell_splits_them) {
        static const struct {
                const char *text, *words;
        } cases[] = {
                { "a b", "[\"a\",\"b\"]" },
                { "  a\tb  ", "[\"a\",\"b\"]" },
                { "'a b' \"c d\"", "[\"a b\",\"c d\"]" },
                { "a\\ b", "[\"a b\"]" },
                { "x=\"y z\"w", "[\"x=y zw\"]" },
                { "''", "[\"\"]" },
                { "'a\\b'", "[\"a\\\\b\"]" },
                { "\"a\\\"b\"", "[\"a\\\"b\"]" },
        };
        Import import = { 0 };

        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                struct json_object *words = import_split_words(&import, cases[i].text);

                ASSERT_STREQ(json_object_to_json_string_ext(words, JSON_C_TO_STRING_PLAIN), cases[i].words);
                json_object_put(words);
        }
        ASSERT(!import_split_words(&import, "") && !import_split_words(&import, "'a") &&
               !import_split_words(&import, "  ") && !import.failed);
}

TEST(no_text_whatever_does_harm) {
        static const char parts[] = "[]=\n \\\"'#;:-|a%$\t.";
        unsigned seed = 1;

        for (int round = 0; round < 20000; round++) {
                char text[48];
                size_t n = (size_t) rand_r(&seed) % (sizeof text - 1);
                char *notes = NULL;
                size_t size;
                Import i = { .definitions = json_object_new_array(),
                             .notes = open_memstream(&notes, &size),
                             .about = "x" };

                for (size_t k = 0; k < n; k++)
                        text[k] = parts[(size_t) rand_r(&seed) % (sizeof parts - 1)];
                text[n] = '\0';
                import_systemd(&i, "a", text);
                import_supervisord(&i, text);
                import_zinit(&i, "a", text);
                fclose(i.notes);
                free(notes);
                json_object_put(i.definitions);
        }
}
