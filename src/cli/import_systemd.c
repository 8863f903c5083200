/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/import.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/definition_field.h"
#include "core/definition_systemd.h"
#include "core/json_tree.h"
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

/* The array `key` of `o`, made where there is none; NULL: memory ran out. */
static struct json_object *list_of(struct json_object *o, const char *key) {
        struct json_object *list = NULL;

        if (!(json_object_object_get_ex(o, key, &list) && json_object_is_type(list, json_type_array)))
                json_tree_add_copied(o, key, json_object_new_array());
        return json_object_object_get_ex(o, key, &list) ? list : NULL;
}

/* Units that are services become names of ours; targets, sockets and their like have no equal. */
static void import_relations(Import *i, struct json_object *d, const char *field, const ImportLine *line) {
        struct json_object *units = import_split_words(i, line->value), *names = NULL;

        for (size_t k = 0; units && k < json_object_array_length(units); k++) {
                const char *unit = json_object_get_string(json_object_array_get_idx(units, k));
                const char *ending = strrchr(unit, '.');
                _cleanup_free_ char *name = ending ? import_copy(i, unit, (size_t) (ending - unit)) : NULL;

                if (ending && !name)
                        break;
                if (!name || strcmp(ending, ".service") != 0 || !service_name_is_valid(name)) {
                        import_note(i, "%s=%s: hero_proc orders its own services only", line->key, unit);
                        continue;
                }
                names = list_of(d, field);
                if (holds(names, name))
                        continue;
                json_tree_append(names, json_object_new_string(name));
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
        words = import_split_words(i, command);
        if (words)
                json_tree_add_copied(d, "exec", words);
        else
                import_note(i, "ExecStart=%s: cannot be read", line->value);
}

/* Files that have to be there; what systemd would put in place of '%' is not known here. */
static void import_environment_file(Import *i, struct json_object *d, const ImportLine *line) {
        bool optional = line->value[0] == '-';
        const char *path = line->value + optional;
        struct json_object *before = NULL;

        if (path[0] != '/' || strchr(path, '%') || strpbrk(path, "*?[")) {
                import_note(i, "EnvironmentFile=%s: has no equal; name each file", line->value);
                return;
        }
        if (optional)
                import_note(i, "EnvironmentFile=%s: it has to be there", line->value);
        if (!json_object_object_get_ex(d, "env_file", &before)) {
                import_set_text(d, "env_file", path);
                return;
        }
        json_object_get(before);
        if (json_object_is_type(before, json_type_string))
                json_tree_append(list_of(d, "env_file"), json_object_get(before));
        json_object_put(before);
        json_tree_append_string(list_of(d, "env_file"), path);
}

/* ID:PATH; a name alone is looked for in folders of systemd's. */
static void import_credential(Import *i, struct json_object *d, const ImportLine *line) {
        bool encrypted = strcmp(line->key, "LoadCredentialEncrypted") == 0;
        const char *colon = strchr(line->value, ':');
        _cleanup_free_ char *id = colon ? import_copy(i, line->value, (size_t) (colon - line->value)) : NULL;

        if (id && colon[1] == '/' && !strchr(line->value, '%'))
                import_set_text(import_object(d, encrypted ? "credentials_encrypted" : "credentials"), id, colon + 1);
        else
                import_note(i, "%s=%s: has no equal; give it as ID:/PATH", line->key, line->value);
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

/* "512M", or no limit. */
static bool is_size(const char *value) {
        size_t n = strspn(value, "0123456789");

        return n > 0 && (!value[n] || (strchr("KMGT", value[n]) && !value[n + 1]));
}

static bool is_quantity(const char *key, const char *value) {
        bool may_have_unit =
                strncmp(key, "Memory", 6) == 0 ||
                (strncmp(key, "Limit", 5) == 0 && strcmp(key, "LimitNOFILE") != 0 && strcmp(key, "LimitNPROC") != 0);

        if (strncmp(key, "Memory", 6) != 0 && strncmp(key, "Limit", 5) != 0)
                return false;
        return strcmp(value, "infinity") == 0 || (may_have_unit && is_size(value));
}

/* An empty assignment: what was said before, in the unit or a drop-in ahead of this one, is taken back. Dependencies
 * are not, as in systemd. */
static void take_back(struct json_object *d, const char *key) {
        static const struct {
                const char *key, *in, *field;
        } fields[] = {
                { "ExecStart", NULL, "exec" },
                { "Environment", NULL, "env" },
                { "EnvironmentFile", NULL, "env_file" },
                { "LoadCredential", NULL, "credentials" },
                { "User", NULL, "user" },
                { "Group", NULL, "group" },
                { "WorkingDirectory", NULL, "working_dir" },
                { "MemoryMax", "limits", "memory_max" },
                { "TasksMax", "limits", "tasks_max" },
                { "CPUQuota", "limits", "cpu_quota_percent" },
        };
        struct json_object *in = NULL;

        for (size_t k = 0; d && k < ELEMENTSOF(fields); k++)
                if (strcmp(fields[k].key, key) == 0 &&
                    (!fields[k].in || json_object_object_get_ex(d, fields[k].in, &in)))
                        json_object_object_del(fields[k].in ? in : d, fields[k].field);
        if (definition_systemd_property(key) && json_object_object_get_ex(d, "systemd", &in))
                json_object_object_del(in, key);
}

/* What is not limited is not said. */
static void import_limit(Import *i, struct json_object *d, const ImportLine *line) {
        const char *value = line->value;
        char *end;
        double percent = strtod(value, &end);
        const DefinitionField *quota = definition_field_find("cpu_quota_percent", ~0u);

        if (strcmp(value, "infinity") == 0) {
                take_back(d, line->key);
        } else if (strcmp(line->key, "CPUQuota") == 0 && end > value && strcmp(end, "%") == 0 &&
                   percent >= (double) quota->min && percent <= (double) quota->max) {
                json_tree_add_copied(import_object(d, "limits"), "cpu_quota_percent",
                                     json_object_new_int64((int64_t) percent));
        } else if (strcmp(line->key, "MemoryMax") == 0 && is_size(value)) {
                import_set_text(import_object(d, "limits"), "memory_max", value);
        } else if (strcmp(line->key, "TasksMax") == 0 && value[0] && !value[strspn(value, "0123456789")]) {
                import_set_integer(i, import_object(d, "limits"), "tasks_max", line->key, value);
        } else {
                import_note(i, "%s=%s: has no equal; a limit is a plain number here", line->key, value);
        }
}

/* A list grows with each line. A path's last slash means nothing to systemd, and is refused in a definition. */
static void add_words(struct json_object *o, const char *key, struct json_object *words) {
        struct json_object *list = list_of(o, key);

        for (size_t k = 0; k < json_object_array_length(words); k++) {
                const char *word = json_object_get_string(json_object_array_get_idx(words, k));
                size_t n = strlen(word);

                while (n > 1 && word[n - 1] == '/' && word[n - 2] != '-' && word[n - 2] != '+')
                        n--;
                json_tree_append(list, json_object_new_string_len(word, (int) n));
        }
        json_object_put(words);
}

/* A property that a definition's `systemd` passes on. */
static void import_property(Import *i, struct json_object *d, const SystemdProperty *p, const ImportLine *line) {
        struct json_object *o = import_object(d, "systemd"), *value = NULL;
        int boolean = import_parse_boolean(line->value);
        bool readable = true;
        char *end;
        long long n = strtoll(line->value, &end, 10);

        if (strcmp(p->signature, "b") == 0 && boolean >= 0)
                value = json_object_new_boolean(boolean);
        else if (strcmp(p->signature, "s") == 0)
                value = json_object_new_string(boolean < 0 ? line->value : boolean ? "yes" : "no");
        else if (strcmp(p->signature, "as") == 0)
                readable = (value = import_split_words(i, line->value)) != NULL;
        else if ((strcmp(p->signature, "t") == 0 || strcmp(p->signature, "i") == 0) && end > line->value && !*end)
                value = json_object_new_int64(n);
        else if (strcmp(p->signature, "t") == 0 && strncmp(line->value, "CAP_", 4) == 0)
                readable = (value = import_split_words(i, line->value)) != NULL;
        else if (is_quantity(line->key, line->value))
                value = json_object_new_string(line->value);
        else
                readable = false;
        if (json_object_is_type(value, json_type_array))
                add_words(o, line->key, value);
        else if (readable)
                json_tree_add_copied(o, line->key, value);
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

                        if (strchr(line->value, '%')) {
                                import_note(i, "%s=%s: %% is not expanded; write what it stands for", line->key,
                                            line->value);
                                return true;
                        }
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
        else if (strcmp(line->key, "RestartMaxDelaySec") == 0)
                import_set_span_ms(i, import_object(d, "restart"), "max_delay_ms", line->key, line->value);
        else if (strcmp(line->key, "TimeoutSec") == 0) {
                import_set_span_ms(i, d, "start_timeout_ms", line->key, line->value);
                import_set_span_ms(i, d, "stop_timeout_ms", line->key, line->value);
        } else if (strcmp(line->key, "TasksMax") == 0 || strcmp(line->key, "MemoryMax") == 0 ||
                   strcmp(line->key, "CPUQuota") == 0)
                import_limit(i, d, line);
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
                import_assignments(i, d, line->key, line->value);
        else if (strcmp(line->key, "EnvironmentFile") == 0)
                import_environment_file(i, d, line);
        else if (strcmp(line->key, "LoadCredential") == 0 || strcmp(line->key, "LoadCredentialEncrypted") == 0)
                import_credential(i, d, line);
        else if (p)
                import_property(i, d, p, line);
        else if (!import_plain(i, d, line))
                import_note(i, "%s=%s: has no equal", line->key, line->value);
}

static void import_line(Import *i, struct json_object *d, const ImportLine *line) {
        if (!*line->value)
                take_back(d, line->key);
        else if (strcmp(line->key, "Description") == 0)
                import_set_text(d, "description", line->value);
        else if (strcmp(line->key, "Documentation") == 0)
                return;
        else if (strcmp(line->key, "Requires") == 0)
                import_relations(i, d, "requires", line);
        else if (strcmp(line->key, "After") == 0 || strcmp(line->key, "Wants") == 0)
                import_relations(i, d, "after", line);
        else
                import_service_line(i, d, line);
}

/* Whether it has an [Install] section. */
static bool import_lines(Import *i, struct json_object *d, const char *text) {
        _cleanup_free_ char *copy = import_copy(i, text, strlen(text));
        ImportLine line = { .section = "" };
        char *rest = copy;
        bool installed = false;

        while (rest && import_next_line(&rest, &line)) {
                if (!*line.key)
                        continue;
                if (strcmp(line.section, "Install") == 0)
                        installed = true;
                else
                        import_line(i, d, &line);
        }
        return installed;
}

void import_systemd(Import *i, const char *name, const char *text) {
        struct json_object *d = import_begin(i, name);
        bool installed = import_lines(i, d, text);

        json_tree_add_copied(d, "autostart", json_object_new_boolean(installed));
        if (!installed)
                import_note(i, "it has no [Install] section, so it is not started at boot");
}

void import_systemd_drop_in(Import *i, const char *text) {
        size_t n = i->definitions ? json_object_array_length(i->definitions) : 0;

        if (n > 0)
                (void) import_lines(i, json_object_array_get_idx(i->definitions, n - 1), text);
}
