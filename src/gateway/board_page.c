/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/board_page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* What a router says that it took from the path before it passed the request on. Links begin with it then; it comes
 * from outside, and is used only where it is a plain path. */
static const char *prefix_of(const HttpExchange *x) {
        const char *prefix = http_exchange_header(x, "X-Forwarded-Prefix");
        size_t n = prefix ? strlen(prefix) : 0;

        if (n < 2 || n > 200 || prefix[0] != '/' || prefix[1] == '/' || prefix[n - 1] == '/' || strstr(prefix, "..") ||
            strspn(prefix, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~/-") != n)
                return NULL;
        return prefix;
}

void board_view_init(BoardView *v, const Gateway *g, const HttpExchange *x, unsigned depth) {
        static _Thread_local char root[208];
        const char *prefix = prefix_of(x);

        if (prefix)
                (void) snprintf(root, sizeof root, "%s/", prefix);
        *v = (BoardView){
                .mirror = g->mirror,
                .root = prefix      ? root
                        : depth > 0 ? "../"
                                    : "",
                .may_operate = authority_may_operate(http_exchange_peer(x), g->is_user),
                .now_usec = clock_realtime_usec(),
        };
}

void board_head_put(HtmlText *h, const BoardView *v, const char *title, bool is_live) {
        html_raw(h, "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
        html_put(h, title);
        html_raw(h,
                 "</title><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
                 "<meta name=\"color-scheme\" content=\"light dark\">"
                 "<link rel=\"icon\" href=\"%sboard.svg\"><link rel=\"stylesheet\" href=\"%sboard.css\">",
                 v->root, v->root);
        /* Without a script the page comes again by itself. */
        html_raw(h, "<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>");
        html_raw(h, "<script src=\"%sboard.js\" defer></script></head><body%s>", v->root,
                 is_live ? " data-live=\"events\"" : "");
        html_raw(h, "<header><h1><a href=\"%s\">hero_proc</a></h1>", v->root[0] ? v->root : "./");
        board_summary_put(h, v);
        html_raw(h, "</header><main>");
}

void board_foot_put(HtmlText *h) {
        html_raw(h, "</main><footer>hero_proc " HERO_PROC_VERSION "</footer></body></html>\n");
}

void board_summary_put(HtmlText *h, const BoardView *v) {
        size_t n, counts[_SERVICE_STATE_MAX] = { 0 };
        const MirrorService *const *services = service_mirror_services(v->mirror, &n);
        bool is_first = true;

        html_raw(h, "<p id=\"summary\" role=\"status\" aria-live=\"polite\">");
        if (!service_mirror_is_complete(v->mirror)) {
                html_raw(h, "<strong>Nothing is known:</strong> ");
                html_put(h, service_mirror_absence(v->mirror));
                html_raw(h, "</p>");
                return;
        }
        for (size_t i = 0; i < n; i++)
                counts[service_mirror_state(v->mirror, services[i])]++;
        html_raw(h, "%zu service%s", n, n == 1 ? "" : "s");
        for (unsigned rank = 0; rank < _SERVICE_STATE_MAX; rank++)
                for (int state = 0; state < _SERVICE_STATE_MAX; state++)
                        if (counts[state] > 0 && board_rank((ServiceState) state) == rank) {
                                html_raw(h, "%s<span class=\"state %s\">%zu %s</span>", is_first ? ": " : ", ",
                                         service_state_to_string((ServiceState) state), counts[state],
                                         service_state_to_string((ServiceState) state));
                                is_first = false;
                        }
        html_raw(h, "</p>");
}

static const ServiceMirror *sorted_of;

static int by_rank(const void *a, const void *b) {
        const MirrorService *const *left = a, *const *right = b;
        unsigned rank_left = board_rank(service_mirror_state(sorted_of, *left));
        unsigned rank_right = board_rank(service_mirror_state(sorted_of, *right));

        if (rank_left != rank_right)
                return rank_left < rank_right ? -1 : 1;
        return strcmp((*left)->name, (*right)->name);
}

int board_select(const ServiceMirror *m, const char *filter, const MirrorService ***ret, size_t *ret_n) {
        size_t n, n_selected = 0;
        const MirrorService *const *services = service_mirror_services(m, &n);
        const MirrorService **selected = calloc(n + 1, sizeof *selected);

        if (!selected)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                if (!filter || !*filter || strstr(services[i]->name, filter) ||
                    strcmp(service_state_to_string(service_mirror_state(m, services[i])), filter) == 0)
                        selected[n_selected++] = services[i];
        sorted_of = m;
        qsort(selected, n_selected, sizeof *selected, by_rank);
        *ret = selected;
        *ret_n = n_selected;
        return 0;
}

void board_reply(HttpExchange *x, HtmlText *h) {
        size_t n = 0;
        char *text = html_take(h, &n);

        if (text)
                http_exchange_reply(x, 200, "text/html; charset=utf-8", text, n);
        else
                http_exchange_reply_error(x, 503, "out of memory");
}
