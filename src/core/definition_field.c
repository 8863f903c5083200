/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/definition_field.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/http_response.h"
#include "core/service_definition.h"

static const char *const action_kind_table[] = { "process", "oneshot" };
static const char *const ready_kind_table[] = { "exec", "notify", "fd3", "file" };
static const char *const restart_policy_table[] = { "on-failure", "always", "never" };
static const char *const unhealthy_policy_table[] = { "restart", "report" };
static const char *const probe_type_table[] = { "http", "connect" };
static const char *const probe_role_table[] = { "liveness", "readiness", "report" };
static const char *const method_table[] = { "GET", "HEAD", "POST" };

DEFINE_STRING_TABLE(ActionKind, action_kind, _ACTION_KIND_MAX)
DEFINE_STRING_TABLE(ReadyKind, ready_kind, _READY_MAX)
DEFINE_STRING_TABLE(RestartPolicy, restart_policy, _RESTART_POLICY_MAX)
DEFINE_STRING_TABLE(UnhealthyPolicy, unhealthy_policy, _UNHEALTHY_POLICY_MAX)
DEFINE_STRING_TABLE(ProbeType, probe_type, _PROBE_TYPE_MAX)
DEFINE_STRING_TABLE(ProbeRole, probe_role, _PROBE_ROLE_MAX)

#define KIB INT64_C(1024)
#define DAY_MS INT64_C(86400000)
#define WORDS(table) .words = (table), .n_words = ELEMENTSOF(table)
#define SERVICE FIELD_OF_SERVICE
#define ACTION FIELD_OF_ACTION
#define PROBE FIELD_OF_PROBE
#define RESTART FIELD_OF_RESTART
#define LIMITS FIELD_OF_LIMITS

/* clang-format off */
static const DefinitionField fields[] = {
        /* Service */
        { "name", SERVICE, FIELD_STRING, 1, DEFINITION_NAME_MAX, .summary = "The service's name" },
        { "description", SERVICE, FIELD_STRING, 0, DEFINITION_DESCRIPTION_MAX, .summary = "One line for people" },
        { "autostart", SERVICE, FIELD_BOOLEAN, .standard = "true", .summary = "Start it at boot" },
        { "requires", SERVICE, FIELD_STRINGS, 0, DEFINITION_RELATIONS_MAX,
          .summary = "Services that must run before this one starts" },
        { "after", SERVICE, FIELD_STRINGS, 0, DEFINITION_RELATIONS_MAX,
          .summary = "Services that are started earlier if they exist" },
        { "require_ready", SERVICE, FIELD_BOOLEAN, .standard = "false",
          .summary = "Actions are up only once their ready file is there, unless `ready` says otherwise" },
        { "on_unhealthy", SERVICE, FIELD_WORD, WORDS(unhealthy_policy_table), .standard = "restart",
          .summary = "What a failed liveness probe or a dead socket leads to" },
        { "on_failure_unit", SERVICE, FIELD_OTHER,
          .expects = "the name of a .service, .target or other unit; \"mail@.service\" is started for the service's name",
          .summary = "The systemd unit that is started when hero_proc cannot mend the service" },
        { "actions", SERVICE, FIELD_OBJECT, .summary = "The service's actions by name" },

        /* Service and action */
        { "sockets", SERVICE | ACTION, FIELD_STRINGS, 0, DEFINITION_SOCKETS_MAX,
          .summary = "Unix sockets it listens on: absolute, or below $HERO_SOCKET_DIR/NAME/" },
        { "probe", SERVICE | ACTION, FIELD_OBJECT, .summary = "The same as `probes` with one" },
        { "probes", SERVICE | ACTION, FIELD_OBJECTS, 0, DEFINITION_PROBES_MAX,
          .summary = "Requests that show whether it works" },
        { "restart", SERVICE | ACTION, FIELD_OBJECT,
          .summary = "What a process's death leads to; an action's fields go before the service's" },

        /* Action */
        { "exec", ACTION, FIELD_OTHER, .expects = "an array of strings, or one string for /bin/sh -c",
          .summary = "The program and its arguments" },
        { "kind", ACTION, FIELD_WORD, WORDS(action_kind_table), .standard = "process",
          .summary = "Whether it stays, or is done once it has exited" },
        { "ready", ACTION, FIELD_WORD, WORDS(ready_kind_table),
          .summary = "How it says that it is ready; file where require_ready is set, else exec" },
        { "env", ACTION, FIELD_MAP, .hidden = true, .summary = "Environment variables; systemd shows them to everybody" },
        { "allow_secret_env", ACTION, FIELD_BOOLEAN, .standard = "false",
          .summary = "Take env as it is, also names such as DB_PASSWORD" },
        { "env_file", ACTION, FIELD_OTHER, .expects = "an absolute path, or an array of them",
          .summary = "Files of KEY=VALUE lines, read at each start" },
        { "credentials", ACTION, FIELD_MAP, .summary = "Files handed over in $CREDENTIALS_DIRECTORY, by id" },
        { "credentials_encrypted", ACTION, FIELD_MAP,
          .summary = "The same, of files that systemd-creds(1) encrypted; the id is the name given there" },
        { "user", ACTION, FIELD_OTHER, .expects = "a user's name or number", .summary = "The user it runs as" },
        { "group", ACTION, FIELD_OTHER, .expects = "a group's name or number", .summary = "The group it runs as" },
        { "working_dir", ACTION, FIELD_STRING, 1, INT32_MAX, .summary = "The folder it runs in" },
        { "umask", ACTION, FIELD_STRING, 3, 4, .expects = "an octal string such as \"0022\"",
          .summary = "Permissions that new files do not get" },
        { "ports", ACTION, FIELD_OTHER, .expects = "an array of at most 32 integers from 1 to 65535",
          .summary = "TCP ports it listens on" },
        { "start_timeout_ms", ACTION, FIELD_INTEGER, 1, DAY_MS, .standard = "30000",
          .summary = "How long it may take to be ready; a oneshot to be done, without a limit unless it is given" },
        { "stop_timeout_ms", ACTION, FIELD_INTEGER, 1, DAY_MS, .standard = "10000",
          .summary = "How long it may take to stop before it is killed" },
        { "stop_signal", ACTION, FIELD_OTHER, .standard = "SIGTERM",
          .expects = "a signal's name such as \"SIGTERM\", or its number", .summary = "The signal that asks it to stop" },
        { "kill_others", ACTION, FIELD_BOOLEAN, .standard = "false",
          .summary = "Before a start, end foreign processes that hold its sockets or ports" },
        { "limits", ACTION, FIELD_OBJECT, .summary = "What it may use at most" },
        { "systemd", ACTION, FIELD_OBJECT, .summary = "systemd properties passed on, e.g. \"ProtectSystem\": \"strict\"" },

        /* Restart */
        { "policy", RESTART, FIELD_WORD, WORDS(restart_policy_table), .standard = "on-failure",
          .summary = "Which exits lead to a restart" },
        { "delay_ms", RESTART, FIELD_INTEGER, 0, DAY_MS, .standard = "1000", .summary = "The first pause before a restart" },
        { "max_delay_ms", RESTART, FIELD_INTEGER, 0, DAY_MS, .standard = "60000",
          .summary = "The longest pause, after doublings; never below delay_ms" },
        { "max_attempts", RESTART, FIELD_INTEGER, 1, 10000, .standard = "5", .summary = "Restarts within window_ms" },
        { "window_ms", RESTART, FIELD_INTEGER, 1000, 30 * DAY_MS, .standard = "600000",
          .summary = "The time that max_attempts counts in" },
        { "stability_period_ms", RESTART, FIELD_INTEGER, 0, DAY_MS, .standard = "60000",
          .summary = "Healthy time after which the count starts anew" },

        /* Limits */
        { "memory_max", LIMITS, FIELD_SIZE, 1024 * KIB, INT64_MAX, .summary = "Memory in bytes, or \"512M\"" },
        { "cpu_quota_percent", LIMITS, FIELD_INTEGER, 1, 100000, .summary = "Processor time; 100 is one processor" },
        { "tasks_max", LIMITS, FIELD_INTEGER, 1, 4194304, .summary = "Processes and threads" },

        /* Probe */
        { "name", PROBE, FIELD_STRING, 1, DEFINITION_NAME_MAX,
          .summary = "Its name, unique in the service; made from the path where not given" },
        { "type", PROBE, FIELD_WORD, WORDS(probe_type_table), .standard = "http",
          .summary = "A whole HTTP request, or no more than a connection" },
        { "role", PROBE, FIELD_WORD, WORDS(probe_role_table), .standard = "liveness",
          .summary = "What its failure means: the service is dead, is not ready, or is worth a note" },
        { "socket", PROBE, FIELD_STRING, 1, INT32_MAX, .summary = "A declared socket, or an absolute path" },
        { "port", PROBE, FIELD_INTEGER, 1, UINT16_MAX, .summary = "A TCP port on loopback" },
        { "path", PROBE, FIELD_STRING, 1, 2048, .standard = "/health", .summary = "What is asked for" },
        { "method", PROBE, FIELD_WORD, WORDS(method_table), .standard = "GET", .summary = "The request's method" },
        { "headers", PROBE, FIELD_MAP, .hidden = true, .summary = "More header lines" },
        { "body", PROBE, FIELD_OTHER, .expects = "a string, or a JSON object, array, number or boolean",
          .hidden = true, .summary = "What a POST sends; anything but a string is sent as JSON" },
        { "expect_status", PROBE, FIELD_OTHER, .standard = "200-399",
          .expects = "statuses from 100 to 599: an integer, \"200-399\", \"200,204\", or an array of these",
          .summary = "The statuses that are good" },
        { "expect_body", PROBE, FIELD_STRING, 1, HTTP_EXPECT_BODY_MAX, .summary = "What the answer's body must hold" },
        { "interval_ms", PROBE, FIELD_INTEGER, 100, DAY_MS, .standard = "5000", .summary = "Pause between two probes" },
        { "timeout_ms", PROBE, FIELD_INTEGER, 1, 600000, .standard = "2000", .summary = "Time for the whole answer" },
        { "failures", PROBE, FIELD_INTEGER, 1, 1000, .standard = "3", .summary = "Failures in a row that make it failed" },
        { "successes", PROBE, FIELD_INTEGER, 1, 1000, .standard = "1", .summary = "Passes in a row that make it good again" },
        { "fast_interval_ms", PROBE, FIELD_INTEGER, 10, DAY_MS, .standard = "200",
          .summary = "Pause after a failure below the limit; never above interval_ms" },
        { "down_interval_ms", PROBE, FIELD_INTEGER, 100, DAY_MS,
          .summary = "Pause while it is failed; as interval_ms where not given" },
        { "failures_in", PROBE, FIELD_OTHER, .expects = "[k, n] with 1 <= k <= n <= 64",
          .summary = "k failures among the last n make it failed too" },
};
/* clang-format on */

const DefinitionField *definition_fields(size_t *ret_n) {
        *ret_n = ELEMENTSOF(fields);
        return fields;
}

const DefinitionField *definition_field_find(const char *name, unsigned scopes) {
        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                if ((fields[i].scopes & scopes) && strcmp(fields[i].name, name) == 0)
                        return &fields[i];
        return NULL;
}

static void join_words(const DefinitionField *field, char *buffer, size_t size) {
        size_t n = (size_t) snprintf(buffer, size, "one of ");

        for (size_t i = 0; i < field->n_words && n < size; i++)
                n += (size_t) snprintf(buffer + n, size - n, "%s%s", i > 0 ? ", " : "", field->words[i]);
}

const char *definition_field_expectation(const DefinitionField *field, char *buffer, size_t size) {
        if (field->expects)
                return field->expects;

        switch (field->type) {
        case FIELD_BOOLEAN:
                return "true or false";
        case FIELD_INTEGER:
                (void) snprintf(buffer, size, "an integer from %" PRId64 " to %" PRId64, field->min, field->max);
                return buffer;
        case FIELD_SIZE:
                (void) snprintf(buffer, size, "at least %" PRId64 " bytes, as an integer or a string such as \"512M\"",
                                field->min);
                return buffer;
        case FIELD_WORD:
                join_words(field, buffer, size);
                return buffer;
        case FIELD_STRING:
                if (field->max == INT32_MAX)
                        return "a string that is not empty";
                (void) snprintf(buffer, size, "a string of %s%" PRId64 " bytes", field->min > 0 ? "1 to " : "at most ",
                                field->max);
                return buffer;
        case FIELD_STRINGS:
                (void) snprintf(buffer, size, "an array of at most %" PRId64 " strings", field->max);
                return buffer;
        case FIELD_OBJECTS:
                (void) snprintf(buffer, size, "an array of at most %" PRId64 " objects", field->max);
                return buffer;
        case FIELD_MAP:
                return "an object of strings";
        case FIELD_OBJECT:
        case FIELD_OTHER:
        default:
                return "an object";
        }
}

/* Letters to insert, drop, replace or swap, for words short enough to be names of ours. */
static unsigned edit_distance(const char *a, const char *b) {
        unsigned rows[3][40];
        size_t n = strlen(a), m = strlen(b);

        if (n >= ELEMENTSOF(rows[0]) || m >= ELEMENTSOF(rows[0]))
                return UINT32_MAX;
        for (unsigned j = 0; j <= m; j++)
                rows[0][j] = j;
        for (size_t i = 1; i <= n; i++) {
                unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *twice_above = rows[(i + 1) % 3];

                row[0] = (unsigned) i;
                for (size_t j = 1; j <= m; j++) {
                        unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);

                        best = above[j] + 1 < best ? above[j] + 1 : best;
                        best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                            twice_above[j - 2] + 1 < best)
                                best = twice_above[j - 2] + 1;
                        row[j] = best;
                }
        }
        return rows[n % 3][m];
}

void nearest_word_offer(NearestWord *n, const char *candidate) {
        unsigned distance = edit_distance(n->word, candidate);
        size_t length = strlen(n->word);

        /* A third of the letters wrong is no slip any more, and a suggestion would mislead. */
        if (distance > (length < 6 ? 1 : length / 3) || (n->best && distance >= n->distance))
                return;
        n->best = candidate;
        n->distance = distance;
}
