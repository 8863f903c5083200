/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/definition_public.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text_stream.h"
#include "core/definition_field.h"

typedef struct PublicText {
        FILE *f;
        const char *rest; /* of the text: what is not copied yet */
        bool hides;
} PublicText;

/* Values come in the order of the text. */
static void hide(PublicText *p, const JsonValue *v) {
        fwrite(p->rest, 1, (size_t) (v->source - p->rest), p->f);
        fputs("null", p->f);
        p->rest = v->source + v->source_length;
        p->hides = true;
}

static void hide_in(PublicText *p, const JsonValue *object, unsigned scopes);

static void hide_in_each(PublicText *p, const JsonValue *parent, unsigned scopes) {
        if (parent->kind != JSON_KIND_OBJECT && parent->kind != JSON_KIND_ARRAY)
                return;
        for (const JsonValue *v = parent->first; v; v = v->next)
                hide_in(p, v, scopes);
}

static void hide_field(PublicText *p, const JsonValue *v, const DefinitionField *field) {
        if (field->type != FIELD_MAP || v->kind != JSON_KIND_OBJECT) {
                hide(p, v);
                return;
        }
        for (const JsonValue *child = v->first; child; child = child->next)
                hide(p, child);
}

static void hide_in(PublicText *p, const JsonValue *object, unsigned scopes) {
        if (object->kind != JSON_KIND_OBJECT)
                return;
        for (const JsonValue *v = object->first; v; v = v->next) {
                const DefinitionField *field = definition_field_find(v->key, scopes);

                if (field && field->hidden)
                        hide_field(p, v, field);
                else if (field && strcmp(field->name, "actions") == 0)
                        hide_in_each(p, v, FIELD_OF_ACTION);
                else if (field && strcmp(field->name, "probes") == 0)
                        hide_in_each(p, v, FIELD_OF_PROBE);
                else if (field && strcmp(field->name, "probe") == 0)
                        hide_in(p, v, FIELD_OF_PROBE);
        }
}

int definition_public_text(const JsonValue *service, const char *text, char **ret) {
        _cleanup_free_ char *copy = NULL;
        size_t n;
        PublicText p = { .f = text_stream_open(&copy, &n), .rest = text };

        if (!p.f)
                return -ENOMEM;
        hide_in(&p, service, FIELD_OF_SERVICE | FIELD_OF_ACTION);
        fputs(p.rest, p.f);
        if (ferror(p.f) | fclose(p.f))
                return -ENOMEM;
        if (p.hides)
                *ret = TAKE_PTR(copy);
        return 0;
}
