/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/probe_request.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "core/http_request.h"

static size_t shelf_of(const char *bytes, size_t n) {
        uint32_t hash = 2166136261;

        for (size_t i = 0; i < n; i++)
                hash = (hash ^ (unsigned char) bytes[i]) * 16777619;
        return (hash ^ hash >> 16) % PROBE_REQUEST_SHELVES;
}

int probe_request_get(ProbeRequests *all, const ProbeDefinition *definition, ProbeRequest **ret) {
        _cleanup_free_ char *bytes = NULL;
        ProbeRequest *request;
        size_t n, shelf;
        int r = http_request_build(definition, &bytes, &n);

        if (r < 0)
                return r;
        shelf = shelf_of(bytes, n);
        LIST_FOREACH(request, &all->shelves[shelf], next) {
                if (request->n != n || memcmp(request->bytes, bytes, n) != 0)
                        continue;
                request->n_refs++;
                *ret = request;
                return 0;
        }
        request = malloc(sizeof(*request) + n);
        if (!request)
                return -ENOMEM;
        *request = (ProbeRequest){ .n_refs = 1, .n = n };
        memcpy(request->bytes, bytes, n);
        LIST_INSERT_HEAD(&all->shelves[shelf], request, next);
        *ret = request;
        return 0;
}

ProbeRequest *probe_request_put(ProbeRequest *r) {
        if (!r || --r->n_refs > 0)
                return NULL;
        LIST_REMOVE(r, next);
        free(r);
        return NULL;
}
