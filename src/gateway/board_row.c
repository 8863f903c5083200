/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/board_row.h"

#include <inttypes.h>
#include <string.h>

#include "core/probe_health.h"

enum {
        STRIP_HEIGHT = 16,
        STRIP_STEP = 4, /* a bar and the gap after it */
        ROW_ANSWERS = 24,
        ROW_PROBES_MAX = 3, /* the rest is on the service's own page */
};

const char *board_sign(ServiceState state) {
        static const char *const signs[_SERVICE_STATE_MAX] = {
                [SERVICE_RUNNING] = "●",  [SERVICE_DEGRADED] = "◐",   [SERVICE_FAILED] = "✗",  [SERVICE_STARTING] = "◌",
                [SERVICE_STOPPING] = "◌", [SERVICE_RESTARTING] = "◌", [SERVICE_STOPPED] = "○", [SERVICE_UNKNOWN] = "?",
        };
        return signs[state];
}

unsigned board_rank(ServiceState state) {
        static const unsigned ranks[_SERVICE_STATE_MAX] = {
                [SERVICE_FAILED] = 0,   [SERVICE_UNKNOWN] = 1,  [SERVICE_DEGRADED] = 2, [SERVICE_RESTARTING] = 3,
                [SERVICE_STARTING] = 4, [SERVICE_STOPPING] = 5, [SERVICE_RUNNING] = 6,  [SERVICE_STOPPED] = 7,
        };
        return ranks[state];
}

void board_state_put(HtmlText *h, ServiceState state) {
        const char *word = service_state_to_string(state);

        html_raw(h, "<span class=\"state %s\"><span aria-hidden=\"true\">%s</span> %s</span>", word, board_sign(state),
                 word);
}

/* 1 for what is answered within 250 µs, one more for each doubling. */
static unsigned bar_height(const MirrorAnswer *a) {
        unsigned height = 2;

        for (uint32_t usec = a->latency_usec / 250; usec > 0 && height < STRIP_HEIGHT; usec /= 2)
                height++;
        return a->outcome == PROBE_PASS ? height : STRIP_HEIGHT;
}

static void put_bars(HtmlText *h, const MirrorProbe *p, size_t first, ProbeOutcome outcome, const char *class) {
        bool begun = false;

        for (size_t i = first; i < p->n_recent; i++) {
                if (p->recent[i].outcome != outcome)
                        continue;
                if (!begun)
                        html_raw(h, "<path class=\"%s\" d=\"", class);
                begun = true;
                html_raw(h, "M%zu %dv-%u", 2 + (i - first) * STRIP_STEP, STRIP_HEIGHT, bar_height(&p->recent[i]));
        }
        if (begun)
                html_raw(h, "\"/>");
}

/* What the picture shows, for those who do not see it. */
static void put_strip_words(HtmlText *h, const MirrorProbe *p, size_t first) {
        size_t n_passed = 0;

        for (size_t i = first; i < p->n_recent; i++)
                n_passed += p->recent[i].outcome == PROBE_PASS;
        html_put(h, p->name);
        html_raw(h, ": %zu of the last %zu answers passed", n_passed, p->n_recent - first);
        if (p->p50_usec > 0) {
                html_raw(h, ", half of them within ");
                html_put_span(h, p->p50_usec);
        }
}

void board_strip_put(HtmlText *h, const MirrorProbe *p, size_t n) {
        size_t first = p->n_recent > n ? p->n_recent - n : 0;

        html_raw(h, "<svg class=\"strip\" role=\"img\" width=\"%zu\" height=\"%d\"><title>", n * STRIP_STEP,
                 STRIP_HEIGHT);
        put_strip_words(h, p, first);
        html_raw(h, "</title>");
        put_bars(h, p, first, PROBE_PASS, "pass");
        put_bars(h, p, first, PROBE_FAIL, "fail");
        put_bars(h, p, first, PROBE_UNKNOWN, "none");
        html_raw(h, "</svg>");
}

static void put_button(HtmlText *h, const BoardView *v, const MirrorService *s, const char *verb, const char *back) {
        html_raw(h, "<form method=\"post\" action=\"%sdo/%s?name=", v->root, verb);
        html_put(h, s->name); /* letters, digits, and what needs no escape in a query */
        html_raw(h, "&amp;back=%s\"><button>%s</button></form>", back, verb);
}

void board_buttons_put(HtmlText *h, const BoardView *v, const MirrorService *s, const char *back) {
        ServiceState state = service_mirror_state(v->mirror, s);

        if (!v->may_operate || !service_mirror_is_complete(v->mirror))
                return;
        html_raw(h, "<div class=\"buttons\">");
        if (state == SERVICE_FAILED || state == SERVICE_RESTARTING)
                put_button(h, v, s, "reset-failed", back);
        if (s->wanted_up) {
                put_button(h, v, s, "restart", back);
                put_button(h, v, s, "stop", back);
        } else {
                put_button(h, v, s, "start", back);
        }
        html_raw(h, "</div>");
}

static void put_reason(HtmlText *h, const BoardView *v, const MirrorService *s) {
        if (!service_mirror_is_complete(v->mirror))
                html_put(h, service_mirror_absence(v->mirror));
        else if (s->n_reasons > 0)
                html_put(h, s->reasons[0].text);
        if (service_mirror_is_complete(v->mirror) && s->n_reasons > 1)
                html_raw(h, " <small>and %zu more</small>", s->n_reasons - 1);
}

/* "PID 137", its sockets and ports, and which of them are not well; the rest is one click away. */
static void put_parts(HtmlText *h, const MirrorService *s) {
        for (size_t i = 0; i < s->n_actions && i < 4; i++) {
                const MirrorAction *a = &s->actions[i];

                if (s->n_actions > 1) {
                        html_put(h, a->name);
                        html_raw(h, " ");
                }
                if (a->main_pid > 0)
                        html_raw(h, "PID %" PRIu64 " ", a->main_pid);
                else
                        html_raw(h, "%s ", a->active_state[0] ? a->active_state : "-");
        }
        for (size_t i = 0; i < s->n_sockets; i++) {
                const char *slash = strrchr(s->sockets[i].path, '/');

                html_raw(h, "<span class=\"socket%s\">", strcmp(s->sockets[i].state, "alive") == 0 ? "" : " bad");
                html_put(h, slash ? slash + 1 : s->sockets[i].path);
                html_raw(h, "</span> ");
        }
        for (size_t i = 0; i < s->n_ports; i++)
                html_raw(h, "<span class=\"socket%s\">port %" PRIu64 "</span> ",
                         strcmp(s->ports[i].state, "alive") == 0 ? "" : " bad", s->ports[i].port);
}

void board_row_put(HtmlText *h, const BoardView *v, const MirrorService *s) {
        ServiceState state = service_mirror_state(v->mirror, s);

        html_raw(h, "<tr id=\"s.");
        html_put(h, s->name);
        html_raw(h, "\" data-rank=\"%u\"><td>", board_rank(state));
        board_state_put(h, state);
        html_raw(h, "</td><td><a href=\"%sservice/", v->root);
        html_put(h, s->name);
        html_raw(h, "\">");
        html_put(h, s->name);
        html_raw(h, "</a><small>");
        html_put(h, s->description);
        html_raw(h, "</small></td><td>");
        html_put_ago(h, s->since_usec, v->now_usec);
        html_raw(h, "</td><td class=\"reason\">");
        put_reason(h, v, s);
        html_raw(h, "</td><td class=\"parts\">");
        put_parts(h, s);
        html_raw(h, "</td><td class=\"strips\">");
        for (size_t i = 0; i < s->n_probes && i < ROW_PROBES_MAX; i++)
                board_strip_put(h, &s->probes[i], ROW_ANSWERS);
        html_raw(h, "</td></tr>");
}
