/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GetStatus as the gateway keeps it: the JSON of the server's rows, which may be of another version. */
#include "fuzz_target.h"

#include "gateway/mirror_row.h"

static void claim_texts(const MirrorService *s) {
        CLAIM(s->name && s->description && s->state < _SERVICE_STATE_MAX, "the service");
        for (size_t i = 0; i < s->n_reasons; i++)
                CLAIM(s->reasons[i].code && s->reasons[i].text && s->reasons[i].subject, "reason %zu", i);
        for (size_t i = 0; i < s->n_actions; i++)
                CLAIM(s->actions[i].name && s->actions[i].unit && s->actions[i].active_state &&
                              s->actions[i].sub_state && s->actions[i].result && s->actions[i].invocation_id &&
                              s->actions[i].status_text,
                      "action %zu", i);
        for (size_t i = 0; i < s->n_sockets; i++)
                CLAIM(s->sockets[i].path && s->sockets[i].state && s->sockets[i].listener_unit, "socket %zu", i);
        for (size_t i = 0; i < s->n_probes; i++)
                CLAIM(s->probes[i].name && s->probes[i].state && s->probes[i].last_error, "probe %zu", i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(json_document_freep) JsonDocument *d = NULL;
        _cleanup_free_ char *text = fuzz_text(data, size), *message = NULL;
        _cleanup_free_ MirrorService *s = NULL, *again = NULL;
        const JsonValue *name;
        int r;

        if (json_strict_parse(text, size, &d, &message) < 0)
                return 0;
        r = mirror_row_read(d->values, &s);
        name = json_member(d->values, "name");
        CLAIM((r == 0) == (name && name->kind == JSON_KIND_STRING), "%d", r);
        if (r < 0)
                return 0;
        claim_texts(s);
        CLAIM(strcmp(s->name, name->string) == 0, "%s", s->name);
        CLAIM(mirror_row_read(d->values, &again) == 0 && !mirror_row_differs(s, again), "the same row reads the same");
        return 0;
}
