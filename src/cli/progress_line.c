/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/progress_line.h"

#include <string.h>

bool progress_line_wanted(const TerminalStyle *style, const char *term) {
        return style->is_terminal && term && strcmp(term, "dumb") != 0;
}

void progress_line_clear(ProgressLine *p) {
        if (!p->drawn)
                return;
        fputs("\r\033[K", p->f);
        (void) fflush(p->f);
        p->drawn = false;
}

static bool is_awaited(const ProgressLine *p, const char *service) {
        for (size_t i = 0; i < p->n_calls; i++)
                if (strcmp(p->calls[i].name, service) == 0)
                        return !p->calls[i].answered;
        return false;
}

static size_t n_answered(const ProgressLine *p) {
        size_t n = 0;

        for (size_t i = 0; i < p->n_calls; i++)
                n += p->calls[i].answered;
        return n;
}

void progress_line_on_event(const HeroProcEvent *e, void *userdata) {
        ProgressLine *p = userdata;
        ServiceState state;
        char text[256];

        if (!e->service || !is_awaited(p, e->service))
                return;
        state = service_state_from_string(e->new_state);
        if ((int) state < 0)
                return;
        if (p->n_calls > 1)
                (void) snprintf(text, sizeof text, "%s: %s%s%s (%zu of %zu done)", e->service,
                                service_state_to_string(state), *e->reason_code ? ", " : "", e->reason_code,
                                n_answered(p), p->n_calls);
        else
                (void) snprintf(text, sizeof text, "%s: %s%s%s", e->service, service_state_to_string(state),
                                *e->reason_code ? ", " : "", e->reason_code);
        progress_line_clear(p);
        /* A line that wraps could not be cleared; the sign and its space take two columns. */
        fprintf(p->f, "%s%s%s %.*s", terminal_style_color(p->style, state), terminal_style_sign(p->style, state),
                terminal_style_plain(p->style), p->style->width > 3 ? (int) p->style->width - 3 : 0, text);
        (void) fflush(p->f);
        p->drawn = true;
}
