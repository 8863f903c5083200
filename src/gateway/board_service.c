/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/board_service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "boundary/hero_proc_client.h"
#include "core/json_strict.h"
#include "gateway/board_page.h"

enum {
        DETAIL_ANSWERS = 64,
        HISTORY_ROWS = 20,
        LOG_LINES = 40,
};

#define ASK_TIMEOUT_USEC (5 * USEC_PER_SEC)

/* A page that waits for its parts, one after the other. What cannot be had is left out, and the page says so; where
 * there is no memory for a part, there is no page. */
typedef struct Detail {
        HttpExchange *exchange;
        Gateway *gateway;
        char *name, *why, *history;
        HtmlText log;
        int log_result;
        bool may_see_log, is_log_cut, lacks_memory;
} Detail;

static void detail_free(Detail *d) {
        if (d->log.f) {
                size_t n;

                free(html_take(&d->log, &n));
        }
        free(d->name);
        free(d->why);
        free(d->history);
        free(d);
}

/* -- the parts -- */

static void put_texts(HtmlText *h, const JsonValue *why, const char *key, const char *title) {
        const JsonValue *list = json_member(why, key);

        if (!list || list->kind != JSON_KIND_ARRAY || list->n_children == 0)
                return;
        html_raw(h, "<dt>%s</dt>", title);
        for (const JsonValue *v = list->first; v; v = v->next) {
                const JsonValue *text = v->kind == JSON_KIND_OBJECT ? json_member(v, "text") : v;
                const JsonValue *at = v->kind == JSON_KIND_OBJECT ? json_member(v, "at_usec") : NULL;
                uint64_t now_usec = clock_realtime_usec();

                if (!text || text->kind != JSON_KIND_STRING)
                        continue;
                html_raw(h, strcmp(key, "commands") == 0 ? "<dd><code>" : "<dd>");
                html_put(h, text->string);
                if (at && at->kind == JSON_KIND_INTEGER && (uint64_t) at->integer > now_usec) {
                        html_raw(h, ", in ");
                        html_put_span(h, (uint64_t) at->integer - now_usec);
                }
                html_raw(h, strcmp(key, "commands") == 0 ? "</code></dd>" : "</dd>");
        }
}

static bool read_answer(HtmlText *h, const char *text, JsonDocument **ret, char **reterr_message) {
        int r = text ? json_strict_parse(text, strlen(text), ret, reterr_message) : -ENODATA;

        h->failed = h->failed || r == -ENOMEM;
        return r >= 0;
}

static void put_why(HtmlText *h, const char *text) {
        _cleanup_(json_document_freep) JsonDocument *d = NULL;
        _cleanup_free_ char *message = NULL;
        const JsonValue *rule;

        html_raw(h, "<section><h2>Why</h2>");
        if (!read_answer(h, text, &d, &message)) {
                html_raw(h, "<p>hero_proc_server cannot be asked.</p></section>");
                return;
        }
        rule = json_member(json_member(&d->values[0], "rule"), "text");
        html_raw(h, "<dl>");
        if (rule && rule->kind == JSON_KIND_STRING) {
                html_raw(h, "<dt>Rule</dt><dd>");
                html_put(h, rule->string);
                html_raw(h, "</dd>");
        }
        put_texts(h, &d->values[0], "reasons", "Because");
        put_texts(h, &d->values[0], "tried", "Tried");
        put_texts(h, &d->values[0], "next", "Next");
        put_texts(h, &d->values[0], "commands", "To do");
        html_raw(h, "</dl></section>");
}

static void put_action(HtmlText *h, const MirrorAction *a, const char *title) {
        html_raw(h, "<dt>%s</dt><dd><code>", title);
        html_put(h, a->unit);
        html_raw(h, "</code> ");
        html_put(h, a->active_state);
        html_raw(h, " (");
        html_put(h, a->sub_state);
        html_raw(h, ")");
        if (a->main_pid > 0)
                html_raw(h, ", PID %" PRIu64, a->main_pid);
        if (a->n_restarts > 0)
                html_raw(h, ", %" PRIu64 " restarts", a->n_restarts);
        if (a->status_text[0]) {
                html_raw(h, ", says “");
                html_put(h, a->status_text);
                html_raw(h, "”");
        }
        html_raw(h, "</dd>");
}

static void put_listened(HtmlText *h, const char *state, uint64_t listener_pid) {
        html_raw(h, "</code> <span class=\"socket%s\">", strcmp(state, "alive") == 0 ? "" : " bad");
        html_put(h, state);
        html_raw(h, "</span>");
        if (listener_pid > 0)
                html_raw(h, ", PID %" PRIu64, listener_pid);
}

static void put_socket(HtmlText *h, const MirrorSocket *k, const char *title) {
        html_raw(h, "<dt>%s</dt><dd><code>", title);
        html_put(h, k->path);
        put_listened(h, k->state, k->listener_pid);
        html_raw(h, "</dd>");
}

static void put_port(HtmlText *h, const MirrorPort *k, const char *title) {
        html_raw(h, "<dt>%s</dt><dd><code>%" PRIu64, title, k->port);
        put_listened(h, k->state, k->listener_pid);
        if (k->listener_command[0]) {
                html_raw(h, " (");
                html_put(h, k->listener_command);
                html_raw(h, ")");
        }
        html_raw(h, "</dd>");
}

static void put_parts(HtmlText *h, const MirrorService *s) {
        html_raw(h, "<section><h2>Parts</h2><dl>");
        for (size_t i = 0; i < s->n_actions; i++)
                put_action(h, &s->actions[i], i == 0 ? "Action" : "");
        for (size_t i = 0; i < s->n_sockets; i++)
                put_socket(h, &s->sockets[i], i == 0 ? "Socket" : "");
        for (size_t i = 0; i < s->n_ports; i++)
                put_port(h, &s->ports[i], i == 0 ? "Port" : "");
        html_raw(h, "</dl></section>");
}

static void put_probes(HtmlText *h, const MirrorService *s, uint64_t now_usec) {
        if (s->n_probes == 0)
                return;
        html_raw(h, "<section><h2>Probes</h2><table><thead><tr><th scope=\"col\">Probe</th><th scope=\"col\">State</th>"
                    "<th scope=\"col\">Answers</th><th scope=\"col\">Half within</th><th scope=\"col\">99%% within</th>"
                    "<th scope=\"col\">Asked</th></tr></thead><tbody>");
        for (size_t i = 0; i < s->n_probes; i++) {
                const MirrorProbe *p = &s->probes[i];

                html_raw(h, "<tr><td>");
                html_put(h, p->name);
                html_raw(h, "</td><td class=\"verdict %s\">", strcmp(p->state, "passing") == 0 ? "good" : "bad");
                html_put(h, p->state);
                if (p->last_error[0]) {
                        html_raw(h, "<small>");
                        html_put(h, p->last_error);
                        html_raw(h, "</small>");
                }
                html_raw(h, "</td><td>");
                board_strip_put(h, p, DETAIL_ANSWERS);
                html_raw(h, "</td><td>");
                html_put_span(h, p->p50_usec);
                html_raw(h, "</td><td>");
                html_put_span(h, p->p99_usec);
                html_raw(h, "</td><td>");
                html_put_ago(h, p->checked_usec, now_usec);
                html_raw(h, "</td></tr>");
        }
        html_raw(h, "</tbody></table></section>");
}

static const char *text_of(const JsonValue *row, const char *key) {
        const JsonValue *v = json_member(row, key);

        return v && v->kind == JSON_KIND_STRING ? v->string : "";
}

static void put_history(HtmlText *h, const char *text, uint64_t now_usec) {
        _cleanup_(json_document_freep) JsonDocument *d = NULL;
        _cleanup_free_ char *message = NULL;

        html_raw(h, "<section><h2>History</h2>");
        if (!read_answer(h, text, &d, &message) || d->values[0].kind != JSON_KIND_ARRAY) {
                html_raw(h, "<p>hero_proc_server cannot be asked.</p></section>");
                return;
        }
        html_raw(h, "<table><tbody>");
        for (const JsonValue *v = d->values[0].first; v; v = v->next) {
                const JsonValue *at = json_member(v, "at_usec");
                ServiceState state = service_state_from_string(text_of(v, "to"));

                html_raw(h, "<tr><td>");
                html_put_ago(h, at && at->kind == JSON_KIND_INTEGER ? (uint64_t) at->integer : 0, now_usec);
                html_raw(h, "</td><td>");
                board_state_put(h, (int) state < 0 ? SERVICE_UNKNOWN : state);
                html_raw(h, "</td><td class=\"reason\">");
                html_put(h, text_of(v, "text"));
                html_raw(h, "</td></tr>");
        }
        html_raw(h, "</tbody></table></section>");
}

static void put_log(HtmlText *h, Detail *d) {
        _cleanup_free_ char *lines = NULL;
        size_t n = 0;

        html_raw(h, "<section><h2>Journal</h2>");
        if (d->log.f) {
                lines = html_take(&d->log, &n);
                h->failed = h->failed || !lines;
        }
        if (!d->may_see_log)
                html_raw(h, "<p>For root and members of group hero.</p>");
        else if (d->log_result < 0)
                html_raw(h, "<p>The journal cannot be read.</p>");
        else if ((!lines || n == 0) && !d->is_log_cut)
                html_raw(h, "<p>No lines.</p>");
        else if (lines)
                html_raw(h, "<pre tabindex=\"0\">%s</pre>", lines);
        if (d->is_log_cut)
                html_raw(h, "<p>Not all of it is shown.</p>");
        html_raw(h, "</section>");
}

/* -- putting it together -- */

static void finish(Detail *d) {
        const MirrorService *s = service_mirror_find(d->gateway->mirror, d->name);
        BoardView v;
        HtmlText h;

        board_view_init(&v, d->gateway, d->exchange, 1);
        if (!s || html_open(&h) < 0) {
                http_exchange_reply_error(d->exchange, s ? 503 : 404, s ? "out of memory" : "no such service");
                detail_free(d);
                return;
        }
        h.failed = d->lacks_memory || d->log_result == -ENOMEM;
        board_head_put(&h, &v, s->name, /* is_live= */ false);
        html_raw(&h, "<div class=\"title\"><h2>");
        html_put(&h, s->name);
        html_raw(&h, "</h2> ");
        board_state_put(&h, service_mirror_state(d->gateway->mirror, s));
        html_raw(&h, " since ");
        html_put_ago(&h, s->since_usec, v.now_usec);
        html_raw(&h, "<p>");
        html_put(&h, s->description);
        html_raw(&h, "</p>");
        board_buttons_put(&h, &v, s, "service");
        html_raw(&h, "</div>");
        put_why(&h, service_mirror_is_complete(d->gateway->mirror) ? d->why : NULL);
        put_parts(&h, s);
        put_probes(&h, s, v.now_usec);
        put_history(&h, d->history, v.now_usec);
        put_log(&h, d);
        board_foot_put(&h);
        board_reply(d->exchange, &h);
        detail_free(d);
}

static void on_log(int r, const JournalTail *tail, void *userdata) {
        Detail *d = userdata;

        d->log_result = r;
        d->is_log_cut = tail->truncated;
        for (size_t i = 0; r >= 0 && d->log.f && i < tail->n; i++) {
                time_t seconds = (time_t) (tail->lines[i].time_usec / USEC_PER_SEC);
                struct tm tm;
                char stamp[32] = "";

                if (localtime_r(&seconds, &tm))
                        (void) strftime(stamp, sizeof stamp, "%b %d %H:%M:%S ", &tm);
                html_put(&d->log, stamp);
                html_put(&d->log, tail->lines[i].identifier);
                html_raw(&d->log, ": ");
                html_put(&d->log, tail->lines[i].message);
                html_raw(&d->log, "\n");
        }
        finish(d);
}

static void read_log(Detail *d) {
        const MirrorService *s = service_mirror_find(d->gateway->mirror, d->name);
        const char *units[JOURNAL_UNITS_MAX];
        size_t n = 0;

        d->may_see_log = authority_may_operate(http_exchange_peer(d->exchange), d->gateway->is_user);
        for (size_t i = 0; s && i < s->n_actions && n < JOURNAL_UNITS_MAX; i++)
                units[n++] = s->actions[i].unit;
        if (d->may_see_log && n > 0) {
                d->log_result = html_open(&d->log);
                if (d->log_result >= 0)
                        d->log_result = journal_reader_tail(d->gateway->journal, units, n, LOG_LINES, on_log, d);
                if (d->log_result >= 0)
                        return;
        }
        finish(d);
}

static void keep_text(Detail *d, char **ret, const HeroProcAnswer *a) {
        const char *text = NULL;
        int r = a->r == 0 ? sd_bus_message_read(a->reply, "s", &text) : a->r;

        if (r > 0 && text)
                *ret = strdup(text);
        d->lacks_memory = d->lacks_memory || r == -ENOMEM || (r > 0 && text && !*ret);
}

static void on_history(const HeroProcAnswer *a, void *userdata) {
        Detail *d = userdata;

        keep_text(d, &d->history, a);
        read_log(d);
}

static bool ask(Detail *d, const char *member, const char *signature, hero_proc_answered_t answered) {
        const char *name = d->name;
        const HeroProcQuestion q = { .member = member,
                                     .signature = signature,
                                     .texts = &name,
                                     .n_texts = 1,
                                     .limit = HISTORY_ROWS,
                                     .timeout_usec = ASK_TIMEOUT_USEC,
                                     .is_prompt = true };
        int r = hero_proc_link_ask(service_mirror_link(d->gateway->mirror), &q, answered, d, NULL);

        d->lacks_memory = d->lacks_memory || r == -ENOMEM;
        return r >= 0;
}

static void on_why(const HeroProcAnswer *a, void *userdata) {
        Detail *d = userdata;

        keep_text(d, &d->why, a);
        if (!ask(d, "History", "stt", on_history))
                read_log(d);
}

void board_service_handle(HttpExchange *x, void *userdata) {
        Gateway *g = userdata;
        const char *name = http_exchange_path_rest(x);
        Detail *d;

        if (!service_mirror_find(g->mirror, name)) {
                http_exchange_reply_error(x, 404, "no such service");
                return;
        }
        d = calloc(1, sizeof *d);
        if (d)
                d->name = strdup(name);
        if (!d || !d->name) {
                free(d);
                http_exchange_reply_error(x, 503, "out of memory");
                return;
        }
        service_mirror_refresh(g->mirror);
        d->exchange = x;
        d->gateway = g;
        if (!ask(d, "Why", "st", on_why))
                read_log(d);
}
