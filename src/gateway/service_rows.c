/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/service_rows.h"

static void add_reason(JsonText *t, const MirrorReason *r) {
        json_text_open(t, '{');
        json_text_add_string(t, "code", r->code);
        json_text_add_string(t, "text", r->text);
        json_text_add_string(t, "subject", r->subject);
        json_text_close(t, '}');
}

static void add_action(JsonText *t, const MirrorAction *a) {
        json_text_open(t, '{');
        json_text_add_string(t, "name", a->name);
        json_text_add_string(t, "unit", a->unit);
        json_text_add_string(t, "active_state", a->active_state);
        json_text_add_unsigned(t, "main_pid", a->main_pid);
        json_text_add_string(t, "invocation_id", a->invocation_id);
        json_text_add_unsigned(t, "n_restarts", a->n_restarts);
        json_text_close(t, '}');
}

static void add_head(JsonText *t, const ServiceMirror *m, const MirrorService *s) {
        json_text_add_string(t, "name", s->name);
        json_text_add_string(t, "description", s->description);
        json_text_add_string(t, "state", service_state_to_string(m ? service_mirror_state(m, s) : s->state));
        json_text_add_string(t, "wanted", s->wanted_up ? "up" : "down");
        json_text_add_unsigned(t, "since_usec", s->since_usec);
}

void service_rows_add_short(JsonText *t, const ServiceMirror *m, const MirrorService *s) {
        json_text_open(t, '{');
        add_head(t, m, s);
        json_text_key(t, "reason");
        if (s->n_reasons > 0)
                add_reason(t, &s->reasons[0]);
        else
                json_text_string(t, NULL);
        json_text_close(t, '}');
}

void service_rows_add(JsonText *t, const ServiceMirror *m, const MirrorService *s) {
        json_text_open(t, '{');
        add_head(t, m, s);
        json_text_add_unsigned(t, "observed_usec", s->observed_usec);
        json_text_key(t, "ready");
        if (s->ready < 0)
                json_text_string(t, NULL);
        else
                json_text_boolean(t, s->ready > 0);
        json_text_key(t, "reasons");
        json_text_open(t, '[');
        for (size_t i = 0; i < s->n_reasons; i++)
                add_reason(t, &s->reasons[i]);
        json_text_close(t, ']');
        json_text_key(t, "actions");
        json_text_open(t, '[');
        for (size_t i = 0; i < s->n_actions; i++)
                add_action(t, &s->actions[i]);
        json_text_close(t, ']');
        json_text_close(t, '}');
}
