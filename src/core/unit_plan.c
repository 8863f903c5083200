/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/unit_plan.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "core/definition_systemd.h"
#include "core/healing.h"
#include "core/json_tree.h"
#include "core/unit_names.h"

/* A list of properties under construction. */
typedef struct PropertyList {
        struct json_object *array;
        const UnitPlanContext *context;
} PropertyList;

/* Takes `value`. */
static void property_add(PropertyList *l, const char *name, const char *signature, struct json_object *value) {
        struct json_object *property = json_object_new_array_ext(3);

        json_tree_append_string(property, name);
        json_tree_append_string(property, signature);
        json_tree_append(property, value);
        json_tree_append(l->array, property);
}

static void property_add_string(PropertyList *l, const char *name, const char *value) {
        if (value)
                property_add(l, name, "s", json_object_new_string(value));
}

static void property_add_bool(PropertyList *l, const char *name, bool value) {
        property_add(l, name, "b", json_object_new_boolean(value));
}

static void property_add_u64(PropertyList *l, const char *name, uint64_t value) {
        property_add(l, name, "t", json_object_new_uint64(value));
}

static void property_add_u32(PropertyList *l, const char *name, uint32_t value) {
        property_add(l, name, "u", json_object_new_int64(value));
}

/* Properties that a running systemd does not know fail the whole call, so newer ones go through this table. */
static const struct {
        const char *name;
        unsigned since;
} newer_properties[] = {
        { "RestartSteps", 254 },
        { "RestartMaxDelayUSec", 254 },
};

static bool is_known(const PropertyList *l, const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(newer_properties); i++)
                if (strcmp(newer_properties[i].name, name) == 0)
                        return l->context->systemd_version >= newer_properties[i].since;
        return true;
}

static struct json_object *string_array(const char *const *strings) {
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; strings && strings[i]; i++)
                json_tree_append_string(array, strings[i]);
        return array;
}

/* Characters that no version of systemd alters in ExecStart, at any reload. Everything else goes by the shim. */
static bool argument_is_safe(const char *argument, bool is_first) {
        static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@+=:,./-";

        if (is_first && !strchr("/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", argument[0]))
                return false; /* "-", "@", "+", ":" and "!" in front have a meaning of their own there */
        return argument[0] && argument[strspn(argument, safe)] == '\0';
}

bool unit_plan_needs_shim(const ServiceDefinition *d, size_t action) {
        const ActionDefinition *a = &d->actions[action];

        if (a->ready == READY_FD3 || a->ready == READY_FILE)
                return true;
        for (size_t i = 0; i < d->n_sockets; i++)
                if (d->sockets[i].action == (int) action)
                        return true;
        for (size_t i = 0; a->exec[i]; i++)
                if (!argument_is_safe(a->exec[i], i == 0))
                        return true;
        return false;
}

char *unit_plan_ready_file(const ServiceDefinition *d, size_t action) {
        char *path;
        int r;

        if (d->n_actions == 1)
                r = asprintf(&path, "%s/.ready", d->directory);
        else
                r = asprintf(&path, "%s/.ready.%s", d->directory, d->actions[action].name);
        return r < 0 ? NULL : path;
}

static void add_environment(PropertyList *l, const ServiceDefinition *d, size_t action) {
        const ActionDefinition *a = &d->actions[action];
        struct json_object *array = json_object_new_array();
        _cleanup_free_ char *ready_file = unit_plan_ready_file(d, action);
        const KeyValue own[] = {
                { (char *) "HERO_SOCKET_DIR", (char *) l->context->socket_dir },
                { (char *) "HERO_SERVICE", d->name },
                { (char *) "HERO_ACTION", a->name },
                { (char *) "HERO_READY_FILE", ready_file },
                { (char *) "HERO_READY_FD", (char *) (a->ready == READY_FD3 ? "3" : NULL) },
        };

        if (!ready_file)
                json_tree_append(array, NULL);
        for (size_t i = 0; i < ELEMENTSOF(own) + a->n_env; i++) {
                const KeyValue *kv = i < ELEMENTSOF(own) ? &own[i] : &a->env[i - ELEMENTSOF(own)];
                _cleanup_free_ char *assignment = NULL;

                if (!kv->value)
                        continue;
                if (asprintf(&assignment, "%s=%s", kv->key, kv->value) < 0)
                        assignment = NULL;
                json_tree_append_string(array, assignment);
        }
        property_add(l, "Environment", "as", array);
}

/* A list of pairs, [[first, second]…]; `second` NULL stands for false: EnvironmentFiles' "may be missing". */
static void add_pairs(PropertyList *l, const char *name, const char *signature, const KeyValue *pairs, size_t n) {
        struct json_object *array = json_object_new_array();

        if (n == 0) {
                json_object_put(array);
                return;
        }
        for (size_t i = 0; i < n; i++) {
                struct json_object *pair = json_object_new_array_ext(2);

                json_tree_append_string(pair, pairs[i].key);
                json_tree_append(pair, pairs[i].value ? json_object_new_string(pairs[i].value)
                                                      : json_object_new_boolean(false));
                json_tree_append(array, pair);
        }
        property_add(l, name, signature, array);
}

static void add_environment_files(PropertyList *l, const ActionDefinition *a) {
        _cleanup_free_ KeyValue *pairs = NULL;
        size_t n = 0;

        while (a->env_file && a->env_file[n])
                n++;
        pairs = calloc(n + 1, sizeof *pairs);
        for (size_t i = 0; pairs && i < n; i++)
                pairs[i].key = a->env_file[i];
        if (pairs)
                add_pairs(l, "EnvironmentFiles", "a(sb)", pairs, n);
        else
                json_tree_append(l->array, NULL);
}

static void add_exec_start(PropertyList *l, const char *path, const char *const *arguments) {
        struct json_object *command = json_object_new_array_ext(3), *list = json_object_new_array_ext(1);

        json_tree_append_string(command, path);
        json_tree_append(command, string_array(arguments));
        json_tree_append(command, json_object_new_boolean(false));
        json_tree_append(list, command);
        property_add(l, "ExecStart", "a(sasb)", list);
}

static void add_restart(PropertyList *l, const ActionDefinition *a) {
        static const char *const words[_RESTART_POLICY_MAX] = {
                [RESTART_ON_FAILURE] = "on-failure",
                [RESTART_ALWAYS] = "always",
                [RESTART_NEVER] = "no",
        };
        const RestartRule *r = &a->restart;
        /* systemd takes no always for oneshots: done is done. */
        RestartPolicy policy =
                a->kind == ACTION_KIND_ONESHOT && r->policy == RESTART_ALWAYS ? RESTART_ON_FAILURE : r->policy;
        uint32_t doublings = 0;

        property_add_string(l, "Restart", words[policy]);
        property_add_u64(l, "RestartUSec", r->delay_usec);
        property_add_u64(l, "StartLimitIntervalUSec", r->window_usec);
        property_add_u32(l, "StartLimitBurst", start_limit_burst(r));
        for (uint64_t delay = r->delay_usec; delay > 0 && delay < r->max_delay_usec; delay *= 2)
                doublings++;
        if (doublings > 0 && is_known(l, "RestartSteps")) {
                property_add_u32(l, "RestartSteps", doublings);
                property_add_u64(l, "RestartMaxDelayUSec", r->max_delay_usec);
        }
}

/* What systemd raises to a power is near to doubling. NRestarts counts a restart when the pause before it is over. */
uint64_t unit_plan_pause_usec(const RestartRule *r, uint32_t n_restarts, unsigned systemd_version) {
        uint64_t pause_usec = r->delay_usec;

        if (systemd_version < 254 || r->delay_usec == 0 || r->delay_usec >= r->max_delay_usec)
                return pause_usec;
        for (uint32_t i = 0; i < n_restarts && pause_usec < r->max_delay_usec; i++)
                pause_usec *= 2;
        return pause_usec < r->max_delay_usec ? pause_usec : r->max_delay_usec;
}

static void add_limits(PropertyList *l, const ActionDefinition *a) {
        if (a->memory_max_bytes != UINT64_MAX)
                property_add_u64(l, "MemoryMax", a->memory_max_bytes);
        if (a->tasks_max != UINT64_MAX)
                property_add_u64(l, "TasksMax", a->tasks_max);
        if (a->cpu_quota_percent > 0)
                property_add_u64(l, "CPUQuotaPerSecUSec", (uint64_t) a->cpu_quota_percent * USEC_PER_SEC / 100);
}

/* [source, destination, ignore-if-missing, recursive]: the same path inside and outside. */
static struct json_object *bind_mount(const char *path) {
        struct json_object *bind = json_object_new_array_ext(4);

        json_tree_append_string(bind, path);
        json_tree_append_string(bind, path);
        json_tree_append(bind, json_object_new_boolean(false));
        json_tree_append(bind, json_object_new_uint64(0x4000 /* MS_REC */));
        return bind;
}

/* A service with a root of its own still needs its shim, its arguments and its folder. */
static void add_root_binds(PropertyList *l, const ServiceDefinition *d, bool shimmed) {
        struct json_object *read_only = json_object_new_array(), *writable = json_object_new_array();

        if (shimmed) {
                json_tree_append(read_only, bind_mount(l->context->exec_dir));
                json_tree_append(read_only, bind_mount(l->context->shim));
        }
        json_tree_append(writable, bind_mount(d->directory));
        property_add(l, "BindReadOnlyPaths", "a(ssbt)", read_only);
        property_add(l, "BindPaths", "a(ssbt)", writable);
}

static void add_systemd_table(PropertyList *l, const ServiceDefinition *d, const ActionDefinition *a, bool shimmed) {
        if (!a->systemd)
                return;
        json_object_object_foreach(a->systemd, name, value) {
                const SystemdProperty *p = definition_systemd_property(name);

                if (p)
                        property_add(l, name, p->signature, json_object_get(value));
                if (strcmp(name, "RootDirectory") == 0)
                        add_root_binds(l, d, shimmed);
        }
}

static void add_identity(PropertyList *l, const ServiceDefinition *d, const ActionDefinition *a, const char *slice) {
        bool is_main = d->n_actions == 1 && strcmp(a->name, "main") == 0;
        char text[DEFINITION_DESCRIPTION_MAX + sizeof ": " + DEFINITION_NAME_MAX];

        (void) snprintf(text, sizeof text, "%s%s%s", d->description ? d->description : d->name, is_main ? "" : ": ",
                        is_main ? "" : a->name);
        property_add_string(l, "Description", text);
        property_add_string(l, "Slice", slice);
        property_add_bool(l, "IgnoreOnIsolate", true);
        property_add_string(l, "KillMode", "control-group");
        if (!a->systemd || !json_object_object_get_ex(a->systemd, "SyslogIdentifier", NULL)) {
                (void) snprintf(text, sizeof text, "%s%s%s", d->name, is_main ? "" : "@", is_main ? "" : a->name);
                property_add_string(l, "SyslogIdentifier", text);
        }
}

static void add_process(PropertyList *l, const ActionDefinition *a) {
        property_add_string(l, "User", a->user);
        property_add_string(l, "Group", a->group);
        property_add_string(l, "WorkingDirectory", a->working_dir);
        if (a->umask >= 0)
                property_add_u32(l, "UMask", (uint32_t) a->umask);
        property_add_u64(l, "TimeoutStartUSec", a->start_timeout_usec);
        property_add_u64(l, "TimeoutStopUSec", a->stop_timeout_usec);
        if (a->stop_signal != SIGTERM)
                property_add(l, "KillSignal", "i", json_object_new_int(a->stop_signal));
}

static void add_type(PropertyList *l, const ActionDefinition *a, bool shimmed) {
        bool notify = a->kind == ACTION_KIND_PROCESS && (shimmed || a->ready == READY_NOTIFY);

        property_add_string(l, "Type", a->kind == ACTION_KIND_ONESHOT ? "oneshot" : notify ? "notify" : "exec");
        /* The relay is not the main process, and a script may say ready by `hero_proc_notify --ready`. */
        if (notify)
                property_add_string(l, "NotifyAccess", "all");
}

/* The exec file's content as data; its path goes with it. */
static struct json_object *exec_file_plan(const ServiceDefinition *d, size_t action, const UnitPlanContext *context) {
        const ActionDefinition *a = &d->actions[action];
        struct json_object *plan = json_object_new_object(), *sockets = json_object_new_array();
        _cleanup_free_ char *path = NULL, *ready_file = unit_plan_ready_file(d, action);

        if (asprintf(&path, "%s/%s/%s", context->exec_dir, d->name, a->name) < 0)
                path = NULL;
        for (size_t i = 0; i < d->n_sockets; i++)
                if (d->sockets[i].action == (int) action)
                        json_tree_append_string(sockets, d->sockets[i].path);
        json_tree_add(plan, "path", path && ready_file ? json_object_new_string(path) : NULL);
        json_tree_add_string(plan, "ready", a->kind == ACTION_KIND_ONESHOT ? "none" : ready_kind_to_string(a->ready));
        json_tree_add_string(plan, "ready_file", a->ready == READY_FILE && ready_file ? ready_file : "");
        json_tree_add(plan, "sockets", sockets);
        json_tree_add(plan, "arguments", string_array((const char *const *) a->exec));
        return plan;
}

static struct json_object *action_plan(const ServiceDefinition *d, size_t action, const UnitPlanContext *context) {
        const ActionDefinition *a = &d->actions[action];
        PropertyList l = { json_object_new_array(), context };
        struct json_object *unit = json_object_new_object(), *exec_file = NULL;
        bool shimmed = unit_plan_needs_shim(d, action);
        char slice[UNIT_NAME_MAX], name[UNIT_NAME_MAX];

        unit_name_of_slice(d->name, slice);
        unit_name_of_action(d, action, name);
        add_identity(&l, d, a, slice);
        add_type(&l, a, shimmed);
        if (shimmed) {
                exec_file = exec_file_plan(d, action, context);
                const char *const arguments[] = { context->shim, "--exec",
                                                  json_object_get_string(json_object_object_get(exec_file, "path")),
                                                  NULL };
                add_exec_start(&l, context->shim, arguments);
        } else {
                add_exec_start(&l, a->exec[0], (const char *const *) a->exec);
        }
        add_environment(&l, d, action);
        add_environment_files(&l, a);
        add_pairs(&l, "LoadCredential", "a(ss)", a->credentials, a->n_credentials);
        add_pairs(&l, "LoadCredentialEncrypted", "a(ss)", a->credentials_encrypted, a->n_credentials_encrypted);
        add_process(&l, a);
        add_restart(&l, a);
        add_limits(&l, a);
        add_systemd_table(&l, d, a, shimmed);

        json_tree_add_string(unit, "name", name);
        json_tree_add(unit, "properties", l.array);
        if (shimmed)
                json_tree_add(unit, "exec_file", exec_file);
        return unit;
}

/* The anchor. Before= and not Wants=: it keeps stopped and failed actions loaded just as well, and restarting the slice
 * does not bring back an action that an operator stopped. */
static struct json_object *slice_properties(const ServiceDefinition *d, const UnitPlanContext *context) {
        PropertyList l = { json_object_new_array(), context };
        struct json_object *before = json_object_new_array();
        char name[UNIT_NAME_MAX];

        property_add_string(&l, "Description", d->description ? d->description : d->name);
        for (size_t i = 0; i < d->n_actions; i++) {
                unit_name_of_action(d, i, name);
                json_tree_append_string(before, name);
        }
        property_add(&l, "Before", "as", before);
        return l.array;
}

static int refuse(const ServiceDefinition *d, const ActionDefinition *a, const char *property, unsigned since,
                  unsigned here, char **reterr_message) {
        if (asprintf(reterr_message, "%s: action %s: systemd.%s: needs systemd %u, and this is %u", d->name, a->name,
                     property, since, here) < 0) {
                *reterr_message = NULL;
                return -ENOMEM;
        }
        return HERO_E_INVALID_DEFINITION;
}

int unit_plan_check(const ServiceDefinition *d, const UnitPlanContext *context, char **reterr_message) {
        for (size_t i = 0; i < d->n_actions; i++) {
                if (!d->actions[i].systemd)
                        continue;
                json_object_object_foreach(d->actions[i].systemd, name, value) {
                        const SystemdProperty *p = definition_systemd_property(name);

                        (void) value;
                        if (p && p->min_version > context->systemd_version)
                                return refuse(d, &d->actions[i], name, p->min_version, context->systemd_version,
                                              reterr_message);
                }
        }
        return 0;
}

int unit_plan_build(const ServiceDefinition *d, const UnitPlanContext *context, struct json_object **ret) {
        struct json_object *plan = json_object_new_object(), *units = json_object_new_array();
        struct json_object *anchor = slice_properties(d, context);
        char slice[UNIT_NAME_MAX];

        unit_name_of_slice(d->name, slice);
        for (size_t i = 0; i < d->n_actions; i++)
                json_tree_append(units, action_plan(d, i, context));
        json_tree_add_string(plan, "slice", slice);
        json_tree_add(plan, "slice_properties", anchor);
        json_tree_add(plan, "units", units);
        plan = json_tree_finish(plan);
        if (!plan)
                return -ENOMEM;
        *ret = plan;
        return 0;
}
