/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "core/json_strict.h"
#include "gateway/gateway.h"

/* GET /metrics, for Prometheus; in OpenMetrics when asked. There is always an answer: of a server that is away it tells
 * just that. */
int metrics_add_routes(Gateway *g);

typedef struct MetricsInput {
        const ServiceMirror *mirror;
        const JsonValue *server; /* what the Metrics member answered; NULL: nothing */
        uint64_t n_reconnects;
        size_t n_connections, n_streams;
        bool is_openmetrics;
} MetricsInput;

void metrics_text_write(FILE *f, const MetricsInput *in);
