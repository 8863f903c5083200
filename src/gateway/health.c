/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON "application/json"

char *health_json(const Gateway *g, unsigned *ret_status) {
        bool well = service_mirror_is_complete(g->mirror);
        char *text;

        *ret_status = well ? 200 : 503;
        if (asprintf(&text,
                     "{\"status\":\"%s\",\"service\":\"hero_proc\",\"version\":\"" HERO_PROC_VERSION
                     "\",\"server\":\"%s\"}",
                     well ? "ok" : "unavailable", well ? "present" : service_mirror_absence(g->mirror)) < 0)
                return NULL;
        return text;
}

static void health(HttpExchange *x, void *userdata) {
        unsigned status;
        char *text = health_json(userdata, &status);

        http_exchange_reply(x, status, JSON, text, text ? strlen(text) : 0);
}

static void manifest(HttpExchange *x, void *userdata) {
        bool is_rpc = http_exchange_face(x) == HTTP_FACE_RPC;
        char *text;
        int n = asprintf(
                &text,
                "{\"protocol\":\"%s\",\"name\":\"hero_proc\",\"title\":\"hero_proc\",\"version\":\"" HERO_PROC_VERSION
                "\",\"description\":\"Supervises services as systemd units and tells how they are\","
                "\"socket\":\"%s\"}",
                is_rpc ? "openrpc" : "ui", is_rpc ? "rpc" : "ui");

        (void) userdata;
        http_exchange_reply(x, 200, JSON, n < 0 ? NULL : text, n < 0 ? 0 : (size_t) n);
}

int health_add_routes(Gateway *g) {
        static const HttpRoute routes[] = {
                { HTTP_FACE_RPC | HTTP_FACE_UI, "GET", "/health", NULL, health },
                { HTTP_FACE_RPC | HTTP_FACE_UI, "GET", "/.well-known/heroservice.json", NULL, manifest },
        };

        return http_server_add_routes(g->http, routes, ELEMENTSOF(routes), g);
}
