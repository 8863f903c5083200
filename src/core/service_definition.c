/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/service_definition.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/outcome.h"
#include "core/definition_pack.h"
#include "core/definition_public.h"
#include "core/definition_reader.h"
#include "core/json_strict.h"
#include "core/utf8.h"

enum {
        LIST_TEXT_MAX = 32 * 1024 * 1024, /* bytes of one text of many services; more than a bus message can carry */
        LIST_SERVICES_MAX = 8192,
};

#define NAME_FIRST "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

static bool name_is_valid(const char *name, const char *further) {
        size_t n = strlen(name);

        if (n == 0 || n > DEFINITION_NAME_MAX)
                return false;
        return strchr(NAME_FIRST, name[0]) && strspn(name, further) == n;
}

bool service_name_is_valid(const char *name) {
        return name_is_valid(name, NAME_FIRST ".-");
}

bool action_name_is_valid(const char *name) {
        return name_is_valid(name, NAME_FIRST);
}

ServiceDefinition *service_definition_free(ServiceDefinition *d) {
        for (size_t i = 0; d && i < d->n_actions; i++)
                (void) json_object_put(d->actions[i].systemd);
        free(d);
        return NULL;
}

void service_definition_free_list(ServiceDefinition **list, size_t n) {
        for (size_t i = 0; i < n; i++)
                (void) service_definition_free(list[i]);
        free(list);
}

static bool holds_noncharacter(const char *s) {
        uint32_t c;

        for (size_t n; s && (n = utf8_decode(s, strnlen(s, 4), &c)) > 0; s += n)
                if (utf8_is_noncharacter(c))
                        return true;
        return false;
}

/* Of a service that has such a text nothing could be told over a bus, nor of all others in the same message. As a
 * character the bus itself does not let it pass; an escape sequence it does not look into. */
static bool any_holds_noncharacter(const JsonValue *v) {
        if (holds_noncharacter(v->key) || (v->kind == JSON_KIND_STRING && holds_noncharacter(v->string)))
                return true;
        if (v->kind == JSON_KIND_ARRAY || v->kind == JSON_KIND_OBJECT)
                for (const JsonValue *child = v->first; child; child = child->next)
                        if (any_holds_noncharacter(child))
                                return true;
        return false;
}

/* What is wanted of all the texts of one call. */
typedef struct ParseOptions {
        const char *socket_dir;
        bool is_stored;
} ParseOptions;

static int parse_service(const char *text, size_t length, const char *label, const ParseOptions *options,
                         ServiceDefinition **ret, char **reterr_message) {
        _cleanup_(definition_reader_done)
                DefinitionReader r = { .socket_dir = options->socket_dir, .is_stored = options->is_stored };
        _cleanup_(json_document_freep) JsonDocument *document = NULL;
        int err;

        (void) snprintf(r.label, sizeof r.label, "%s", label);
        r.service = calloc(1, sizeof *r.service);
        if (!r.service)
                return -ENOMEM;
        r.service->text = strndup(text, length);
        if (!r.service->text)
                return -ENOMEM;
        err = json_strict_parse(r.service->text, length, &document, reterr_message);
        if (err < 0)
                return err;
        err = definition_read_service(&r, document->values);
        if (err == 0 && !options->is_stored && any_holds_noncharacter(document->values))
                err = definition_refuse(&r, NULL, "holds a noncharacter (U+FFFE or its like), which no bus passes on");
        if (err != 0) {
                if (err > 0)
                        *reterr_message = TAKE_PTR(r.message);
                return err;
        }
        err = definition_public_text(document->values, r.service->text, &r.service->public_text);
        if (err < 0)
                return err;
        return definition_pack(r.service, ret);
}

/* A text of one or many */

typedef struct DefinitionList {
        ServiceDefinition **items;
        size_t n;
} DefinitionList;

static void definition_list_done(DefinitionList *l) {
        service_definition_free_list(l->items, l->n);
}

static int refuse_text(const char *what, char **reterr_message) {
        return asprintf(reterr_message, "definition: %s", what) < 0 ? -ENOMEM : HERO_E_INVALID_DEFINITION;
}

static int compare_names(const void *a, const void *b) {
        const ServiceDefinition *const *da = a, *const *db = b;

        return strcmp((*da)->name, (*db)->name);
}

static int refuse_duplicates(const DefinitionList *l, char **reterr_message) {
        _cleanup_free_ const ServiceDefinition **sorted = calloc(l->n, sizeof *sorted);

        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < l->n; i++)
                sorted[i] = l->items[i];
        qsort(sorted, l->n, sizeof sorted[0], compare_names);
        for (size_t i = 1; i < l->n; i++)
                if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
                        return asprintf(reterr_message, "%s: name: \"%s\": expected each service once in a text",
                                        sorted[i]->name, sorted[i]->name) < 0
                                       ? -ENOMEM
                                       : HERO_E_INVALID_DEFINITION;
        return 0;
}

static int parse_spans(const char *text, const JsonSpan *spans, size_t n, bool is_array, const ParseOptions *options,
                       DefinitionList *l, char **reterr_message) {
        l->items = calloc(n, sizeof l->items[0]);
        if (!l->items)
                return -ENOMEM;
        for (; l->n < n; l->n++) {
                char label[DEFINITION_NAME_MAX + 1] = "definition";
                const JsonSpan *s = &spans[l->n];
                int r;

                if (is_array)
                        (void) snprintf(label, sizeof label, "definition[%zu]", l->n);
                r = parse_service(text + s->offset, s->length, label, options, &l->items[l->n], reterr_message);
                if (r != 0)
                        return r;
        }
        return refuse_duplicates(l, reterr_message);
}

static int parse_text(const char *text, const ParseOptions *options, ServiceDefinition ***ret_list, size_t *ret_n,
                      char **reterr_message) {
        _cleanup_(definition_list_done) DefinitionList l = {};
        _cleanup_free_ JsonSpan *spans = NULL;
        _cleanup_free_ char *fault = NULL;
        size_t n, length = strlen(text);
        int r;

        if (length > LIST_TEXT_MAX)
                return refuse_text("expected at most 32 MiB of text", reterr_message);
        r = json_strict_check(text, length, &spans, &n, &fault);
        if (r == -EBADMSG)
                return refuse_text(fault, reterr_message);
        if (r < 0)
                return r;
        if (n == 0)
                return refuse_text("[]: expected at least one service", reterr_message);
        if (n > LIST_SERVICES_MAX)
                return refuse_text("expected at most 8192 services", reterr_message);
        r = parse_spans(text, spans, n, text[strspn(text, " \t\r\n")] == '[', options, &l, reterr_message);
        if (r != 0)
                return r;
        *ret_list = TAKE_PTR(l.items);
        *ret_n = l.n;
        l.n = 0;
        return 0;
}

static bool same_text(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_headers(const ProbeDefinition *a, const ProbeDefinition *b) {
        if (a->n_headers != b->n_headers)
                return false;
        for (size_t i = 0; i < a->n_headers; i++)
                if (!same_text(a->headers[i].name, b->headers[i].name) ||
                    !same_text(a->headers[i].value, b->headers[i].value))
                        return false;
        return true;
}

bool probe_definition_asks_same(const ProbeDefinition *a, const ProbeDefinition *b) {
        if (a->type != b->type || a->role != b->role || a->port != b->port || !same_text(a->socket, b->socket) ||
            !same_text(a->method, b->method) || !same_text(a->path, b->path) || !same_text(a->body, b->body) ||
            a->body_is_json != b->body_is_json || !same_text(a->expect_body, b->expect_body) || !same_headers(a, b) ||
            a->n_expect_status != b->n_expect_status)
                return false;
        for (size_t i = 0; i < a->n_expect_status; i++)
                if (a->expect_status[i].first != b->expect_status[i].first ||
                    a->expect_status[i].last != b->expect_status[i].last)
                        return false;
        return true;
}

int service_definition_parse(const char *text, const char *socket_dir, ServiceDefinition ***ret_list, size_t *ret_n,
                             char **reterr_message) {
        return parse_text(text, &(ParseOptions){ .socket_dir = socket_dir }, ret_list, ret_n, reterr_message);
}

int service_definition_parse_stored(const char *text, const char *socket_dir, ServiceDefinition ***ret_list,
                                    size_t *ret_n, char **reterr_message) {
        return parse_text(text, &(ParseOptions){ .socket_dir = socket_dir, .is_stored = true }, ret_list, ret_n,
                          reterr_message);
}
