/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/openrpc.h"

#include <string.h>

#include "base/outcome.h"
#include "gateway/rpc_error.h"
#include "gateway/rpc_methods.h"
#include "gateway/rpc_params.h"

#define TEXT "{\"type\":\"string\"}"
#define TEXTS "{\"type\":\"array\",\"items\":" TEXT "}"
#define COUNT "{\"type\":\"integer\",\"minimum\":0}"
#define USEC "{\"type\":\"integer\",\"minimum\":0,\"description\":\"microseconds since 1970\"}"
#define STATE                                                                                                          \
        "{\"type\":\"string\",\"enum\":[\"running\",\"degraded\",\"failed\",\"starting\",\"stopping\",\"restarting\"," \
        "\"stopped\",\"unknown\"]}"
#define WANTED "{\"type\":\"string\",\"enum\":[\"up\",\"down\"]}"
#define LIST(name) "{\"type\":\"array\",\"items\":" OPENRPC_REF(name) "}"

static const struct {
        const char *name, *schema;
} schemas[] = {
        { "Health",
          "{\"type\":\"object\",\"required\":[\"status\",\"service\",\"version\"],\"properties\":{\"status\":" TEXT
          ",\"service\":" TEXT ",\"version\":" TEXT ",\"server\":" TEXT "}}" },
        { "Reason", "{\"type\":\"object\",\"required\":[\"code\",\"text\",\"subject\"],\"properties\":{\"code\":" TEXT
                    ",\"text\":" TEXT ",\"subject\":" TEXT "}}" },
        { "Action",
          "{\"type\":\"object\",\"required\":[\"name\",\"unit\",\"active_state\",\"main_pid\"],\"properties\":{"
          "\"name\":" TEXT ",\"unit\":" TEXT ",\"active_state\":" TEXT ",\"main_pid\":" COUNT ",\"invocation_id\":" TEXT
          ",\"n_restarts\":" COUNT "}}" },
        { "Socket",
          "{\"type\":\"object\",\"required\":[\"path\",\"state\"],\"properties\":{\"path\":" TEXT ",\"state\":" TEXT
          ",\"listener_pid\":" COUNT ",\"listener_unit\":" TEXT ",\"backlog\":" COUNT "}}" },
        { "Port", "{\"type\":\"object\",\"required\":[\"port\",\"state\"],\"properties\":{\"port\":" COUNT
                  ",\"state\":" TEXT ",\"listener_pid\":" COUNT ",\"listener_command\":" TEXT ",\"listener_unit\":" TEXT
                  ",\"backlog\":" COUNT "}}" },
        { "Probe", "{\"type\":\"object\",\"required\":[\"name\",\"state\"],\"properties\":{\"name\":" TEXT
                   ",\"state\":" TEXT ",\"failures\":" COUNT ",\"last_error\":" TEXT ",\"last_status\":" COUNT
                   ",\"latency_usec\":" COUNT ",\"checked_usec\":" USEC "}}" },
        { "ServiceSummary",
          "{\"type\":\"object\",\"required\":[\"name\",\"state\",\"wanted\",\"since_usec\",\"reason\"],\"properties\":{"
          "\"name\":" TEXT ",\"description\":" TEXT ",\"state\":" STATE ",\"wanted\":" WANTED ",\"since_usec\":" USEC
          ",\"reason\":{\"oneOf\":[{\"type\":\"null\"}," OPENRPC_REF("Reason") "]}}}" },
        { "ServiceStatus", "{\"type\":\"object\",\"required\":[\"name\",\"state\",\"wanted\",\"since_usec\",\"ready\","
                           "\"reasons\",\"actions\"],"
                           "\"properties\":{\"name\":" TEXT ",\"description\":" TEXT ",\"state\":" STATE
                           ",\"wanted\":" WANTED ",\"since_usec\":" USEC ",\"observed_usec\":" USEC
                           ",\"ready\":{\"type\":[\"boolean\",\"null\"]},\"reasons\":" LIST(
                                   "Reason") ",\"actions\":" LIST("Action") "}}" },
        { "ServiceStatusFull",
          "{\"allOf\":[" OPENRPC_REF("ServiceStatus") ",{\"type\":\"object\",\"required\":[\"sockets\",\"probes\"],"
                                                      "\"properties\":{\"sockets\":" LIST("Socket") ",\"ports\":" LIST(
                                                              "Port") ",\"probes\":" LIST("Probe") "}}]}" },
        { "Evidence",
          "{\"type\":\"object\",\"required\":[\"name\",\"sockets\",\"probes\"],\"properties\":{\"name\":" TEXT
          ",\"sockets\":" LIST("Socket") ",\"ports\":" LIST("Port") ",\"probes\":" LIST("Probe") "}}" },
        { "Explanation",
          "{\"type\":\"object\",\"required\":[\"name\",\"state\",\"wanted\",\"since_usec\","
          "\"observed_usec\",\"rule\",\"reasons\",\"evidence\",\"tried\",\"next\",\"commands\"],\"properties\":{"
          "\"name\":" TEXT ",\"state\":" STATE ",\"wanted\":" WANTED ",\"since_usec\":" USEC ",\"observed_usec\":" USEC
          ",\"rule\":{\"type\":\"object\",\"required\":[\"number\",\"text\"],\"properties\":{\"number\":" COUNT
          ",\"text\":" TEXT "}},\"reasons\":" LIST("Reason") ",\"evidence\":" TEXTS ",\"tried\":" TEXTS
                                                             ",\"next\":" LIST("Prospect") ",\"commands\":" TEXTS
                                                                                           "}}" },
        { "Prospect", "{\"type\":\"object\",\"required\":[\"text\",\"at_usec\"],\"properties\":{\"text\":" TEXT
                      ",\"at_usec\":" USEC "}}" },
        { "Transition",
          "{\"type\":\"object\",\"required\":[\"at_usec\",\"from\",\"to\",\"code\",\"text\"],\"properties\":{"
          "\"at_usec\":" USEC ",\"from\":" TEXT ",\"to\":" TEXT ",\"code\":" TEXT ",\"text\":" TEXT "}}" },
        { "LogLine",
          "{\"type\":\"object\",\"required\":[\"time_usec\",\"priority\",\"message\"],\"properties\":{"
          "\"time_usec\":" USEC ",\"priority\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":7},\"unit\":" TEXT
          ",\"identifier\":" TEXT ",\"pid\":" COUNT ",\"message\":" TEXT "}}" },
        { "Logs", "{\"type\":\"object\",\"required\":[\"lines\",\"truncated\"],\"properties\":{\"lines\":" LIST(
                          "LogLine") ",\"truncated\":{\"type\":\"boolean\"}}}" },
        { "ReachedState", "{\"type\":\"object\",\"required\":[\"name\",\"state\"],\"properties\":{\"name\":" TEXT
                          ",\"state\":" STATE "}}" },
        { "ResetOutcome",
          "{\"type\":\"object\",\"required\":[\"restarted\",\"left_alone\",\"still_failed\",\"skipped\"],"
          "\"additionalProperties\":{\"type\":\"array\",\"items\":" TEXT "}}" },
        { "Changes", "{\"type\":\"object\",\"required\":[\"services\",\"difference\"],\"properties\":{\"services\":{"
                     "\"type\":\"object\",\"additionalProperties\":" TEXT "},\"difference\":" TEXT "}}" },
};

/* -- parameters -- */

static void add_param_schema(JsonText *t, const RpcParam *p) {
        switch (p->type) {
        case RPC_SERVICE:
                json_text_add_string(t, "type", "string");
                json_text_add_string(t, "pattern", "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$");
                return;
        case RPC_SERVICES:
        case RPC_DEFINITIONS:
                json_text_add_string(t, "type", "array");
                json_text_add_raw(t, "items", p->type == RPC_SERVICES ? TEXT : "{\"type\":\"object\"}");
                return;
        case RPC_BOOLEAN:
                json_text_add_string(t, "type", "boolean");
                json_text_add_boolean(t, "default", p->fallback != 0);
                return;
        case RPC_INTEGER:
                json_text_add_string(t, "type", "integer");
                json_text_add_unsigned(t, "minimum", (uint64_t) p->min);
                json_text_add_unsigned(t, "maximum", (uint64_t) p->max);
                json_text_add_unsigned(t, "default", (uint64_t) p->fallback);
                return;
        }
}

static void add_param(JsonText *t, const RpcParam *p) {
        json_text_open(t, '{');
        json_text_add_string(t, "name", p->name);
        json_text_add_string(t, "description", p->description);
        json_text_add_boolean(t, "required", p->is_required);
        json_text_key(t, "schema");
        json_text_open(t, '{');
        add_param_schema(t, p);
        json_text_close(t, '}');
        json_text_close(t, '}');
}

/* -- errors -- */

static void add_error(JsonText *t, int code, const char *message) {
        json_text_open(t, '{');
        json_text_key(t, "code");
        json_text_integer(t, code);
        json_text_add_string(t, "message", message);
        json_text_close(t, '}');
}

/* Those that a call of this kind can end in. */
static void add_errors(JsonText *t, const RpcMethod *m) {
        static const Outcome reading[] = { HERO_E_NO_SUCH_SERVICE, HERO_E_SERVER_UNREACHABLE };
        static const Outcome changing[] = { HERO_E_NO_SUCH_SERVICE,     HERO_E_BUSY,
                                            HERO_E_START_FAILED,        HERO_E_NOT_AUTHORIZED,
                                            HERO_E_SYSTEMD_UNREACHABLE, HERO_E_STORE_FULL,
                                            HERO_E_SERVER_UNREACHABLE,  HERO_E_TIMED_OUT };
        static const Outcome defining[] = { HERO_E_NO_SUCH_SERVICE,  HERO_E_INVALID_DEFINITION,
                                            HERO_E_DEPENDENCY_CYCLE, HERO_E_BUSY,
                                            HERO_E_NOT_AUTHORIZED,   HERO_E_SYSTEMD_UNREACHABLE,
                                            HERO_E_STORE_FULL,       HERO_E_SERVER_UNREACHABLE,
                                            HERO_E_TIMED_OUT };
        static const struct {
                const Outcome *outcomes;
                size_t n;
        } by_right[] = { [RPC_LOOK] = { reading, ELEMENTSOF(reading) },
                         [RPC_OPERATE] = { changing, ELEMENTSOF(changing) },
                         [RPC_DEFINE] = { defining, ELEMENTSOF(defining) } };

        json_text_key(t, "errors");
        json_text_open(t, '[');
        for (size_t i = 0; i < by_right[m->right].n; i++) {
                const OutcomeInfo *info = outcome_info(by_right[m->right].outcomes[i]);

                add_error(t, info->rpc_code, info->code_name);
        }
        json_text_close(t, ']');
}

/* -- the document -- */

static void add_method(JsonText *t, const RpcMethod *m) {
        static const char *const rights[] = {
                [RPC_LOOK] = "For everybody who can connect.",
                [RPC_OPERATE] = "For root and members of group hero; of a user's own hero_proc, for the user.",
                [RPC_DEFINE] = "Of a user's own hero_proc, for the user; else for nobody: see hero_proc apply.",
        };

        json_text_open(t, '{');
        json_text_add_string(t, "name", m->name);
        json_text_add_string(t, "summary", m->summary);
        json_text_add_string(t, "description", rights[m->right]);
        json_text_add_string(t, "paramStructure", "either");
        json_text_key(t, "params");
        json_text_open(t, '[');
        for (size_t i = 0; i < rpc_params_count(m); i++)
                add_param(t, &m->params[i]);
        json_text_close(t, ']');
        json_text_key(t, "result");
        json_text_open(t, '{');
        json_text_add_string(t, "name", m->result_name);
        json_text_add_raw(t, "schema", m->result_schema);
        json_text_close(t, '}');
        if (strncmp(m->name, "rpc.", 4) != 0)
                add_errors(t, m);
        json_text_close(t, '}');
}

void openrpc_write(JsonText *t) {
        size_t n;
        const RpcMethod *methods = rpc_methods(&n);

        json_text_open(t, '{');
        json_text_add_string(t, "openrpc", "1.2.6");
        json_text_key(t, "info");
        json_text_open(t, '{');
        json_text_add_string(t, "title", "hero_proc");
        json_text_add_string(t, "description", "Supervises services as systemd units and tells how they are");
        json_text_add_string(t, "version", HERO_PROC_VERSION);
        json_text_close(t, '}');
        json_text_key(t, "methods");
        json_text_open(t, '[');
        for (size_t i = 0; i < n; i++)
                add_method(t, &methods[i]);
        json_text_close(t, ']');
        json_text_key(t, "components");
        json_text_open(t, '{');
        json_text_key(t, "schemas");
        json_text_open(t, '{');
        for (size_t i = 0; i < ELEMENTSOF(schemas); i++)
                json_text_add_raw(t, schemas[i].name, schemas[i].schema);
        json_text_close(t, '}');
        json_text_close(t, '}');
        json_text_close(t, '}');
}

void rpc_discover(RpcCall *c) {
        JsonText t = { 0 };

        openrpc_write(&t);
        rpc_call_succeed(c, &t);
}
