/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/import.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/definition_systemd.h"
#include "core/service_definition.h"

static bool is_one_of(const char *word, const char *const *words) {
        for (; *words; words++)
                if (strcmp(*words, word) == 0)
                        return true;
        return false;
}

static bool holds(struct json_object *names, const char *name) {
        for (size_t k = 0; names && k < json_object_array_length(names); k++)
                if (strcmp(json_object_get_string(json_object_array_get_idx(names, k)), name) == 0)
                        return true;
        return false;
}

/* Units that are services become names of ours; targets, sockets and their like have no equal. */
static void import_relations(Import *i, struct json_object *d, const char *field, const ImportLine *line) {
        struct json_object *units = import_split_words(line->value), *names = NULL;

        for (size_t k = 0; units && k < json_object_array_length(units); k++) {
                const char *unit = json_object_get_string(json_object_array_get_idx(units, k));
                const char *ending = strrchr(unit, '.');
                _cleanup_free_ char *name = ending ? strndup(unit, (size_t) (ending - unit)) : NULL;

                if (!name || strcmp(ending, ".service") != 0 || !service_name_is_valid(name)) {
                        import_note(i, "%s=%s: hero_proc orders its own services only", line->key, unit);
                        continue;
                }
                if (!json_object_object_get_ex(d, field, &names)) {
                        names = json_object_new_array();
                        json_object_object_add(d, field, names);
                }
                if (holds(names, name))
                        continue;
                json_object_array_add(names, json_object_new_string(name));
                import_note(i, "%s=%s: becomes %s, which means a service of hero_proc of that name", line->key, unit,
                            field);
        }
        json_object_put(units);
}

static void import_exec(Import *i, struct json_object *d, const ImportLine *line) {
        const char *command = line->value + strspn(line->value, "-@:+!");
        struct json_object *words;

        if (json_object_object_get_ex(d, "exec", NULL)) {
                import_note(i, "ExecStart=%s: a second command has no equal; make it an action", line->value);
                return;
        }
        if (command > line->value)
                import_note(i, "ExecStart=%.*s…: what the prefix means has no equal", (int) (command - line->value),
                            line->value);
        if (strpbrk(command, "$%"))
                import_note(i, "ExecStart=: $ and %% are not expanded; write what they stand for, or a string, which "
                               "/bin/sh reads");
        words = import_split_words(command);
        if (words)
                json_object_object_add(d, "exec", words);
        else
                import_note(i, "ExecStart=%s: cannot be read", line->value);
}

static void import_environment(Import *i, struct json_object *d, const ImportLine *line) {
        struct json_object *words = import_split_words(line->value);

        for (size_t k = 0; words && k < json_object_array_length(words); k++) {
                const char *word = json_object_get_string(json_object_array_get_idx(words, k));
                const char *equals = strchr(word, '=');
                _cleanup_free_ char *key = equals ? strndup(word, (size_t) (equals - word)) : NULL;

                if (key)
                        import_set_text(import_object(d, "env"), key, equals + 1);
                else
                        import_note(i, "Environment=%s: no assignment", word);
        }
        json_object_put(words);
}

static void import_type(Import *i, struct json_object *d, const ImportLine *line) {
        static const char *const plain[] = { "simple", "exec", "idle", NULL };

        if (strcmp(line->value, "oneshot") == 0)
                import_set_text(d, "kind", "oneshot");
        else if (strcmp(line->value, "notify") == 0 || strcmp(line->value, "notify-reload") == 0)
                import_set_text(d, "ready", "notify");
        else if (!is_one_of(line->value, plain))
                import_note(i, "Type=%s: has no equal; the program has to stay in the foreground", line->value);
}

static void import_restart(Import *i, struct json_object *d, const ImportLine *line) {
        static const char *const same[] = { "always", "on-failure", NULL };
        const char *policy = is_one_of(line->value, same) ? line->value : "on-failure";

        if (strcmp(line->value, "no") == 0)
                policy = "never";
        else if (!is_one_of(line->value, same))
                import_note(i, "Restart=%s: becomes on-failure", line->value);
        import_set_text(import_object(d, "restart"), "policy", policy);
}

/* Whether "yes" and its like; -1: none of them. */
static int parse_boolean(const char *text) {
        static const char *const yes[] = { "yes", "true", "1", "on", NULL }, *const no[] = { "no", "false", "0", "off",
                                                                                             NULL };

        return is_one_of(text, yes) ? 1 : is_one_of(text, no) ? 0 : -1;
}

/* A property that a definition's `systemd` passes on. */
static void import_property(Import *i, struct json_object *d, const SystemdProperty *p, const ImportLine *line) {
        struct json_object *o = import_object(d, "systemd"), *value = NULL;
        int boolean = parse_boolean(line->value);
        char *end;
        long long n = strtoll(line->value, &end, 10);

        if (strcmp(p->signature, "b") == 0 && boolean >= 0)
                value = json_object_new_boolean(boolean);
        else if (strcmp(p->signature, "s") == 0)
                value = json_object_new_string(boolean < 0 ? line->value : boolean ? "yes" : "no");
        else if (strcmp(p->signature, "as") == 0)
                value = import_split_words(line->value);
        else if ((strcmp(p->signature, "t") == 0 || strcmp(p->signature, "i") == 0) && end > line->value && !*end)
                value = json_object_new_int64(n);
        if (value)
                json_object_object_add(o, line->key, value);
        else
                import_note(i, "%s=%s: write it into `systemd` by hand", line->key, line->value);
}

static bool import_plain(Import *i, struct json_object *d, const ImportLine *line) {
        static const struct {
                const char *key, *field;
        } texts[] = {
                { "User", "user" },
                { "Group", "group" },
                { "WorkingDirectory", "working_dir" },
                { "UMask", "umask" },
                { "KillSignal", "stop_signal" },
        };

        for (size_t k = 0; k < ELEMENTSOF(texts); k++)
                if (strcmp(texts[k].key, line->key) == 0) {
                        bool optional = line->value[0] == '-';

                        if (optional)
                                import_note(i, "%s=%s: it has to be there", line->key, line->value);
                        import_set_text(d, texts[k].field, line->value + optional);
                        return true;
                }
        if (strcmp(line->key, "TimeoutStartSec") == 0)
                import_set_span_ms(i, d, "start_timeout_ms", line->key, line->value);
        else if (strcmp(line->key, "TimeoutStopSec") == 0)
                import_set_span_ms(i, d, "stop_timeout_ms", line->key, line->value);
        else if (strcmp(line->key, "RestartSec") == 0)
                import_set_span_ms(i, import_object(d, "restart"), "delay_ms", line->key, line->value);
        else if (strcmp(line->key, "StartLimitIntervalSec") == 0)
                import_set_span_ms(i, import_object(d, "restart"), "window_ms", line->key, line->value);
        else if (strcmp(line->key, "StartLimitBurst") == 0)
                import_set_integer(i, import_object(d, "restart"), "max_attempts", line->key, line->value);
        else if (strcmp(line->key, "TasksMax") == 0)
                import_set_integer(i, import_object(d, "limits"), "tasks_max", line->key, line->value);
        else if (strcmp(line->key, "MemoryMax") == 0)
                import_set_text(import_object(d, "limits"), "memory_max", line->value);
        else
                return false;
        return true;
}

static void import_service_line(Import *i, struct json_object *d, const ImportLine *line) {
        const SystemdProperty *p = definition_systemd_property(line->key);

        if (strcmp(line->key, "ExecStart") == 0)
                import_exec(i, d, line);
        else if (strcmp(line->key, "Type") == 0)
                import_type(i, d, line);
        else if (strcmp(line->key, "Restart") == 0)
                import_restart(i, d, line);
        else if (strcmp(line->key, "Environment") == 0)
                import_environment(i, d, line);
        else if (strcmp(line->key, "EnvironmentFile") == 0 && line->value[0] == '/')
                import_set_text(d, "env_file", line->value);
        else if (p)
                import_property(i, d, p, line);
        else if (!import_plain(i, d, line))
                import_note(i, "%s=%s: has no equal", line->key, line->value);
}

void import_systemd(Import *i, const char *name, const char *text) {
        _cleanup_free_ char *copy = strdup(text);
        struct json_object *d = import_begin(i, name);
        ImportLine line = { .section = "" };
        char *rest = copy;
        bool installed = false;

        while (rest && import_next_line(&rest, &line)) {
                if (!*line.key || !*line.value)
                        continue;
                if (strcmp(line.key, "Description") == 0)
                        import_set_text(d, "description", line.value);
                else if (strcmp(line.key, "Documentation") == 0)
                        continue;
                else if (strcmp(line.key, "Requires") == 0)
                        import_relations(i, d, "requires", &line);
                else if (strcmp(line.key, "After") == 0 || strcmp(line.key, "Wants") == 0)
                        import_relations(i, d, "after", &line);
                else if (strcmp(line.section, "Install") == 0)
                        installed = true;
                else
                        import_service_line(i, d, &line);
        }
        json_object_object_add(d, "autostart", json_object_new_boolean(installed));
        if (!installed)
                import_note(i, "it has no [Install] section, so it is not started at boot");
}
