/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/definition_reader.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "core/definition_value.h"
#include "core/utf8.h"

enum {
        SHOWN_KEY_BYTES_MAX = 40,   /* of a key of the user's choice, in a path */
        SHOWN_VALUE_BYTES_MAX = 60, /* of a value, in a message */
        SHOWN_SIZE = SHOWN_VALUE_BYTES_MAX + sizeof "…\"",
};

static void free_unpacked(ServiceDefinition *d) {
        for (size_t i = 0; i < d->n_actions; i++)
                definition_action_done(&d->actions[i]);
        for (size_t i = 0; i < d->n_sockets; i++) {
                free(d->sockets[i].name);
                free(d->sockets[i].path);
        }
        for (size_t i = 0; i < d->n_probes; i++)
                definition_probe_done(&d->probes[i]);
        free(d->actions);
        free(d->sockets);
        free(d->ports);
        free(d->probes);
        definition_free_strings(d->requires);
        definition_free_strings(d->after);
        free(d->text);
        free(d->public_text);
        free(d->name);
        free(d->description);
        free(d->on_failure_unit);
        free(d->directory);
        free(d);
}

void definition_reader_done(DefinitionReader *r) {
        free(r->message);
        if (r->service)
                free_unpacked(r->service);
}

/* What the user wrote, on one line and within `max` bytes. It goes to terminals and journals: control characters, also
 * the C1 ones that UTF-8 can carry, would do things there. */
static void show(const char *s, size_t n, size_t max, char *out) {
        bool cut = n > max, quoted = n > 0 && s[0] == '"';
        size_t i = 0;

        while (i < n) {
                uint32_t c = 0;
                size_t length = utf8_decode(s + i, n - i, &c);

                if (length == 0 || i + length > max)
                        break;
                if (c < ' ' || (c >= 0x7f && c < 0xa0))
                        *out++ = c == '\n' || c == '\t' || c == '\r' ? ' ' : '?';
                else
                        out = mempcpy(out, s + i, length);
                i += length;
        }
        (void) strcpy(out, cut ? (quoted ? "…\"" : "…") : "");
}

size_t definition_enter(DefinitionReader *r, const char *key) {
        char shown[SHOWN_SIZE];
        size_t mark = r->path_length;
        int n;

        show(key, strlen(key), SHOWN_KEY_BYTES_MAX, shown);
        n = snprintf(r->path + mark, sizeof r->path - mark, "%s%s", mark > 0 ? "." : "", *key ? shown : "\"\"");
        r->path_length = mark + (size_t) n < sizeof r->path ? mark + (size_t) n : sizeof r->path - 1;
        return mark;
}

size_t definition_enter_index(DefinitionReader *r, size_t i) {
        size_t mark = r->path_length;
        int n = snprintf(r->path + mark, sizeof r->path - mark, "[%zu]", i);

        r->path_length = mark + (size_t) n < sizeof r->path ? mark + (size_t) n : sizeof r->path - 1;
        return mark;
}

void definition_leave(DefinitionReader *r, size_t mark) {
        r->path[mark] = '\0';
        r->path_length = mark;
}

_printf_(3, 0) static int refuse_valist(DefinitionReader *r, const JsonValue *value, const char *format, va_list ap) {
        _cleanup_free_ char *text = NULL;
        char shown[SHOWN_SIZE] = "";

        if (vasprintf(&text, format, ap) < 0) {
                text = NULL;
                return -ENOMEM;
        }
        if (r->is_stored) /* the message goes to the log */
                value = NULL;
        if (value)
                show(value->source, value->source_length, SHOWN_VALUE_BYTES_MAX, shown);
        if (asprintf(&r->message, "%s: %s%s%s%s%s", r->label, r->path, r->path_length > 0 ? ": " : "", shown,
                     value ? ": " : "", text) < 0) {
                r->message = NULL;
                return -ENOMEM;
        }
        return HERO_E_INVALID_DEFINITION;
}

int definition_refuse(DefinitionReader *r, const JsonValue *value, const char *format, ...) {
        va_list ap;
        int ret;

        va_start(ap, format);
        ret = refuse_valist(r, value, format, ap);
        va_end(ap);
        return ret;
}

int definition_refuse_member(DefinitionReader *r, const JsonValue *object, const char *key, const char *format, ...) {
        va_list ap;
        int ret;

        (void) definition_enter(r, key);
        va_start(ap, format);
        ret = refuse_valist(r, json_member(object, key), format, ap);
        va_end(ap);
        return ret;
}

/* Checks against the table */

static int refuse_unknown(DefinitionReader *r, const char *key, unsigned scopes) {
        static const struct {
                unsigned scope;
                const char *place;
        } places[] = { { FIELD_OF_SERVICE, "the service" },
                       { FIELD_OF_ACTION, "an action" },
                       { FIELD_OF_PROBE, "a probe" },
                       { FIELD_OF_RESTART, "restart" },
                       { FIELD_OF_LIMITS, "limits" } };
        NearestWord nearest = { .word = key };
        size_t n_fields;
        const DefinitionField *f = definition_fields(&n_fields);

        for (size_t i = 0; i < n_fields; i++)
                if (f[i].scopes & scopes)
                        nearest_word_offer(&nearest, f[i].name);
        (void) definition_enter(r, key);
        /* A field in the wrong place is likelier than a slip that happens to spell another field. */
        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                if (definition_field_find(key, places[i].scope))
                        return definition_refuse(r, NULL, "unknown field here; it belongs to %s", places[i].place);
        if (nearest.best)
                return definition_refuse(r, NULL, "unknown field; did you mean \"%s\"?", nearest.best);
        return definition_refuse(r, NULL, "unknown field");
}

static bool read_size(const JsonValue *v, uint64_t *ret) {
        if (v->kind == JSON_KIND_STRING)
                return definition_size_from_string(v->string, ret);
        *ret = v->kind == JSON_KIND_INTEGER ? (uint64_t) v->integer : 0;
        return v->kind == JSON_KIND_INTEGER && v->integer >= 0;
}

static int find_word(const DefinitionField *f, const char *word) {
        for (size_t i = 0; i < f->n_words; i++)
                if (strcmp(f->words[i], word) == 0)
                        return (int) i;
        return -EINVAL;
}

static bool is_within(const DefinitionField *f, uint64_t n) {
        return n >= (uint64_t) f->min && n <= (uint64_t) f->max;
}

static bool is_right(const DefinitionField *f, const JsonValue *v) {
        uint64_t bytes;

        switch (f->type) {
        case FIELD_BOOLEAN:
                return v->kind == JSON_KIND_BOOLEAN;
        case FIELD_INTEGER:
                return v->kind == JSON_KIND_INTEGER && v->integer >= f->min && v->integer <= f->max;
        case FIELD_SIZE:
                return read_size(v, &bytes) && is_within(f, bytes);
        case FIELD_WORD:
                return v->kind == JSON_KIND_STRING && find_word(f, v->string) >= 0;
        case FIELD_STRING:
                return v->kind == JSON_KIND_STRING && is_within(f, strlen(v->string));
        case FIELD_STRINGS:
        case FIELD_OBJECTS:
                return v->kind == JSON_KIND_ARRAY && is_within(f, v->n_children);
        case FIELD_OBJECT:
        case FIELD_MAP:
                return v->kind == JSON_KIND_OBJECT;
        case FIELD_OTHER:
        default:
                return true;
        }
}

static int check_children(DefinitionReader *r, const DefinitionField *f, const JsonValue *v) {
        bool want_objects = f->type == FIELD_OBJECTS;
        size_t i = 0;

        if (f->type != FIELD_STRINGS && f->type != FIELD_OBJECTS && f->type != FIELD_MAP)
                return 0;
        for (const JsonValue *child = v->first; child; child = child->next, i++) {
                size_t mark;

                if (child->kind == (want_objects ? JSON_KIND_OBJECT : JSON_KIND_STRING))
                        continue;
                mark = child->key ? definition_enter(r, child->key) : definition_enter_index(r, i);
                (void) mark;
                return definition_refuse(r, child, "expected %s", want_objects ? "an object" : "a string");
        }
        return 0;
}

int definition_check_fields(DefinitionReader *r, const JsonValue *object, unsigned scopes) {
        for (const JsonValue *v = object->first; v; v = v->next) {
                const DefinitionField *f = definition_field_find(v->key, scopes);
                char buffer[256];
                size_t mark;
                int ret;

                if (!f)
                        return refuse_unknown(r, v->key, scopes);
                mark = definition_enter(r, v->key);
                if (!is_right(f, v))
                        return definition_refuse(r, v, "expected %s",
                                                 definition_field_expectation(f, buffer, sizeof buffer));
                ret = check_children(r, f, v);
                if (ret != 0)
                        return ret;
                definition_leave(r, mark);
        }
        return 0;
}

/* Reading what was checked */

static const char *standard(unsigned scope, const char *name) {
        const DefinitionField *f = definition_field_find(name, scope);

        /* Both names come from our own code. */
        assert(f && f->standard);
        return f->standard;
}

bool definition_boolean(const JsonValue *object, unsigned scope, const char *name) {
        const JsonValue *v = json_member(object, name);

        return v ? v->boolean : strcmp(standard(scope, name), "true") == 0;
}

int64_t definition_integer(const JsonValue *object, unsigned scope, const char *name) {
        const JsonValue *v = json_member(object, name);

        return v ? v->integer : strtoll(standard(scope, name), NULL, 10);
}

uint64_t definition_usec(const JsonValue *object, unsigned scope, const char *name) {
        return (uint64_t) definition_integer(object, scope, name) * USEC_PER_MSEC;
}

int definition_word(const JsonValue *object, unsigned scope, const char *name) {
        const JsonValue *v = json_member(object, name);

        return find_word(definition_field_find(name, scope), v ? v->string : standard(scope, name));
}

const char *definition_string(const JsonValue *object, const char *name) {
        const JsonValue *v = json_member(object, name);

        return v ? v->string : NULL;
}

uint64_t definition_size(const JsonValue *object, const char *name) {
        const JsonValue *v = json_member(object, name);
        uint64_t bytes;

        return v && read_size(v, &bytes) ? bytes : UINT64_MAX;
}

size_t definition_n_children(const JsonValue *object, const char *name) {
        const JsonValue *v = json_member(object, name);

        return v ? v->n_children : 0;
}

int definition_copy(const char *s, char **ret) {
        char *copy = s ? strdup(s) : NULL;

        if (s && !copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

void definition_free_strings(char **strings) {
        for (char **s = strings; s && *s; s++)
                free(*s);
        free(strings);
}
