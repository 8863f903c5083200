/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/definition_systemd.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/outcome.h"
#include "core/definition_reader.h"
#include "core/definition_value.h"

typedef enum ValueRule {
        RULE_BOOLEAN,      /* b */
        RULE_INTEGER,      /* t or i, min..max */
        RULE_BYTES,        /* t, min..max, also "512M" and "infinity" */
        RULE_COUNT,        /* t, min..max, also "infinity" */
        RULE_WORD,         /* s, one of `words` */
        RULE_NUMBER,       /* i on the bus; in the definition one of `words`, whose place is the number */
        RULE_TEXT,         /* s */
        RULE_NAME,         /* s */
        RULE_PATH,         /* s */
        RULE_WORDS,        /* as, each one of `words` */
        RULE_TEXTS,        /* as */
        RULE_GROUPS,       /* as */
        RULE_VARIABLES,    /* as, each an environment variable's name */
        RULE_PATHS,        /* as, each absolute with '-' (may be missing) or '+' (below RootDirectory) before it */
        RULE_FOLDERS,      /* as, each relative */
        RULE_CAPABILITIES, /* t on the bus, a bit mask; an array of names such as "CAP_NET_BIND_SERVICE" in the
                              definition */
} ValueRule;

typedef struct Row {
        SystemdProperty property;
        ValueRule rule;
        int64_t min, max;
        const char *words; /* separated by blanks; "-" stands for a number without a word */
} Row;

#define B(name, version) \
        { { name, "b", version }, RULE_BOOLEAN, 0, 0, NULL }
#define I(name, min, max) \
        { { name, "i", 0 }, RULE_INTEGER, min, max, NULL }
#define T(name, rule, version, min, max) \
        { { name, "t", version }, rule, min, max, NULL }
#define WORD(name, version, words) \
        { { name, "s", version }, RULE_WORD, 0, 0, words }
#define NUMBER(name, words) \
        { { name, "i", 0 }, RULE_NUMBER, 0, 0, words }
#define S(name, rule) \
        { { name, "s", 0 }, rule, 0, 0, NULL }
#define AS(name, rule, version) \
        { { name, "as", version }, rule, 0, 0, NULL }

/* clang-format off */
static const Row rows[] = {
        /* What it can see of the file system */
        WORD("ProtectSystem", 0, "no yes full strict"),
        WORD("ProtectHome", 0, "no yes read-only tmpfs"),
        WORD("ProtectProc", 0, "default noaccess invisible ptraceable"),
        WORD("ProcSubset", 0, "all pid"),
        B("PrivateTmp", 0), B("PrivateDevices", 0), B("PrivateMounts", 0), B("MountAPIVFS", 0), B("RootEphemeral", 254),
        S("RootDirectory", RULE_PATH),
        AS("ReadOnlyPaths", RULE_PATHS, 0), AS("ReadWritePaths", RULE_PATHS, 0), AS("InaccessiblePaths", RULE_PATHS, 0),
        AS("ExecPaths", RULE_PATHS, 0), AS("NoExecPaths", RULE_PATHS, 0),
        AS("StateDirectory", RULE_FOLDERS, 0), AS("CacheDirectory", RULE_FOLDERS, 0),
        AS("LogsDirectory", RULE_FOLDERS, 0), AS("ConfigurationDirectory", RULE_FOLDERS, 0),

        /* What it can do */
        B("NoNewPrivileges", 0), B("PrivateNetwork", 0), B("PrivateUsers", 0), B("PrivateIPC", 0),
        B("LockPersonality", 0), B("MemoryDenyWriteExecute", 0), B("RestrictRealtime", 0), B("RestrictSUIDSGID", 0),
        B("ProtectClock", 0), B("ProtectControlGroups", 0), B("ProtectHostname", 0), B("ProtectKernelLogs", 0),
        B("ProtectKernelModules", 0), B("ProtectKernelTunables", 0), B("RemoveIPC", 0), B("IgnoreSIGPIPE", 0),
        B("SetLoginEnvironment", 255),
        WORD("KeyringMode", 0, "inherit private shared"),
        WORD("DevicePolicy", 0, "auto closed strict"),
        { { "SystemCallArchitectures", "as", 0 }, RULE_WORDS, 0, 0, "native x86 x86-64 x32 arm arm64 ppc64-le riscv64 s390x" },
        AS("SupplementaryGroups", RULE_GROUPS, 0),
        T("CapabilityBoundingSet", RULE_CAPABILITIES, 0, 0, 0), T("AmbientCapabilities", RULE_CAPABILITIES, 0, 0, 0),

        /* Limits of a process */
        T("LimitAS", RULE_BYTES, 0, 0, INT64_MAX), T("LimitCORE", RULE_BYTES, 0, 0, INT64_MAX),
        T("LimitDATA", RULE_BYTES, 0, 0, INT64_MAX), T("LimitFSIZE", RULE_BYTES, 0, 0, INT64_MAX),
        T("LimitMEMLOCK", RULE_BYTES, 0, 0, INT64_MAX), T("LimitSTACK", RULE_BYTES, 0, 0, INT64_MAX),
        T("LimitNOFILE", RULE_COUNT, 0, 0, INT64_MAX), T("LimitNPROC", RULE_COUNT, 0, 0, INT64_MAX),
        I("Nice", -20, 19), I("OOMScoreAdjust", -1000, 1000),
        NUMBER("CPUSchedulingPolicy", "other fifo rr batch - idle"), I("CPUSchedulingPriority", 0, 99),
        NUMBER("IOSchedulingClass", "none realtime best-effort idle"), I("IOSchedulingPriority", 0, 7),
        T("TimerSlackNSec", RULE_INTEGER, 0, 0, INT64_MAX),

        /* The unit's control group; MemoryMax, CPUQuota and TasksMax are in `limits` */
        B("Delegate", 0), B("CPUAccounting", 0), B("IOAccounting", 0), B("MemoryAccounting", 0), B("TasksAccounting", 0),
        B("IPAccounting", 0),
        T("CPUWeight", RULE_INTEGER, 0, 1, 10000), T("StartupCPUWeight", RULE_INTEGER, 0, 1, 10000),
        T("IOWeight", RULE_INTEGER, 0, 1, 10000), T("StartupIOWeight", RULE_INTEGER, 0, 1, 10000),
        T("MemoryMin", RULE_BYTES, 0, 0, INT64_MAX), T("MemoryLow", RULE_BYTES, 0, 0, INT64_MAX),
        T("MemoryHigh", RULE_BYTES, 0, 1, INT64_MAX), T("MemorySwapMax", RULE_BYTES, 0, 0, INT64_MAX),
        T("MemoryZSwapMax", RULE_BYTES, 253, 0, INT64_MAX),
        WORD("OOMPolicy", 0, "continue stop kill"),
        WORD("ManagedOOMSwap", 0, "auto kill"), WORD("ManagedOOMMemoryPressure", 0, "auto kill"),

        /* Its log lines and environment */
        S("SyslogIdentifier", RULE_TEXT), S("LogNamespace", RULE_NAME),
        I("LogLevelMax", 0, 7),
        T("LogRateLimitIntervalUSec", RULE_INTEGER, 0, 0, INT64_MAX),
        AS("PassEnvironment", RULE_VARIABLES, 0), AS("UnsetEnvironment", RULE_VARIABLES, 0),
        AS("ImportCredential", RULE_TEXTS, 254),
};

/* In the order of their numbers, which are the kernel's interface. */
static const char *const capabilities[] = {
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
        "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
        "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
        "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
        "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
        "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
};

/* What people will look for here and find elsewhere. */
static const struct {
        const char *property, *field;
} elsewhere[] = {
        { "ExecStart", "exec" }, { "Type", "kind and ready" }, { "NotifyAccess", "ready" }, { "Environment", "env" },
        { "EnvironmentFile", "env_file" }, { "EnvironmentFiles", "env_file" }, { "LoadCredential", "credentials" },
        { "User", "user" }, { "Group", "group" }, { "WorkingDirectory", "working_dir" }, { "UMask", "umask" },
        { "TimeoutStartSec", "start_timeout_ms" }, { "TimeoutStopSec", "stop_timeout_ms" }, { "KillSignal", "stop_signal" },
        { "Restart", "restart.policy" }, { "RestartSec", "restart.delay_ms" },
        { "StartLimitBurst", "restart.max_attempts" }, { "StartLimitIntervalSec", "restart.window_ms" },
        { "MemoryMax", "limits.memory_max" }, { "CPUQuota", "limits.cpu_quota_percent" }, { "TasksMax", "limits.tasks_max" },
        { "Description", "description" }, { "Requires", "requires" }, { "After", "after" },
};
/* clang-format on */

const SystemdProperty *definition_systemd_property_at(size_t i) {
        return i < ELEMENTSOF(rows) ? &rows[i].property : NULL;
}

static const Row *find_row(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (strcmp(rows[i].property.name, name) == 0)
                        return &rows[i];
        return NULL;
}

const SystemdProperty *definition_systemd_property(const char *name) {
        const Row *row = find_row(name);

        return row ? &row->property : NULL;
}

static int refuse_name(DefinitionReader *r, const char *name) {
        NearestWord nearest = { .word = name };

        for (size_t i = 0; i < ELEMENTSOF(elsewhere); i++)
                if (strcmp(elsewhere[i].property, name) == 0)
                        return definition_refuse(r, NULL, "not a property to set here; use the field %s",
                                                 elsewhere[i].field);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                nearest_word_offer(&nearest, rows[i].property.name);
        if (nearest.best)
                return definition_refuse(r, NULL, "not an allowed property; did you mean \"%s\"?", nearest.best);
        return definition_refuse(r, NULL, "not an allowed property");
}

/* Each of the following makes *ret, or refuses. */

static int made(struct json_object *o, struct json_object **ret) {
        if (!o)
                return -ENOMEM;
        *ret = o;
        return 0;
}

static int read_integer(DefinitionReader *r, const Row *row, const JsonValue *v, struct json_object **ret) {
        bool bytes = row->rule == RULE_BYTES;
        uint64_t n;

        if ((bytes || row->rule == RULE_COUNT) && v->kind == JSON_KIND_STRING && strcmp(v->string, "infinity") == 0)
                return made(json_object_new_uint64(UINT64_MAX), ret);
        if (bytes && v->kind == JSON_KIND_STRING && definition_size_from_string(v->string, &n) &&
            n >= (uint64_t) row->min)
                return made(json_object_new_uint64(n), ret);
        if (v->kind == JSON_KIND_INTEGER && v->integer >= row->min && v->integer <= row->max)
                return made(json_object_new_int64(v->integer), ret);
        if (bytes)
                return definition_refuse(r, v,
                                         "expected bytes as an integer, or a string such as \"512M\" or \"infinity\"");
        if (row->max == INT64_MAX)
                return definition_refuse(r, v, "expected an integer from %" PRId64 " on%s", row->min,
                                         row->rule == RULE_COUNT ? ", or \"infinity\"" : "");
        return definition_refuse(r, v, "expected an integer from %" PRId64 " to %" PRId64, row->min, row->max);
}

/* Place of the word in the list; -1: it is not there. */
static int find_word(const char *words, const char *s) {
        int place = 0;

        for (const char *w = words; *w && strcmp(s, "-") != 0; w += strspn(w, " "), place++) {
                size_t n = strcspn(w, " ");

                if (strlen(s) == n && memcmp(w, s, n) == 0)
                        return place;
                w += n;
        }
        return -1;
}

/* systemd keeps the subfolder "private" of /var/lib and its like for itself. */
static bool folder_is_valid(const char *s) {
        return definition_path_is_relative(s) && !(strncmp(s, "private", 7) == 0 && (s[7] == '\0' || s[7] == '/'));
}

/* What a string of a rule must be; NULL: `s` is. */
static const char *expected_string(const Row *row, const char *s) {
        switch (row->rule) {
        case RULE_NAME:
                return service_name_is_valid(s) ? NULL : "1 to 63 letters, digits, '_', '.' or '-'";
        case RULE_GROUPS:
                return definition_user_is_valid(s) ? NULL : "a group's name or number";
        case RULE_VARIABLES:
                return definition_env_name_is_valid(s) ? NULL : "the name of an environment variable";
        case RULE_PATH:
                return definition_path_is_absolute(s) ? NULL : "an absolute path without \".\", \"..\" or \"//\"";
        case RULE_PATHS:
                s += *s == '-';
                s += *s == '+';
                return definition_path_is_absolute(s) ? NULL : "an absolute path, with '-' or '+' before it or not";
        case RULE_FOLDERS:
                return folder_is_valid(s) ? NULL : "a relative path without \".\" or \"..\", and not below \"private\"";
        case RULE_WORD:
        case RULE_WORDS:
        case RULE_NUMBER:
                return find_word(row->words, s) >= 0 ? NULL : row->words;
        case RULE_TEXT:
        case RULE_TEXTS:
        case RULE_BOOLEAN:
        case RULE_INTEGER:
        case RULE_BYTES:
        case RULE_COUNT:
        case RULE_CAPABILITIES:
        default:
                return *s && !definition_has_control(s, "") ? NULL
                                                            : "a string, neither empty nor with control characters";
        }
}

static int read_string(DefinitionReader *r, const Row *row, const JsonValue *v, struct json_object **ret) {
        const char *expected;

        if (v->kind != JSON_KIND_STRING)
                return definition_refuse(r, v, "expected a string");
        expected = expected_string(row, v->string);
        if (expected)
                return definition_refuse(r, v, "expected %s%s", expected == row->words ? "one of: " : "", expected);
        if (row->rule == RULE_NUMBER)
                return made(json_object_new_int(find_word(row->words, v->string)), ret);
        return made(json_object_new_string(v->string), ret);
}

static int read_strings(DefinitionReader *r, const Row *row, const JsonValue *array, struct json_object **ret) {
        struct json_object *list;
        size_t i = 0;

        if (array->kind != JSON_KIND_ARRAY)
                return definition_refuse(r, array, "expected an array of strings");
        list = json_object_new_array();
        if (!list)
                return -ENOMEM;
        for (const JsonValue *v = array->first; v; v = v->next, i++) {
                size_t mark = definition_enter_index(r, i);
                struct json_object *s = NULL;
                int err = read_string(r, row, v, &s);

                if (err == 0 && json_object_array_add(list, s) < 0) {
                        (void) json_object_put(s);
                        err = -ENOMEM;
                }
                if (err != 0) {
                        (void) json_object_put(list);
                        return err;
                }
                definition_leave(r, mark);
        }
        *ret = list;
        return 0;
}

static int read_capabilities(DefinitionReader *r, const JsonValue *array, struct json_object **ret) {
        uint64_t mask = 0;
        size_t i = 0;

        if (array->kind != JSON_KIND_ARRAY)
                return definition_refuse(r, array, "expected an array of capabilities");
        for (const JsonValue *v = array->first; v; v = v->next, i++) {
                size_t mark = definition_enter_index(r, i), bit = 0;

                while (bit < ELEMENTSOF(capabilities) &&
                       (v->kind != JSON_KIND_STRING || strcmp(capabilities[bit], v->string) != 0))
                        bit++;
                if (bit == ELEMENTSOF(capabilities))
                        return definition_refuse(r, v, "expected a capability such as \"CAP_NET_BIND_SERVICE\"");
                mask |= UINT64_C(1) << bit;
                definition_leave(r, mark);
        }
        return made(json_object_new_uint64(mask), ret);
}

static int read_property(DefinitionReader *r, const Row *row, const JsonValue *v, struct json_object **ret) {
        switch (row->rule) {
        case RULE_BOOLEAN:
                if (v->kind != JSON_KIND_BOOLEAN)
                        return definition_refuse(r, v, "expected true or false");
                return made(json_object_new_boolean(v->boolean), ret);
        case RULE_INTEGER:
        case RULE_BYTES:
        case RULE_COUNT:
                return read_integer(r, row, v, ret);
        case RULE_WORD:
        case RULE_NUMBER:
        case RULE_TEXT:
        case RULE_NAME:
        case RULE_PATH:
                return read_string(r, row, v, ret);
        case RULE_CAPABILITIES:
                return read_capabilities(r, v, ret);
        case RULE_WORDS:
        case RULE_TEXTS:
        case RULE_GROUPS:
        case RULE_VARIABLES:
        case RULE_PATHS:
        case RULE_FOLDERS:
        default:
                return read_strings(r, row, v, ret);
        }
}

int definition_read_systemd(DefinitionReader *r, const JsonValue *object, struct json_object **ret) {
        struct json_object *table;

        if (object->n_children == 0)
                return 0;
        table = json_object_new_object();
        if (!table)
                return -ENOMEM;
        for (const JsonValue *v = object->first; v; v = v->next) {
                size_t mark = definition_enter(r, v->key);
                const Row *row = find_row(v->key);
                struct json_object *value = NULL;
                int err = row ? read_property(r, row, v, &value) : refuse_name(r, v->key);

                /* A key that json-c copies is lost to it where it then has no memory for a larger table. */
                if (err == 0 &&
                    json_object_object_add_ex(table, row->property.name, value, JSON_C_OBJECT_ADD_CONSTANT_KEY) < 0) {
                        (void) json_object_put(value);
                        err = -ENOMEM;
                }
                if (err != 0) {
                        (void) json_object_put(table);
                        return err;
                }
                definition_leave(r, mark);
        }
        *ret = table;
        return 0;
}
