/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The requests of probes as they are sent. Most services are asked the same, word for word: those share one. */

#include <stddef.h>
#include <sys/queue.h>

#include "core/service_definition.h"

typedef struct ProbeRequest {
        LIST_ENTRY(ProbeRequest) next;
        unsigned n_refs;
        size_t n;
        char bytes[];
} ProbeRequest;

enum {
        PROBE_REQUEST_SHELVES = 64,
};

/* All zero: none yet. */
typedef struct ProbeRequests {
        LIST_HEAD(, ProbeRequest) shelves[PROBE_REQUEST_SHELVES]; /* by what their bytes come to */
} ProbeRequests;

/* That of an HTTP probe. What http_request_build() says. */
int probe_request_get(ProbeRequests *all, const ProbeDefinition *definition, ProbeRequest **ret);
ProbeRequest *probe_request_put(ProbeRequest *r);
