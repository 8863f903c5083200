/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/alerts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "boundary/alert_file.h"
#include "boundary/journal_message.h"
#include "core/utf8.h"
#include "server/evaluation.h"
#include "server/supervisor.h"

typedef enum AlertKind {
        ALERT_UNHEALTHY,
        ALERT_RESTART_BUDGET,
        ALERT_CRASH_LOOP,
        _ALERT_KIND_MAX,
} AlertKind;

/* For catalog/hero_proc.catalog; never to be changed: journals and rules of administrators hold them. */
static const struct {
        const char *word, *message_id, *text;
} alerts[_ALERT_KIND_MAX] = {
        [ALERT_UNHEALTHY] = { "unhealthy", "3175302ee4384b849965067dfd7c4903", "is dead, and is not restarted" },
        [ALERT_RESTART_BUDGET] = { "restart-budget", "a51fda61ea2a4b629951d89ca948c4d6",
                                   "is dead after all its restarts" },
        [ALERT_CRASH_LOOP] = { "crash-loop", "b24b0ed1812b49a7ab947a39eb3915fd", "crashes again and again" },
};

static const char *leading_text(const Service *s) {
        return s->shown_text && *s->shown_text ? s->shown_text : service_state_to_string(s->shown_state);
}

static void tell_journal(const Service *s, AlertKind kind) {
        const char *code = s->n_shown > 0 ? reason_code_to_string((ReasonCode) s->shown[0].code) : "";
        char message[768], id[64], service[96], alert[64], reason[64], text[512], unit[UNIT_NAME_MAX + 32];
        const char *fields[] = { message, id,   "PRIORITY=3", "SYSLOG_IDENTIFIER=hero_proc_server", service, alert,
                                 reason,  text, unit };
        int r;

        (void) snprintf(message, sizeof message, "MESSAGE=%s %s: %s", s->definition->name, alerts[kind].text,
                        leading_text(s));
        utf8_drop_broken_end(message); /* journalctl would show it as "blob data" */
        (void) snprintf(id, sizeof id, "MESSAGE_ID=%s", alerts[kind].message_id);
        (void) snprintf(service, sizeof service, "HERO_SERVICE=%s", s->definition->name);
        (void) snprintf(alert, sizeof alert, "HERO_ALERT=%s", alerts[kind].word);
        (void) snprintf(reason, sizeof reason, "HERO_REASON=%s", code);
        (void) snprintf(text, sizeof text, "HERO_REASON_TEXT=%s", leading_text(s));
        utf8_drop_broken_end(text);
        /* So that `journalctl -u` of the service's unit shows it too. */
        (void) snprintf(unit, sizeof unit, "OBJECT_SYSTEMD_%sUNIT=%s",
                        supervisor_options(s->supervisor)->is_user ? "USER_" : "", s->actions[0].unit);
        r = journal_message_send(fields, ELEMENTSOF(fields));
        if (r < 0) /* what was to be said is said in the plain way */
                log_error("%s", message + strlen("MESSAGE="));
}

/* "mail@.service" is started as the instance of the service's name. */
static void unit_of(const Service *s, char *ret, size_t size) {
        const char *unit = s->definition->on_failure_unit, *at = strstr(unit, "@.");

        if (at)
                (void) snprintf(ret, size, "%.*s@%s%s", (int) (at - unit), unit, s->definition->name, at + 1);
        else
                (void) snprintf(ret, size, "%s", unit);
}

static void on_started(void *userdata, int r, const char *job_result, const char *text) {
        Service *s = userdata;

        (void) job_result;
        if (service_step_may_pass(r)) { /* it was not sent */
                s->alert_is_lost = true;
                service_put_off(s);
                supervisor_mark(s);
        } else if ((r == -ECONNRESET || r == -ENOTCONN) && !s->alert_is_repeated) {
                /* Whether systemd has read it nobody knows, and told twice is better than never. */
                s->alert_is_lost = true;
        } else if (r < 0) {
                log_error("%s: its on_failure_unit %s cannot be started: %s", s->definition->name,
                          s->definition->on_failure_unit, text ? text : strerror(-r));
        }
}

static void start_unit(Service *s) {
        char unit[UNIT_NAME_MAX];
        int r;

        unit_of(s, unit, sizeof unit);
        r = systemd_client_start(supervisor_systemd(s->supervisor), unit, USEC_PER_SEC * 60, on_started, s);
        if (r < 0)
                on_started(s, r, NULL, NULL);
}

static void tell_unit(Service *s, AlertKind kind) {
        const char *code = s->n_shown > 0 ? reason_code_to_string((ReasonCode) s->shown[0].code) : "";
        const AlertVariable variables[] = {
                { "HERO_SERVICE", s->definition->name },
                { "HERO_ALERT", alerts[kind].word },
                { "HERO_STATE", service_state_to_string(s->shown_state) },
                { "HERO_REASON", code },
                { "HERO_REASON_TEXT", leading_text(s) },
        };
        char unit[UNIT_NAME_MAX];
        int r;

        if (!s->definition->on_failure_unit)
                return;
        unit_of(s, unit, sizeof unit);
        r = alert_file_write(supervisor_options(s->supervisor)->alert_dir, s->definition->name, variables,
                             ELEMENTSOF(variables));
        if (r < 0)
                log_warning("%s: cannot write what %s is to be told: %s", s->definition->name, unit, strerror(-r));
        s->alert_is_repeated = false;
        start_unit(s);
}

/* What it is to be told stands where it was written. */
static void start_unit_again(Service *s) {
        s->alert_is_lost = false;
        s->alert_is_repeated = true;
        if (s->definition->on_failure_unit)
                start_unit(s);
}

static bool is_due(AlertKind kind, const Service *s, const ServiceDecision *d, const HealingDecision *healing) {
        if (d->state != SERVICE_FAILED)
                return false;
        switch (kind) {
        case ALERT_UNHEALTHY:
                return healing->hold == HEALING_HOLD_POLICY || healing->hold == HEALING_HOLD_STRANGER;
        case ALERT_RESTART_BUDGET:
                return s->healing.sign == HEALING_ILL &&
                       (healing->hold == HEALING_HOLD_BUDGET || healing->hold == HEALING_HOLD_START_LIMIT);
        case ALERT_CRASH_LOOP:
                return s->healing.sign == HEALING_GIVEN_UP;
        case _ALERT_KIND_MAX:
                break;
        }
        return false;
}

void alerts_follow(Service *s, const ServiceDecision *d, const HealingDecision *healing) {
        if (s->alert_is_lost && supervisor_is_synced(s->supervisor) && clock_monotonic_usec() >= s->retry_at_usec)
                start_unit_again(s);
        if (d->state == SERVICE_RUNNING || !service_wants_up(s))
                s->alerted = 0;
        for (int kind = 0; kind < _ALERT_KIND_MAX; kind++) {
                if (s->alerted & 1u << kind || !is_due((AlertKind) kind, s, d, healing))
                        continue;
                s->alerted |= 1u << kind;
                tell_journal(s, (AlertKind) kind);
                tell_unit(s, (AlertKind) kind);
        }
}
