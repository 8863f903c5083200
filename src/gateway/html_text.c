/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/html_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text_stream.h"
#include "core/utf8.h"

int html_open(HtmlText *h) {
        *h = (HtmlText){ 0 };
        h->f = text_stream_open(&h->text, &h->n);
        return h->f ? 0 : -ENOMEM;
}

char *html_take(HtmlText *h, size_t *ret_n) {
        bool failed = h->failed || ferror(h->f) != 0;

        if (fclose(TAKE_PTR(h->f)) != 0 || failed) {
                free(TAKE_PTR(h->text));
                return NULL;
        }
        *ret_n = h->n;
        return TAKE_PTR(h->text);
}

void html_raw(HtmlText *h, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void) vfprintf(h->f, format, ap);
        va_end(ap);
}

static void put_byte(HtmlText *h, char c) {
        switch (c) {
        case '<':
                fputs("&lt;", h->f);
                break;
        case '>':
                fputs("&gt;", h->f);
                break;
        case '&':
                fputs("&amp;", h->f);
                break;
        case '"':
                fputs("&quot;", h->f);
                break;
        case '\'':
                fputs("&#39;", h->f);
                break;
        default:
                if ((unsigned char) c < ' ' && c != '\t' && c != '\n')
                        fputs("\xef\xbf\xbd", h->f);
                else
                        fputc(c, h->f);
        }
}

void html_put(HtmlText *h, const char *text) {
        for (size_t n; *text; text += n) {
                uint32_t c;

                n = utf8_decode(text, strnlen(text, 4), &c);
                if (n == 1) {
                        put_byte(h, *text);
                } else if (n == 0) {
                        fputs("\xef\xbf\xbd", h->f);
                        n = 1;
                } else {
                        (void) fwrite(text, 1, n, h->f);
                }
        }
}

void html_put_ago(HtmlText *h, uint64_t then_usec, uint64_t now_usec) {
        uint64_t seconds = then_usec < now_usec ? (now_usec - then_usec) / USEC_PER_SEC : 0;

        html_raw(h, "<time data-usec=\"%" PRIu64 "\">", then_usec);
        if (seconds < 1)
                html_raw(h, "now");
        else if (seconds < 60)
                html_raw(h, "%" PRIu64 "s", seconds);
        else if (seconds < 3600)
                html_raw(h, "%" PRIu64 "min", seconds / 60);
        else if (seconds < 48 * 3600)
                html_raw(h, "%" PRIu64 "h", seconds / 3600);
        else
                html_raw(h, "%" PRIu64 "d", seconds / 86400);
        html_raw(h, "</time>");
}

void html_put_span(HtmlText *h, uint64_t usec) {
        if (usec < 1000)
                html_raw(h, "%" PRIu64 "µs", usec);
        else if (usec < USEC_PER_SEC)
                html_raw(h, "%.1fms", (double) usec / 1000);
        else
                html_raw(h, "%.1fs", (double) usec / 1e6);
}
