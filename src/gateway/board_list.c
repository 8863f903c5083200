/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/board_list.h"

#include <stdlib.h>

#include "gateway/board_page.h"

static size_t page_of(const HttpExchange *x) {
        const char *text = http_exchange_query(x, "page");
        long page = text ? strtol(text, NULL, 10) : 1;

        return page < 1 || page > 1000000 ? 1 : (size_t) page;
}

static void put_filter(HtmlText *h, const char *filter) {
        html_raw(h, "<form id=\"filter\" role=\"search\"><label>Filter <input name=\"q\" type=\"search\" value=\"");
        html_put(h, filter ? filter : "");
        html_raw(h, "\" placeholder=\"name or state\" autocomplete=\"off\"></label><button>show</button></form>");
}

static void put_query(HtmlText *h, const char *filter, size_t page) {
        html_raw(h, "?");
        if (filter && *filter) {
                html_raw(h, "q=");
                for (const char *c = filter; *c; c++)
                        html_raw(h, "%%%02X", (unsigned char) *c);
                html_raw(h, "&amp;");
        }
        html_raw(h, "page=%zu", page);
}

static void put_pages(HtmlText *h, const char *filter, size_t page, size_t n) {
        size_t n_pages = (n + BOARD_ROWS_A_PAGE - 1) / BOARD_ROWS_A_PAGE;

        if (n_pages < 2)
                return;
        html_raw(h, "<nav aria-label=\"Pages\">");
        if (page > 1) {
                html_raw(h, "<a rel=\"prev\" href=\"");
                put_query(h, filter, page - 1);
                html_raw(h, "\">before</a> ");
        }
        html_raw(h, "page %zu of %zu", page, n_pages);
        if (page < n_pages) {
                html_raw(h, " <a rel=\"next\" href=\"");
                put_query(h, filter, page + 1);
                html_raw(h, "\">next</a>");
        }
        html_raw(h, "</nav>");
}

void board_list_handle(HttpExchange *x, void *userdata) {
        const Gateway *g = userdata;
        const char *filter = http_exchange_query(x, "q");
        _cleanup_free_ const MirrorService **services = NULL;
        size_t n, page = page_of(x), first = (page - 1) * BOARD_ROWS_A_PAGE;
        BoardView v;
        HtmlText h;

        service_mirror_refresh(g->mirror);
        board_view_init(&v, g, x, 0);
        if (board_select(g->mirror, filter, &services, &n) < 0 || html_open(&h) < 0) {
                http_exchange_reply_error(x, 503, "out of memory");
                return;
        }
        board_head_put(&h, &v, "Services", /* is_live= */ true);
        put_filter(&h, filter);
        html_raw(&h,
                 "<table><thead><tr><th scope=\"col\">State</th><th scope=\"col\">Service</th><th "
                 "scope=\"col\">Since</th>"
                 "<th scope=\"col\">Reason</th><th scope=\"col\">Parts</th><th scope=\"col\">Answers</th></tr></thead>"
                 "<tbody id=\"services\">");
        for (size_t i = first; i < n && i < first + BOARD_ROWS_A_PAGE; i++)
                board_row_put(&h, &v, services[i]);
        html_raw(&h, "</tbody></table>");
        if (n == 0)
                html_raw(&h, "<p class=\"empty\">No service%s.</p>", filter && *filter ? " fits the filter" : "");
        put_pages(&h, filter, page, n);
        board_foot_put(&h);
        board_reply(x, &h);
}
