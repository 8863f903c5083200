/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/outcome.h"
#include "core/definition_reader.h"
#include "core/definition_value.h"

enum {
        UNIT_NAME_MAX = 255,
};

/* The slice is hero-NAME.slice with each '-' written "\x2d", and systemd's limit counts the longer form. */
static bool slice_name_fits(const char *name) {
        size_t n = strlen("hero-.slice");

        for (; *name; name++)
                n += *name == '-' ? strlen("\\x2d") : 1;
        return n <= UNIT_NAME_MAX;
}

/* First of all, so that every later message starts with the name. */
static int read_name(DefinitionReader *r, const JsonValue *object) {
        const JsonValue *v = json_member(object, "name");

        (void) definition_enter(r, "name");
        if (!v)
                return definition_refuse(r, NULL, "missing: expected the service's name");
        if (v->kind != JSON_KIND_STRING || !service_name_is_valid(v->string))
                return definition_refuse(r, v,
                                         "expected 1 to 63 letters, digits, '_', '.' or '-', not starting with "
                                         "'.' or '-'");
        if (strcmp(v->string, "hero_proc") == 0)
                return definition_refuse(r, v, "this name is reserved");
        if (!slice_name_fits(v->string))
                return definition_refuse(r, v, "too many '-': each takes four bytes in the name of the slice");
        definition_leave(r, 0);
        (void) snprintf(r->label, sizeof r->label, "%s", v->string);
        return definition_copy(v->string, &r->service->name);
}

static bool is_listed(char *const *list, const char *s) {
        for (; list && *list; list++)
                if (strcmp(*list, s) == 0)
                        return true;
        return false;
}

/* `except`: names left out without a word, since requiring a service also orders. */
static int read_relations(DefinitionReader *r, const JsonValue *array, char *const *except, char ***ret) {
        size_t mark, i = 0, n = 0;

        if (!array || array->n_children == 0)
                return 0;
        *ret = calloc(array->n_children + 1, sizeof **ret);
        if (!*ret)
                return -ENOMEM;
        mark = definition_enter(r, array->key);
        for (const JsonValue *v = array->first; v; v = v->next, i++) {
                size_t element = definition_enter_index(r, i);

                if (!service_name_is_valid(v->string))
                        return definition_refuse(r, v, "expected the name of a service");
                if (strcmp(v->string, r->service->name) == 0)
                        return definition_refuse(r, v, "expected another service, not this one itself");
                if (is_listed(*ret, v->string))
                        return definition_refuse(r, v, "expected each name once");
                definition_leave(r, element);
                if (is_listed(except, v->string))
                        continue;
                (*ret)[n] = strdup(v->string);
                if (!(*ret)[n++])
                        return -ENOMEM;
        }
        definition_leave(r, mark);
        return 0;
}

/* systemd.unit(5): what a name is made of, and the kinds that can be started. */
static bool unit_name_is_valid(const char *name) {
        static const char *const kinds[] = { ".service", ".target", ".path", ".timer", ".socket", ".mount" };
        size_t n = strlen(name);

        if (n > UNIT_NAME_MAX - DEFINITION_NAME_MAX || name[0] == '.' || name[0] == '@' ||
            strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.\\@") != n)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (n > strlen(kinds[i]) && strcmp(name + n - strlen(kinds[i]), kinds[i]) == 0)
                        return true;
        return false;
}

static int read_on_failure_unit(DefinitionReader *r, const JsonValue *object) {
        const JsonValue *v = json_member(object, "on_failure_unit");

        if (!v)
                return 0;
        if (v->kind != JSON_KIND_STRING || !unit_name_is_valid(v->string))
                return definition_refuse_member(r, object, "on_failure_unit", "expected %s",
                                                definition_field_find("on_failure_unit", FIELD_OF_SERVICE)->expects);
        return definition_copy(v->string, &r->service->on_failure_unit);
}

static int read_own_fields(DefinitionReader *r, const JsonValue *object) {
        ServiceDefinition *d = r->service;
        const char *description = definition_string(object, "description");
        int ret;

        if (description && definition_has_control(description, ""))
                return definition_refuse_member(r, object, "description",
                                                "expected one line without control characters");
        ret = definition_copy(description, &d->description);
        if (ret < 0)
                return ret;
        d->autostart = definition_boolean(object, FIELD_OF_SERVICE, "autostart");
        d->require_ready = definition_boolean(object, FIELD_OF_SERVICE, "require_ready");
        d->on_unhealthy = (UnhealthyPolicy) definition_word(object, FIELD_OF_SERVICE, "on_unhealthy");
        ret = read_on_failure_unit(r, object);
        if (ret != 0)
                return ret;
        ret = read_relations(r, json_member(object, "requires"), NULL, &d->requires);
        if (ret != 0)
                return ret;
        ret = read_relations(r, json_member(object, "after"), d->requires, &d->after);
        if (ret != 0)
                return ret;
        if (asprintf(&d->directory, "%s/%s", r->socket_dir, d->name) < 0) {
                d->directory = NULL;
                return -ENOMEM;
        }
        return 0;
}

/* Here, so that a fault of the service's own rule is told once and at its place, not at each action that inherits it.
 */
static int check_restart(DefinitionReader *r, const JsonValue *object) {
        const JsonValue *restart = json_member(object, "restart");
        size_t mark = definition_enter(r, "restart");
        int ret;

        ret = restart ? definition_check_fields(r, restart, FIELD_OF_RESTART) : 0;
        if (ret != 0)
                return ret;
        definition_leave(r, mark);
        return 0;
}

/* The short form: the service's object is that of its action `main` as well. */
static int read_main_action(DefinitionReader *r, const JsonValue *object) {
        ServiceDefinition *d = r->service;
        int ret;

        d->actions = calloc(1, sizeof d->actions[0]);
        if (!d->actions)
                return -ENOMEM;
        d->n_actions = 1;
        ret = definition_copy("main", &d->actions[0].name);
        if (ret < 0)
                return ret;
        if ((ret = definition_read_action(r, object, object, &d->actions[0])) != 0 ||
            (ret = definition_read_sockets(r, object, 0)) != 0)
                return ret;
        return definition_read_ports(r, object, 0);
}

static int read_named_action(DefinitionReader *r, const JsonValue *object, const JsonValue *v) {
        ServiceDefinition *d = r->service;
        size_t mark = definition_enter(r, v->key);
        int i = (int) d->n_actions, ret;

        if (!action_name_is_valid(v->key))
                return definition_refuse(r, NULL, "expected an action's name of 1 to 63 letters, digits or '_'");
        if (v->kind != JSON_KIND_OBJECT)
                return definition_refuse(r, v, "expected an object");
        ret = definition_check_fields(r, v, FIELD_OF_ACTION);
        if (ret != 0)
                return ret;
        d->n_actions++;
        ret = definition_copy(v->key, &d->actions[i].name);
        if (ret < 0)
                return ret;
        if ((ret = definition_read_action(r, v, object, &d->actions[i])) != 0 ||
            (ret = definition_read_sockets(r, v, i)) != 0 || (ret = definition_read_ports(r, v, i)) != 0)
                return ret;
        definition_leave(r, mark);
        return 0;
}

static int read_actions(DefinitionReader *r, const JsonValue *object) {
        const JsonValue *actions = json_member(object, "actions");
        ServiceDefinition *d = r->service;
        size_t mark;
        int ret;

        if (!actions)
                return read_main_action(r, object);

        /* The service's own first: their order in the definition is the order of d->sockets. An action that declares
         * one of them again becomes its owner, and the only action owns them all. */
        ret = definition_read_sockets(r, object, -1);
        if (ret != 0)
                return ret;
        mark = definition_enter(r, "actions");
        if (actions->n_children == 0 || actions->n_children > DEFINITION_ACTIONS_MAX)
                return definition_refuse(r, actions, "expected 1 to %d actions", DEFINITION_ACTIONS_MAX);
        d->actions = calloc(actions->n_children, sizeof d->actions[0]);
        if (!d->actions)
                return -ENOMEM;
        for (const JsonValue *v = actions->first; v; v = v->next) {
                ret = read_named_action(r, object, v);
                if (ret != 0)
                        return ret;
        }
        definition_leave(r, mark);
        for (size_t i = 0; d->n_actions == 1 && i < d->n_sockets; i++)
                d->sockets[i].action = 0;
        return 0;
}

/* When all sockets are known: a probe names one of any action. */
static int read_probes(DefinitionReader *r, const JsonValue *object) {
        const JsonValue *actions = json_member(object, "actions");
        int i = 0, ret;

        ret = definition_read_probes(r, object, r->service->n_actions == 1 ? 0 : -1);
        if (ret != 0)
                return ret;
        (void) definition_enter(r, "actions");
        for (const JsonValue *v = actions ? actions->first : NULL; v; v = v->next, i++) {
                size_t mark = definition_enter(r, v->key);

                ret = definition_read_probes(r, v, i);
                if (ret != 0)
                        return ret;
                definition_leave(r, mark);
        }
        definition_leave(r, 0);
        return definition_name_probes(r);
}

int definition_read_service(DefinitionReader *r, const JsonValue *object) {
        const bool short_form = !json_member(object, "actions");
        int ret;

        if (object->kind != JSON_KIND_OBJECT)
                return definition_refuse(r, object, "expected an object");
        if (object->source_length > DEFINITION_TEXT_MAX)
                return definition_refuse(r, NULL, "expected at most %d bytes a service", DEFINITION_TEXT_MAX);
        ret = read_name(r, object);
        if (ret != 0)
                return ret;
        ret = definition_check_fields(r, object, FIELD_OF_SERVICE | (short_form ? FIELD_OF_ACTION : 0));
        if (ret != 0)
                return ret;
        if ((ret = read_own_fields(r, object)) != 0 || (ret = check_restart(r, object)) != 0)
                return ret;
        ret = read_actions(r, object);
        return ret != 0 ? ret : read_probes(r, object);
}
