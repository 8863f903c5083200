/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the user asked for: one service, parsed and checked (DESIGN: service definition). Plain data; a definition never
 * changes after parsing, and is one piece of memory. All strings are owned by the definition, all durations are
 * microseconds. */

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/string_table.h"

enum {
        DEFINITION_ACTIONS_MAX = 32,
        DEFINITION_SOCKETS_MAX = 64,
        DEFINITION_PROBES_MAX = 64,
        DEFINITION_PORTS_MAX = 64,
        DEFINITION_ACTION_PORTS_MAX = 32,
        DEFINITION_RELATIONS_MAX = 64, /* requires and after, each */
        DEFINITION_NAME_MAX = 63,
        DEFINITION_DESCRIPTION_MAX = 512,
        DEFINITION_TEXT_MAX = 1024 * 1024, /* bytes of JSON a service */
        /* The kernel's limit for one argument or environment string (MAX_ARG_STRLEN), its NUL included: beyond it
         * execve() fails and systemd reports 203. */
        DEFINITION_STRING_MAX = 128 * 1024,
};

typedef enum ActionKind { ACTION_KIND_PROCESS, ACTION_KIND_ONESHOT, _ACTION_KIND_MAX } ActionKind;

typedef enum ReadyKind {
        READY_EXEC,   /* the exec happened */
        READY_NOTIFY, /* sd_notify READY=1 */
        READY_FD3,    /* a newline or READY=1 on file descriptor 3 */
        READY_FILE,   /* the file $HERO_READY_FILE appears */
        _READY_MAX,
} ReadyKind;

typedef enum RestartPolicy { RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_NEVER, _RESTART_POLICY_MAX } RestartPolicy;
typedef enum UnhealthyPolicy { UNHEALTHY_RESTART, UNHEALTHY_REPORT, _UNHEALTHY_POLICY_MAX } UnhealthyPolicy;
typedef enum ProbeType { PROBE_HTTP, PROBE_CONNECT, _PROBE_TYPE_MAX } ProbeType;
typedef enum ProbeRole { PROBE_LIVENESS, PROBE_READINESS, PROBE_REPORT, _PROBE_ROLE_MAX } ProbeRole;

DECLARE_STRING_TABLE(ActionKind, action_kind)           /* "process", "oneshot" */
DECLARE_STRING_TABLE(ReadyKind, ready_kind)             /* "exec", "notify", "fd3", "file" */
DECLARE_STRING_TABLE(RestartPolicy, restart_policy)     /* "on-failure", "always", "never" */
DECLARE_STRING_TABLE(UnhealthyPolicy, unhealthy_policy) /* "restart", "report" */
DECLARE_STRING_TABLE(ProbeType, probe_type)             /* "http", "connect" */
DECLARE_STRING_TABLE(ProbeRole, probe_role)             /* "liveness", "readiness", "report" */

typedef struct RestartRule {
        RestartPolicy policy;
        uint64_t delay_usec, max_delay_usec, window_usec, stability_period_usec;
        unsigned max_attempts;
} RestartRule;

typedef struct StatusRange {
        uint16_t first, last; /* both included */
} StatusRange;

typedef struct HttpHeader {
        char *name, *value;
} HttpHeader;

typedef struct ProbeDefinition {
        char *name; /* unique in the service */
        int action; /* index of the action it is about; -1: the service as a whole */
        ProbeType type;
        ProbeRole role;
        char *socket;  /* absolute path; NULL where `port` is meant */
        uint16_t port; /* TCP on loopback; 0 where `socket` is meant */
        char *method, *path;
        HttpHeader *headers;
        size_t n_headers;
        char *body;        /* NULL: none. A JSON value given as `body` is serialised once, at parsing. */
        bool body_is_json; /* then Content-Type: application/json is sent unless `headers` names one */
        StatusRange *expect_status;
        size_t n_expect_status;
        char *expect_body; /* NULL, or a substring the answer's body must hold */
        uint64_t interval_usec, timeout_usec, fast_interval_usec, down_interval_usec;
        unsigned failures, successes;            /* in a row */
        unsigned window_failures, window_length; /* failures_in [k, n]; 0, 0: no window rule */
} ProbeDefinition;

typedef struct SocketDefinition {
        char *name; /* as given, e.g. "rpc.sock" */
        char *path; /* absolute */
        int action; /* index of the action that declares it; -1: declared by a service of several actions, owner unknown
                     */
} SocketDefinition;

typedef struct PortDefinition {
        uint16_t port; /* TCP, on whatever address */
        char name[sizeof("port 65535")];
        int action; /* index of the action that declares it */
} PortDefinition;

typedef struct KeyValue {
        char *key, *value;
} KeyValue;

typedef struct ActionDefinition {
        char *name;  /* "main" in the short form */
        char **exec; /* NULL-terminated; a string in the JSON became { "/bin/sh", "-c", string } */
        ActionKind kind;
        ReadyKind ready; /* resolved: explicit, else file where require_ready is set, else exec */
        KeyValue *env;
        size_t n_env;
        char **env_file;       /* NULL-terminated or NULL; absolute paths */
        KeyValue *credentials; /* id, absolute path */
        size_t n_credentials;
        KeyValue *credentials_encrypted; /* the same, of what systemd-creds(1) encrypted */
        size_t n_credentials_encrypted;
        char *user, *group, *working_dir; /* each may be NULL */
        int umask;                        /* -1: systemd's default */
        uint64_t start_timeout_usec;      /* USEC_NEVER: a oneshot whose work may take as long as it takes */
        uint64_t stop_timeout_usec;
        int stop_signal;
        bool kill_others;
        RestartRule restart;                  /* the service's `restart` filled in below the action's own */
        uint64_t memory_max_bytes, tasks_max; /* UINT64_MAX: not given */
        unsigned cpu_quota_percent;           /* 0: not given */
        struct json_object *systemd;          /* the allow-listed table as checked; NULL: none; owned */
} ActionDefinition;

typedef struct ServiceDefinition {
        char *text;        /* the JSON of this service as given, byte for byte */
        char *public_text; /* the same with what is not for everyone's eyes as null; NULL: there is nothing such */
        char *name, *description; /* description may be NULL */
        bool autostart, require_ready;
        char **requires, **after; /* NULL-terminated or NULL; no duplicates, `after` does not repeat `requires` */
        UnhealthyPolicy on_unhealthy;
        char *on_failure_unit; /* may be NULL; one with "@." is a template */
        char *directory;       /* absolute: socket_dir/NAME */
        ActionDefinition *actions;
        size_t n_actions;
        SocketDefinition *sockets;
        size_t n_sockets;
        PortDefinition *ports;
        size_t n_ports;
        ProbeDefinition *probes;
        size_t n_probes;
} ServiceDefinition;

/* Parses `text`, a JSON object or an array of such objects (each one service); one trailing newline or other blank
 * space is allowed, anything else after the value is not. Relative sockets are resolved below socket_dir/NAME/.
 *
 * On success *ret_list holds *ret_n definitions (free with service_definition_free_list()); each one's `text` is its
 * own object exactly as it stands in the input. Relations to other services are not looked at here: see start_order.h.
 *
 * HERO_E_INVALID_DEFINITION: *reterr_message (free it) names the field's path, the value and what was expected, e.g.
 * "hero_os: actions.ui.ready: \"socket\": expected one of exec, notify, fd3, file". Nothing else is written.
 * -ENOMEM. */
int service_definition_parse(const char *text, const char *socket_dir, ServiceDefinition ***ret_list, size_t *ret_n,
                             char **reterr_message);
/* The same of a definition that was accepted before: what is refused for the sake of good practice alone is taken, so
 * that an upgrade loses no service; and no message holds a value, since it goes to the log. */
int service_definition_parse_stored(const char *text, const char *socket_dir, ServiceDefinition ***ret_list,
                                    size_t *ret_n, char **reterr_message);

ServiceDefinition *service_definition_free(ServiceDefinition *d);
void service_definition_free_list(ServiceDefinition **list, size_t n);
DEFINE_CLEANUP(ServiceDefinition *, service_definition_free)

/* Whether both ask the same of the same: then what one was answered, is evidence for the other. */
bool probe_definition_asks_same(const ProbeDefinition *a, const ProbeDefinition *b);

/* Whether `name` may name a service: [A-Za-z0-9_][A-Za-z0-9_.-]{0,62}. "hero_proc" is reserved and refused by
 * service_definition_parse() only. */
bool service_name_is_valid(const char *name);
/* The same for an action: without '-' and '.'. */
bool action_name_is_valid(const char *name);
