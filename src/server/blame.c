/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/blame.h"

static uint32_t bit(int action, size_t n_actions) {
        return action >= 0 ? UINT32_C(1) << action : n_actions >= 32 ? UINT32_MAX : (UINT32_C(1) << n_actions) - 1;
}

static uint32_t of_reason(const Service *s, const Reason *reason) {
        size_t n = s->definition->n_actions;

        switch ((ReasonSubject) reason->subject) {
        case SUBJECT_ACTION:
                return bit(reason->index, n);
        case SUBJECT_SOCKET:
                return bit(s->definition->sockets[reason->index].action, n);
        case SUBJECT_PORT:
                return bit(s->definition->ports[reason->index].action, n);
        case SUBJECT_PROBE:
                return bit(s->probes[reason->index].action, n);
        case SUBJECT_DEPENDENCY:
        case SUBJECT_SERVICE:
                break;
        }
        return bit(-1, n);
}

static uint32_t wanted_of(const Service *s, uint32_t actions) {
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (!s->actions[i].wanted)
                        actions &= ~(UINT32_C(1) << i);
        return actions;
}

static ProbeRole role_of(const Service *s, const Reason *reason) {
        return s->definition->probes[reason->index].role;
}

uint32_t blame_broken(const Service *s, const ServiceDecision *d) {
        uint32_t actions = 0;

        for (size_t i = 0; i < d->n_reasons; i++) {
                const Reason *reason = &d->reasons[i];

                if (reason->code == REASON_STOPPED_BY_OPERATOR || reason->code == REASON_RESTART_BUDGET ||
                    (reason->subject == SUBJECT_PROBE && role_of(s, reason) == PROBE_REPORT))
                        continue;
                actions |= of_reason(s, reason);
        }
        return wanted_of(s, actions);
}

static uint32_t of_foreign_socket(const Service *s, const Reason *reason, bool *ret_strangers) {
        uint32_t actions = of_reason(s, reason), ours = 0;

        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (s->definition->actions[i].kill_others)
                        ours |= actions & UINT32_C(1) << i;
        *ret_strangers = *ret_strangers || ours == 0;
        return ours;
}

uint32_t blame_mendable(const Service *s, const ServiceDecision *d, bool *ret_strangers) {
        uint32_t actions = 0;

        *ret_strangers = false;
        for (size_t i = 0; i < d->n_reasons; i++) {
                const Reason *reason = &d->reasons[i];

                if (reason->code == REASON_SOCKET_FOREIGN)
                        actions |= of_foreign_socket(s, reason, ret_strangers);
                else if ((reason->subject == SUBJECT_SOCKET || reason->subject == SUBJECT_PORT) &&
                         reason->code != REASON_STALE)
                        actions |= of_reason(s, reason);
                else if (reason->code == REASON_PROBE_FAILED && role_of(s, reason) == PROBE_LIVENESS &&
                         s->probes[reason->index].health.verdict == PROBE_VERDICT_FAILED)
                        actions |= of_reason(s, reason);
        }
        return wanted_of(s, actions);
}

uint32_t blame_given_up(const Service *s, const ServiceDecision *d) {
        uint32_t actions = 0;

        for (size_t i = 0; i < d->n_reasons; i++)
                if (d->reasons[i].code == REASON_CRASH_LOOP)
                        actions |= of_reason(s, &d->reasons[i]);
        return wanted_of(s, actions);
}
