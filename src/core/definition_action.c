/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "core/definition_reader.h"
#include "core/definition_value.h"
#include "core/secret_name.h"

static void free_pairs(KeyValue *pairs, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(pairs[i].key);
                free(pairs[i].value);
        }
        free(pairs);
}

void definition_action_done(ActionDefinition *a) {
        free(a->name);
        definition_free_strings(a->exec);
        free_pairs(a->env, a->n_env);
        definition_free_strings(a->env_file);
        free_pairs(a->credentials, a->n_credentials);
        free_pairs(a->credentials_encrypted, a->n_credentials_encrypted);
        free(a->user);
        free(a->group);
        free(a->working_dir);
        (void) json_object_put(a->systemd);
}

/* exec */

/* A name without '/' is searched in PATH; a relative path would depend on a folder that nobody named. */
static bool program_is_valid(const char *s) {
        return *s && (s[0] == '/' || !strchr(s, '/'));
}

static int read_argument(DefinitionReader *r, const JsonValue *v, char **ret) {
        if (v->kind != JSON_KIND_STRING)
                return definition_refuse(r, v, "expected a string");
        if (strlen(v->string) >= DEFINITION_STRING_MAX)
                return definition_refuse(r, v, "expected fewer than %d bytes, the kernel's limit for one argument",
                                         DEFINITION_STRING_MAX);
        return definition_copy(v->string, ret);
}

static int read_arguments(DefinitionReader *r, const JsonValue *array, ActionDefinition *a) {
        size_t i = 0;

        a->exec = calloc(array->n_children + 1, sizeof a->exec[0]);
        if (!a->exec)
                return -ENOMEM;
        for (const JsonValue *v = array->first; v; v = v->next, i++) {
                size_t mark = definition_enter_index(r, i);
                int ret = read_argument(r, v, &a->exec[i]);

                if (ret != 0)
                        return ret;
                if (i == 0 && !program_is_valid(v->string))
                        return definition_refuse(r, v,
                                                 "expected a program: an absolute path, or a name without '/' "
                                                 "that is searched in PATH");
                definition_leave(r, mark);
        }
        return 0;
}

static int read_shell_line(DefinitionReader *r, const JsonValue *v, ActionDefinition *a) {
        int ret;

        a->exec = calloc(4, sizeof a->exec[0]);
        if (!a->exec)
                return -ENOMEM;
        ret = definition_copy("/bin/sh", &a->exec[0]);
        if (ret == 0)
                ret = definition_copy("-c", &a->exec[1]);
        return ret != 0 ? ret : read_argument(r, v, &a->exec[2]);
}

static int read_exec(DefinitionReader *r, const JsonValue *object, ActionDefinition *a) {
        const JsonValue *v = json_member(object, "exec");
        size_t mark = definition_enter(r, "exec");
        int ret;

        if (!v)
                return definition_refuse(r, NULL, "missing: expected %s",
                                         definition_field_find("exec", FIELD_OF_ACTION)->expects);
        if (v->kind == JSON_KIND_STRING && v->string[0] != '\0')
                ret = read_shell_line(r, v, a);
        else if (v->kind == JSON_KIND_ARRAY && v->n_children > 0)
                ret = read_arguments(r, v, a);
        else
                return definition_refuse(r, v,
                                         "expected an array of at least one string, or one string for /bin/sh -c");
        if (ret != 0)
                return ret;
        definition_leave(r, mark);
        return 0;
}

/* Environment, files, credentials */

static int check_env(DefinitionReader *r, const JsonValue *v) {
        static const char *const ours[] = { "HERO_SOCKET_DIR", "HERO_SERVICE",  "HERO_ACTION",
                                            "HERO_READY_FILE", "HERO_READY_FD", "NOTIFY_SOCKET" };

        if (!definition_env_name_is_valid(v->key))
                return definition_refuse(r, NULL,
                                         "expected a name of letters, digits and '_' that does not start with a digit");
        for (size_t i = 0; i < ELEMENTSOF(ours); i++)
                if (strcmp(v->key, ours[i]) == 0)
                        return definition_refuse(r, NULL, "this variable is set by hero_proc");
        /* What was taken once, maybe by a version that knew fewer words, is not refused for what it is called. */
        if (!r->allow_secret_env && !r->is_stored && secret_name_find(v->key))
                return definition_refuse(r, NULL,
                                         "%s: by its name a secret, and systemd shows the environment to everybody: "
                                         "expected a file instead, named in credentials or env_file, or "
                                         "\"allow_secret_env\": true where it is no secret",
                                         secret_name_find(v->key));
        /* systemd refuses the whole unit over such a value. */
        if (definition_has_control(v->string, "\t\n"))
                return definition_refuse(r, v, "expected no control characters but tab and newline");
        if (strlen(v->key) + 1 + strlen(v->string) >= DEFINITION_STRING_MAX)
                return definition_refuse(r, v, "expected fewer than %d bytes of NAME=VALUE, the kernel's limit",
                                         DEFINITION_STRING_MAX);
        return 0;
}

static int check_credential(DefinitionReader *r, const JsonValue *v) {
        if (!service_name_is_valid(v->key))
                return definition_refuse(r, NULL,
                                         "expected a credential's id of 1 to 63 letters, digits, '_', '.' or '-'");
        if (!definition_path_is_absolute(v->string))
                return definition_refuse(r, v, "expected an absolute path without \".\", \"..\" or \"//\"");
        return 0;
}

static int read_pairs(DefinitionReader *r, const JsonValue *map, int (*check)(DefinitionReader *r, const JsonValue *v),
                      KeyValue **ret, size_t *ret_n) {
        size_t mark;

        if (!map || map->n_children == 0)
                return 0;
        *ret = calloc(map->n_children, sizeof **ret);
        if (!*ret)
                return -ENOMEM;
        mark = definition_enter(r, map->key);
        for (const JsonValue *v = map->first; v; v = v->next) {
                size_t member = definition_enter(r, v->key);
                KeyValue *pair = *ret + *ret_n;
                int err = check(r, v);

                if (err != 0)
                        return err;
                (*ret_n)++;
                if (definition_copy(v->key, &pair->key) < 0 || definition_copy(v->string, &pair->value) < 0)
                        return -ENOMEM;
                definition_leave(r, member);
        }
        definition_leave(r, mark);
        return 0;
}

static int read_env_file(DefinitionReader *r, const JsonValue *v, char **ret) {
        if (v->kind != JSON_KIND_STRING || !definition_path_is_absolute(v->string))
                return definition_refuse(r, v, "expected an absolute path without \".\", \"..\" or \"//\"");
        return definition_copy(v->string, ret);
}

static int read_env_files(DefinitionReader *r, const JsonValue *v, ActionDefinition *a) {
        bool is_array = v && v->kind == JSON_KIND_ARRAY;
        size_t n = is_array ? v->n_children : 1, mark, i = 0;
        int ret = 0;

        if (!v || n == 0)
                return 0;
        a->env_file = calloc(n + 1, sizeof a->env_file[0]);
        if (!a->env_file)
                return -ENOMEM;
        mark = definition_enter(r, v->key);
        if (!is_array)
                ret = read_env_file(r, v, &a->env_file[0]);
        for (const JsonValue *child = is_array ? v->first : NULL; child && ret == 0; child = child->next, i++) {
                size_t element = definition_enter_index(r, i);

                ret = read_env_file(r, child, &a->env_file[i]);
                if (ret == 0)
                        definition_leave(r, element);
        }
        if (ret != 0)
                return ret;
        definition_leave(r, mark);
        return 0;
}

/* Who and where */

static int read_user(DefinitionReader *r, const JsonValue *object, const char *name, char **ret) {
        const JsonValue *v = json_member(object, name);
        char number[32];
        const char *s = NULL;

        if (!v)
                return 0;
        if (v->kind == JSON_KIND_STRING)
                s = v->string;
        else if (v->kind == JSON_KIND_INTEGER) {
                (void) snprintf(number, sizeof number, "%" PRId64, v->integer);
                s = number;
        }
        if (!s || !definition_user_is_valid(s))
                return definition_refuse_member(r, object, name, "expected %s",
                                                definition_field_find(name, FIELD_OF_ACTION)->expects);
        return definition_copy(s, ret);
}

static int read_identity(DefinitionReader *r, const JsonValue *object, ActionDefinition *a) {
        const char *umask_text = definition_string(object, "umask"), *dir = definition_string(object, "working_dir");
        int ret;

        ret = read_user(r, object, "user", &a->user);
        if (ret == 0)
                ret = read_user(r, object, "group", &a->group);
        if (ret != 0)
                return ret;
        a->umask = umask_text ? definition_umask_from_string(umask_text) : -1;
        if (umask_text && a->umask < 0)
                return definition_refuse_member(r, object, "umask", "expected %s",
                                                definition_field_find("umask", FIELD_OF_ACTION)->expects);
        if (dir && !definition_path_is_absolute(dir))
                return definition_refuse_member(r, object, "working_dir",
                                                "expected an absolute path without \".\", \"..\" or \"//\"");
        return definition_copy(dir, &a->working_dir);
}

static int read_stop_signal(DefinitionReader *r, const JsonValue *object, ActionDefinition *a) {
        const DefinitionField *f = definition_field_find("stop_signal", FIELD_OF_ACTION);
        const JsonValue *v = json_member(object, "stop_signal");
        int number = 0;

        if (!v)
                number = definition_signal_from_string(f->standard);
        else if (v->kind == JSON_KIND_STRING)
                number = definition_signal_from_string(v->string);
        else if (v->kind == JSON_KIND_INTEGER && v->integer > 0 && v->integer < NSIG)
                number = (int) v->integer;
        if (number <= 0)
                return definition_refuse_member(r, object, "stop_signal", "expected %s", f->expects);
        a->stop_signal = number;
        return 0;
}

/* systemd's own rule too: a oneshot is "starting" for as long as it works, and its work has no usual length. */
static uint64_t start_timeout(const JsonValue *object, ActionKind kind) {
        if (kind == ACTION_KIND_ONESHOT && !json_member(object, "start_timeout_ms"))
                return USEC_NEVER;
        return definition_usec(object, FIELD_OF_ACTION, "start_timeout_ms");
}

/* An explicit `ready` wins. require_ready asks for the file, but not of a oneshot: it is ready by being done. */
static int read_kind(DefinitionReader *r, const JsonValue *object, ActionDefinition *a) {
        a->kind = (ActionKind) definition_word(object, FIELD_OF_ACTION, "kind");
        a->start_timeout_usec = start_timeout(object, a->kind);
        if (json_member(object, "ready"))
                a->ready = (ReadyKind) definition_word(object, FIELD_OF_ACTION, "ready");
        else
                a->ready = r->service->require_ready && a->kind == ACTION_KIND_PROCESS ? READY_FILE : READY_EXEC;
        if (a->kind == ACTION_KIND_ONESHOT && a->ready != READY_EXEC)
                return definition_refuse_member(r, object, "ready", "expected exec, since kind is oneshot");
        return 0;
}

static int read_restart(DefinitionReader *r, const JsonValue *object, const JsonValue *service, ActionDefinition *a) {
        const JsonValue *own = json_member(object, "restart"), *inherited = json_member(service, "restart");
        size_t mark = definition_enter(r, "restart");
        int ret;

        if (own && own != inherited) {
                ret = definition_check_fields(r, own, FIELD_OF_RESTART);
                if (ret != 0)
                        return ret;
        }
        ret = definition_read_restart(r, own, inherited, &a->restart);
        if (ret != 0)
                return ret;
        if (a->kind == ACTION_KIND_ONESHOT && a->restart.policy == RESTART_ALWAYS)
                return definition_refuse(r, NULL,
                                         "policy \"always\" is not for an action of kind oneshot; give it its own");
        definition_leave(r, mark);
        return 0;
}

static int read_limits(DefinitionReader *r, const JsonValue *object, ActionDefinition *a) {
        const JsonValue *limits = json_member(object, "limits"), *v;
        size_t mark = definition_enter(r, "limits");
        int ret;

        ret = limits ? definition_check_fields(r, limits, FIELD_OF_LIMITS) : 0;
        if (ret != 0)
                return ret;
        a->memory_max_bytes = definition_size(limits, "memory_max");
        v = json_member(limits, "tasks_max");
        a->tasks_max = v ? (uint64_t) v->integer : UINT64_MAX;
        v = json_member(limits, "cpu_quota_percent");
        a->cpu_quota_percent = v ? (unsigned) v->integer : 0;
        definition_leave(r, mark);
        return 0;
}

static int read_systemd(DefinitionReader *r, const JsonValue *object, ActionDefinition *a) {
        const JsonValue *v = json_member(object, "systemd");
        size_t mark;
        int ret;

        if (!v)
                return 0;
        mark = definition_enter(r, "systemd");
        ret = definition_read_systemd(r, v, &a->systemd);
        if (ret != 0)
                return ret;
        definition_leave(r, mark);
        return 0;
}

int definition_read_action(DefinitionReader *r, const JsonValue *object, const JsonValue *service,
                           ActionDefinition *a) {
        int ret;

        a->stop_timeout_usec = definition_usec(object, FIELD_OF_ACTION, "stop_timeout_ms");
        a->kill_others = definition_boolean(object, FIELD_OF_ACTION, "kill_others");
        r->allow_secret_env = definition_boolean(object, FIELD_OF_ACTION, "allow_secret_env");

        if ((ret = read_exec(r, object, a)) != 0 || (ret = read_kind(r, object, a)) != 0 ||
            (ret = read_pairs(r, json_member(object, "env"), check_env, &a->env, &a->n_env)) != 0 ||
            (ret = read_env_files(r, json_member(object, "env_file"), a)) != 0 ||
            (ret = read_pairs(r, json_member(object, "credentials"), check_credential, &a->credentials,
                              &a->n_credentials)) != 0 ||
            (ret = read_pairs(r, json_member(object, "credentials_encrypted"), check_credential,
                              &a->credentials_encrypted, &a->n_credentials_encrypted)) != 0 ||
            (ret = read_identity(r, object, a)) != 0 || (ret = read_stop_signal(r, object, a)) != 0 ||
            (ret = read_restart(r, object, service, a)) != 0 || (ret = read_limits(r, object, a)) != 0 ||
            (ret = read_systemd(r, object, a)) != 0)
                return ret;
        return 0;
}
