/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/rpc_methods.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/openrpc.h"

#define NAME \
        { .name = "name", .type = RPC_SERVICE, .is_required = true, .description = "The service" }
#define WAIT                                                                             \
        {                                                                                \
                .name = "wait", .type = RPC_BOOLEAN, .fallback = 1,                      \
                .description = "Answer when it is over, with the state that was reached" \
        }
#define TIMEOUT                                                                                        \
        {                                                                                              \
                .name = "timeout_ms", .type = RPC_INTEGER, .min = 1, .max = 600000, .fallback = 60000, \
                .description = "How long to wait for that; it goes on afterwards"                      \
        }

static const RpcMethod methods[] = {
        { .name = "rpc.discover",
          .summary = "This document",
          .result_name = "openrpc",
          .result_schema = "{\"type\":\"object\"}",
          .run = rpc_discover },
        { .name = "rpc.health",
          .summary = "Whether hero_proc is there: the same as GET /health",
          .result_name = "health",
          .result_schema = OPENRPC_REF("Health"),
          .run = rpc_health },
        { .name = "service.apply",
          .summary = "Create or update services from definitions, all or nothing; only of a user's own hero_proc",
          .right = RPC_DEFINE,
          .params = { { .name = "definitions",
                        .type = RPC_DEFINITIONS,
                        .is_required = true,
                        .description = "Service definitions, each an object" },
                      { .name = "dry_run", .type = RPC_BOOLEAN, .description = "Only tell what would be done" },
                      { .name = "prune",
                        .type = RPC_BOOLEAN,
                        .description = "Remove the services that are not named" } },
          .result_name = "changes",
          .result_schema = OPENRPC_REF("Changes"),
          .run = rpc_apply },
        { .name = "service.history",
          .summary = "The last changes of a service's state, the newest first",
          .params = { NAME,
                      { .name = "limit",
                        .type = RPC_INTEGER,
                        .min = 1,
                        .max = 1000,
                        .fallback = 50,
                        .description = "How many at most" } },
          .result_name = "transitions",
          .result_schema = "{\"type\":\"array\",\"items\":" OPENRPC_REF("Transition") "}",
          .run = rpc_history },
        { .name = "service.list",
          .summary = "All services with state and leading reason",
          .result_name = "services",
          .result_schema = "{\"type\":\"array\",\"items\":" OPENRPC_REF("ServiceSummary") "}",
          .run = rpc_list },
        { .name = "service.logs",
          .summary = "The last lines that a service has in the journal, the oldest first",
          .right = RPC_OPERATE,
          .params = { NAME,
                      { .name = "lines",
                        .type = RPC_INTEGER,
                        .min = 1,
                        .max = 1000,
                        .fallback = 100,
                        .description = "How many at most" } },
          .result_name = "logs",
          .result_schema = OPENRPC_REF("Logs"),
          .run = rpc_logs },
        { .name = "service.probe",
          .summary = "Ask all probes of a service now; the evidence that they found",
          .params = { NAME },
          .result_name = "evidence",
          .result_schema = OPENRPC_REF("Evidence"),
          .run = rpc_probe },
        { .name = "service.remove",
          .summary = "Stop a service and forget it; only of a user's own hero_proc",
          .right = RPC_DEFINE,
          .params = { NAME, WAIT, TIMEOUT },
          .result_name = "removed",
          .result_schema = "{\"type\":\"object\",\"required\":[\"name\",\"removed\"]}",
          .run = rpc_remove },
        { .name = "service.reset_failed",
          .summary = "Probe again and restart only what is broken; the healthy are left alone",
          .right = RPC_OPERATE,
          .params = { { .name = "names", .type = RPC_SERVICES, .description = "Which; none: all" },
                      { .name = "dry_run", .type = RPC_BOOLEAN, .description = "Only tell what would be done" },
                      { .name = "force", .type = RPC_BOOLEAN, .description = "Restart the healthy too" } },
          .result_name = "outcome",
          .result_schema = OPENRPC_REF("ResetOutcome"),
          .run = rpc_reset_failed },
        { .name = "service.restart",
          .summary = "Stop and start a service",
          .right = RPC_OPERATE,
          .params = { NAME, WAIT, TIMEOUT },
          .result_name = "reached",
          .result_schema = OPENRPC_REF("ReachedState"),
          .run = rpc_restart },
        { .name = "service.start",
          .summary = "Start a service and what it requires",
          .right = RPC_OPERATE,
          .params = { NAME, WAIT, TIMEOUT },
          .result_name = "reached",
          .result_schema = OPENRPC_REF("ReachedState"),
          .run = rpc_start },
        { .name = "service.status",
          .summary = "State, reasons and processes of a service",
          .params = { NAME },
          .result_name = "status",
          .result_schema = OPENRPC_REF("ServiceStatus"),
          .run = rpc_status },
        { .name = "service.status_full",
          .summary = "All about a service, with the evidence of its sockets and probes",
          .params = { NAME },
          .result_name = "status",
          .result_schema = OPENRPC_REF("ServiceStatusFull"),
          .run = rpc_status_full },
        { .name = "service.stop",
          .summary = "Stop a service; nothing but a start by somebody brings it up again",
          .right = RPC_OPERATE,
          .params = { NAME, WAIT, TIMEOUT },
          .result_name = "reached",
          .result_schema = OPENRPC_REF("ReachedState"),
          .run = rpc_stop },
        { .name = "service.why",
          .summary = "Why a service is in the state that it is in: the rule, its evidence, what to do next",
          .params = { NAME },
          .result_name = "explanation",
          .result_schema = OPENRPC_REF("Explanation"),
          .run = rpc_why },
};

const RpcMethod *rpc_methods(size_t *ret_n) {
        *ret_n = ELEMENTSOF(methods);
        return methods;
}

static int compare(const void *name, const void *method) {
        return strcmp(name, ((const RpcMethod *) method)->name);
}

const RpcMethod *rpc_methods_find(const char *name) {
        return bsearch(name, methods, ELEMENTSOF(methods), sizeof methods[0], compare);
}
