/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "base/clock.h"
#include "core/definition_reader.h"

/* Field by field: the action's own, else the service's, else the table's default. */
static const JsonValue *holder(const JsonValue *own, const JsonValue *inherited, const char *name) {
        return json_member(own, name) ? own : inherited;
}

static uint64_t read_usec(const JsonValue *own, const JsonValue *inherited, const char *name) {
        return definition_usec(holder(own, inherited, name), FIELD_OF_RESTART, name);
}

int definition_read_restart(DefinitionReader *r, const JsonValue *own, const JsonValue *inherited, RestartRule *ret) {
        const JsonValue *max_holder = holder(own, inherited, "max_delay_ms");
        RestartRule rule = {
                .policy = (RestartPolicy) definition_word(holder(own, inherited, "policy"), FIELD_OF_RESTART, "policy"),
                .delay_usec = read_usec(own, inherited, "delay_ms"),
                .max_delay_usec = read_usec(own, inherited, "max_delay_ms"),
                .window_usec = read_usec(own, inherited, "window_ms"),
                .stability_period_usec = read_usec(own, inherited, "stability_period_ms"),
                .max_attempts = (unsigned) definition_integer(holder(own, inherited, "max_attempts"), FIELD_OF_RESTART,
                                                              "max_attempts"),
        };

        if (rule.max_delay_usec < rule.delay_usec) {
                if (json_member(max_holder, "max_delay_ms"))
                        return definition_refuse_member(r, max_holder, "max_delay_ms",
                                                        "expected at least delay_ms, which is %" PRIu64,
                                                        rule.delay_usec / USEC_PER_MSEC);
                /* Only delay_ms was given: a long one must not fail over a default that nobody wrote. */
                rule.max_delay_usec = rule.delay_usec;
        }
        *ret = rule;
        return 0;
}
