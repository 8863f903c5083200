/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How functions report. 0 is success. A negative errno is unexpected: forward it unchanged. A positive value is one of
 * the outcomes below: documented, expected, and with the same meaning everywhere, so that forwarding one is safe.
 *
 * outcome.c holds the one table that maps an outcome to its D-Bus error, JSON-RPC code and exit code. */

#include <stdbool.h>

typedef enum Outcome {
        HERO_OK = 0,
        HERO_E_NO_SUCH_SERVICE,
        HERO_E_INVALID_DEFINITION,
        HERO_E_DEPENDENCY_CYCLE,
        HERO_E_BUSY,         /* another change of the same service is under way */
        HERO_E_START_FAILED, /* the service did not come up; the text holds state and reason */
        HERO_E_NOT_AUTHORIZED,
        HERO_E_SYSTEMD_UNREACHABLE,
        HERO_E_STORE_FULL,         /* the change could not be written, so it was not made */
        HERO_E_SERVER_UNREACHABLE, /* clients only: org.hero.Proc1 does not answer */
        HERO_E_INVALID_ARGUMENT,   /* a call's argument is out of its range */
        HERO_E_TIMED_OUT,          /* it goes on, and the caller's patience has ended */
        _HERO_E_MAX,
} Outcome;

/* Exit codes of hero_proc(1). EX_STATUS_* are what `status` says of a service. */
enum {
        EX_DONE = 0,
        EX_FAILED = 1,
        EX_BAD_USAGE = 2,
        EX_STATUS_NOT_RUNNING = 3,
        EX_NO_SUCH_SERVICE = 4,
        EX_STATUS_DEGRADED = 5,
        EX_STATUS_UNKNOWN = 6,
        EX_INVALID_DEFINITION = 65,
        EX_SERVER_UNREACHABLE = 69,
        EX_NOT_AUTHORIZED = 77,
};

typedef struct OutcomeInfo {
        const char *dbus_name; /* e.g. org.hero.Proc1.Error.NoSuchService */
        const char *code_name; /* JSON-RPC error.data.code_name, e.g. no-such-service */
        int rpc_code;          /* JSON-RPC error.code */
        int exit_code;         /* of hero_proc(1) */
        bool retryable;        /* the same call may succeed later without any change by the caller */
} OutcomeInfo;

/* The table's row for `outcome`, which must lie between HERO_OK and _HERO_E_MAX. */
const OutcomeInfo *outcome_info(Outcome outcome);

/* The outcome that a D-Bus error name stands for; names of the bus itself (no owner, access denied) are known too.
 * -EINVAL for any other name. */
int outcome_from_dbus_name(const char *name);
