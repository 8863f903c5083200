/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reading one service's JSON: where we are, how an error is worded, and typed access to the fields. Only the files that
 * make a ServiceDefinition include this. */

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "core/definition_field.h"
#include "core/json_strict.h"
#include "core/service_definition.h"

typedef struct DefinitionReader {
        char label[DEFINITION_NAME_MAX + 1]; /* the service's name, or "definition[2]" until it is known */
        char path[256];                      /* "actions.ui.ready" */
        size_t path_length;
        char *message; /* of the one error; owned */
        const char *socket_dir;
        bool is_stored;             /* it was taken before: see service_definition_parse_stored() */
        bool allow_secret_env;      /* of the action that is being read */
        ServiceDefinition *service; /* what is being filled in, of many pieces; definition_pack() makes one of them */
} DefinitionReader;

void definition_reader_done(DefinitionReader *r);

/* Steps into a member or element; what is returned goes to definition_leave(). After an error nobody has to leave. */
size_t definition_enter(DefinitionReader *r, const char *key);
size_t definition_enter_index(DefinitionReader *r, size_t i);
void definition_leave(DefinitionReader *r, size_t mark);

/* Makes the error "LABEL: PATH: VALUE: TEXT" (`value` may be NULL); HERO_E_INVALID_DEFINITION, or -ENOMEM. */
int definition_refuse(DefinitionReader *r, const JsonValue *value, const char *format, ...) _printf_(3, 4);
/* The same one step further in, at member `key`. */
int definition_refuse_member(DefinitionReader *r, const JsonValue *object, const char *key, const char *format, ...)
        _printf_(4, 5);

/* Refuses unknown members of `object`, and those whose type or bounds the table of fields does not allow. What passed
 * can be read with the functions below, which know no errors; they take `object` NULL for an empty one, and give the
 * table's default for what is absent. FIELD_OTHER is left to its reader. */
int definition_check_fields(DefinitionReader *r, const JsonValue *object, unsigned scopes);

bool definition_boolean(const JsonValue *object, unsigned scope, const char *name);
int64_t definition_integer(const JsonValue *object, unsigned scope, const char *name);
/* A field in milliseconds. */
uint64_t definition_usec(const JsonValue *object, unsigned scope, const char *name);
/* Index of the word; it is the value of the enum that the words are the table of. */
int definition_word(const JsonValue *object, unsigned scope, const char *name);
/* NULL: absent. */
const char *definition_string(const JsonValue *object, const char *name);
/* UINT64_MAX: absent. */
uint64_t definition_size(const JsonValue *object, const char *name);
size_t definition_n_children(const JsonValue *object, const char *name);

/* strdup() that takes NULL for what is absent. 0, or -ENOMEM. */
int definition_copy(const char *s, char **ret);
/* A NULL-terminated array and what it holds; takes NULL. */
void definition_free_strings(char **strings);

/* definition_service.c: fills r->service; only its `text` is set before. */
int definition_read_service(DefinitionReader *r, const JsonValue *object);

/* definition_action.c: `object` is the action, `service` the object whose `restart`, already checked,
 * fills in below its own. */
int definition_read_action(DefinitionReader *r, const JsonValue *object, const JsonValue *service, ActionDefinition *a);
void definition_action_done(ActionDefinition *a);

/* definition_restart.c */
int definition_read_restart(DefinitionReader *r, const JsonValue *own, const JsonValue *inherited, RestartRule *ret);

/* definition_socket.c: adds object's `sockets`, declared by the service (-1) or one of its actions. */
int definition_read_sockets(DefinitionReader *r, const JsonValue *object, int action);
/* The absolute path of a declared socket, given relative or absolute, or of any other absolute one. */
int definition_find_socket(DefinitionReader *r, const JsonValue *value, char **ret);

/* definition_port.c: adds object's `ports`, declared by one of the actions. */
int definition_read_ports(DefinitionReader *r, const JsonValue *object, int action);

/* definition_probe.c: adds object's `probe` or `probes`. */
int definition_read_probes(DefinitionReader *r, const JsonValue *object, int action);
/* Gives a name to each probe that has none; to be called when all are read. */
int definition_name_probes(DefinitionReader *r);
void definition_probe_done(ProbeDefinition *p);

/* definition_http.c: what only an HTTP probe has. */
int definition_read_http(DefinitionReader *r, const JsonValue *object, ProbeDefinition *p);

/* definition_systemd.c */
int definition_read_systemd(DefinitionReader *r, const JsonValue *object, struct json_object **ret);
