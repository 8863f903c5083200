/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/text_stream.h"
#include "gateway/metrics_text.h"

#define ASK_TIMEOUT_USEC (5 * USEC_PER_SEC)

/* One scrape that waits for the server. */
typedef struct Scrape {
        Gateway *gateway;
        HttpExchange *exchange;
} Scrape;

static bool wants_openmetrics(const HttpExchange *x) {
        const char *accept = http_exchange_header(x, "Accept");

        return accept && strstr(accept, "application/openmetrics-text");
}

static void reply(Gateway *g, HttpExchange *x, const JsonValue *server) {
        MetricsInput in = { .mirror = g->mirror,
                            .server = server,
                            .n_reconnects = hero_proc_link_reconnects(service_mirror_link(g->mirror)),
                            .is_openmetrics = wants_openmetrics(x) };
        char *body = NULL;
        size_t n = 0;
        FILE *f = text_stream_open(&body, &n);

        if (f) {
                http_server_count(g->http, &in.n_connections, &in.n_streams);
                metrics_text_write(f, &in);
        }
        if (!f || fclose(f) != 0) {
                free(body);
                http_exchange_reply_error(x, 503, "out of memory");
                return;
        }
        http_exchange_reply(x, 200,
                            in.is_openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                              : "text/plain; version=0.0.4; charset=utf-8",
                            body, n);
}

static void on_answer(const HeroProcAnswer *a, void *userdata) {
        _cleanup_free_ Scrape *scrape = userdata;
        _cleanup_(json_document_freep) JsonDocument *d = NULL;
        _cleanup_free_ char *message = NULL;
        const char *json = NULL;

        if (a->r == 0 && sd_bus_message_read(a->reply, "s", &json) > 0)
                (void) json_strict_parse(json, strlen(json), &d, &message);
        /* What the server counts is left out where server_up tells why; else what is left would look like all. */
        if (!d && service_mirror_is_complete(scrape->gateway->mirror))
                http_exchange_reply_error(scrape->exchange, 503, "hero_proc_server cannot be asked, or out of memory");
        else
                reply(scrape->gateway, scrape->exchange, d ? &d->values[0] : NULL);
}

static void metrics(HttpExchange *x, void *userdata) {
        const HeroProcQuestion q = {
                .member = "Metrics", .signature = "", .timeout_usec = ASK_TIMEOUT_USEC, .is_prompt = true
        };
        Gateway *g = userdata;
        Scrape *scrape = malloc(sizeof *scrape);

        if (scrape) {
                *scrape = (Scrape){ g, x };
                if (hero_proc_link_ask(service_mirror_link(g->mirror), &q, on_answer, scrape, NULL) >= 0)
                        return;
                free(scrape);
        }
        http_exchange_reply_error(x, 503, "out of memory, or too much is asked at once");
}

int metrics_add_routes(Gateway *g) {
        static const HttpRoute routes[] = {
                { HTTP_FACE_RPC | HTTP_FACE_UI, "GET", "/metrics", NULL, metrics },
        };

        return http_server_add_routes(g->http, routes, ELEMENTSOF(routes), g);
}
