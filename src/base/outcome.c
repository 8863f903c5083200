/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/outcome.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

static const OutcomeInfo outcome_table[_HERO_E_MAX] = {
        [HERO_OK] = { NULL, "ok", 0, EX_DONE, false },
        [HERO_E_NO_SUCH_SERVICE] = { "org.hero.Proc1.Error.NoSuchService", "no-such-service", -32000,
                                     EX_NO_SUCH_SERVICE, false },
        [HERO_E_INVALID_DEFINITION] = { "org.hero.Proc1.Error.InvalidDefinition", "invalid-definition", -32001,
                                        EX_INVALID_DEFINITION, false },
        [HERO_E_DEPENDENCY_CYCLE] = { "org.hero.Proc1.Error.DependencyCycle", "dependency-cycle", -32002,
                                      EX_INVALID_DEFINITION, false },
        [HERO_E_BUSY] = { "org.hero.Proc1.Error.Busy", "busy", -32003, EX_FAILED, true },
        [HERO_E_START_FAILED] = { "org.hero.Proc1.Error.StartFailed", "start-failed", -32004, EX_FAILED, true },
        [HERO_E_NOT_AUTHORIZED] = { "org.hero.Proc1.Error.NotAuthorized", "not-authorized", -32005, EX_NOT_AUTHORIZED,
                                    false },
        [HERO_E_SYSTEMD_UNREACHABLE] = { "org.hero.Proc1.Error.SystemdUnreachable", "systemd-unreachable", -32006,
                                         EX_FAILED, true },
        [HERO_E_STORE_FULL] = { "org.hero.Proc1.Error.StoreFull", "store-full", -32007, EX_FAILED, true },
        [HERO_E_SERVER_UNREACHABLE] = { "org.freedesktop.DBus.Error.ServiceUnknown", "server-unreachable", -32008,
                                        EX_SERVER_UNREACHABLE, true },
        [HERO_E_INVALID_ARGUMENT] = { "org.freedesktop.DBus.Error.InvalidArgs", "invalid-argument", -32602,
                                      EX_BAD_USAGE, false },
        [HERO_E_TIMED_OUT] = { "org.freedesktop.DBus.Error.Timeout", "timed-out", -32009, EX_FAILED, true },
};

/* What the bus itself answers in our name. */
static const struct {
        const char *dbus_name;
        Outcome outcome;
} foreign_names[] = {
        { "org.freedesktop.DBus.Error.NameHasNoOwner", HERO_E_SERVER_UNREACHABLE },
        { "org.freedesktop.DBus.Error.NoReply", HERO_E_SERVER_UNREACHABLE },
        { "org.freedesktop.DBus.Error.Disconnected", HERO_E_SERVER_UNREACHABLE },
        { "org.freedesktop.DBus.Error.LimitsExceeded", HERO_E_BUSY },
        { "org.freedesktop.DBus.Error.AccessDenied", HERO_E_NOT_AUTHORIZED },
        { "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", HERO_E_NOT_AUTHORIZED },
};

const OutcomeInfo *outcome_info(Outcome outcome) {
        assert(outcome < _HERO_E_MAX);
        return &outcome_table[outcome];
}

int outcome_from_dbus_name(const char *name) {
        for (int i = 1; name && i < _HERO_E_MAX; i++)
                if (strcmp(outcome_table[i].dbus_name, name) == 0)
                        return i;
        for (size_t i = 0; name && i < ELEMENTSOF(foreign_names); i++)
                if (strcmp(foreign_names[i].dbus_name, name) == 0)
                        return (int) foreign_names[i].outcome;
        return -EINVAL;
}
