/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/probing.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/printable_text.h"
#include "server/death_doubt.h"
#include "server/ports.h"
#include "server/probe_owner.h"
#include "server/probe_pace.h"
#include "server/records.h"
#include "server/socket_sighting.h"
#include "server/sockets.h"
#include "server/supervisor.h"

enum {
        TRIES_MAX = 3, /* to ask for somebody who waits: then what is known has to do */
};

static void probe_now(ServiceProbe *p) {
        if (probe_owner_is_out_of_reach(p)) {
                rare_text_set(&p->not_asked, "out of reach, in a network of its own");
                p->n_not_asked_since_asked = TRIES_MAX;
                return;
        }
        (void) probe_start(p->probe); /* -EALREADY: its answer is on the way */
}

static void schedule(ServiceProbe *p, uint64_t delay_usec) {
        int r = probe_start_at(p->probe, usec_add(clock_monotonic_usec(), delay_usec));

        if (r < 0 && r != -EALREADY)
                log_error("%s: cannot schedule the probe %s: %s", p->service->definition->name, p->definition->name,
                          strerror(-r));
}

static void forget_answers(ServiceProbe *p) {
        bool joined_late = !probe_owner_is_starting(p);

        if (p->adopted)
                probe_health_adopt(&p->health, joined_late, PROBE_VERDICT_NONE);
        else
                probe_health_reset(&p->health, joined_late);
        rare_text_done(&p->error);
        rare_text_done(&p->not_asked);
        p->status = 0;
        p->latency_usec = p->checked_realtime_usec = p->since_realtime_usec = 0;
}

void probing_invocation(const ServiceProbe *p, char ret[33]) {
        uint8_t all[16] = { 0 };

        for (size_t i = 0; i < p->service->definition->n_actions; i++)
                for (size_t j = 0; (p->action < 0 || (size_t) p->action == i) && j < sizeof all; j++)
                        all[j] ^= p->service->actions[i].facts.invocation[j];
        for (size_t i = 0; i < sizeof all; i++)
                (void) snprintf(ret + 2 * i, 3, "%02x", all[i]);
}

/* Who was asked through it and answered had it: if it is gone now, the service is not still coming up. */
static void remember_listener(const ServiceProbe *p) {
        if (p->socket >= 0)
                p->service->sockets[p->socket].seen_alive = true;
        if (p->port >= 0)
                p->service->ports[p->port].seen_alive = true;
}

/* What the server before this one took down of the same invocation. */
static void remember_verdict(ServiceProbe *p) {
        _cleanup_free_ char *word = NULL, *error = NULL;
        char invocation[33], text[sizeof((ProbeResult *) NULL)->error];
        ProbeVerdict before;

        probing_invocation(p, invocation);
        if (store_get_verdict(supervisor_store(p->service->supervisor), p->service->definition->name,
                              p->definition->name, invocation, &word, &error, &p->since_realtime_usec) != 0)
                return;
        before = probe_verdict_from_string(word);
        if ((int) before < 0 || before == PROBE_VERDICT_STALE)
                return;
        p->health.before = before;
        printable_text(error, strlen(error), text, sizeof text); /* a damaged file may hold any bytes */
        rare_text_set(&p->error, text);
        if (before == PROBE_VERDICT_PASSING || before == PROBE_VERDICT_FAILING)
                remember_listener(p);
}

static void activate(ServiceProbe *p) {
        p->active = true;
        p->is_spread = false;
        forget_answers(p);
        if (p->adopted)
                remember_verdict(p);
        /* Where the socket is not there yet, its appearance is what starts the first probe, not a clock. */
        if (!probe_owner_awaits_listener(p) || !probe_owner_is_starting(p))
                probe_now(p);
        else
                schedule(p, probe_owner_deadline_usec(p) - clock_monotonic_usec());
}

static void silence(ServiceProbe *p) {
        p->active = false;
        p->adopted = false;
        probe_cancel(p->probe);
}

void probing_follow(Service *s) {
        for (size_t i = 0; i < s->definition->n_probes; i++) {
                ServiceProbe *p = &s->probes[i];
                bool serves = probe_owner_serves(p);

                if (serves && !p->active)
                        activate(p);
                else if (!serves && p->active)
                        silence(p);
        }
}

void probing_reset(Service *s, const Action *owner, bool adopted) {
        for (size_t i = 0; i < s->definition->n_probes; i++) {
                ServiceProbe *p = &s->probes[i];

                if (owner && p->action >= 0 && &s->actions[p->action] != owner)
                        continue;
                silence(p);
                p->adopted = adopted;
                forget_answers(p);
        }
}

static const char *owner_name(const ServiceDefinition *d, const ServiceProbe *p) {
        return p->action < 0 ? "" : d->actions[p->action].name;
}

static void carry_over(ServiceProbe *before, ServiceProbe *after) {
        uint64_t next_usec = probe_next_start_usec(before->probe);
        ServiceProbe kept = *before;

        kept.service = after->service;
        kept.definition = after->definition;
        kept.probe = after->probe;
        kept.action = after->action;
        kept.socket = after->socket;
        kept.port = after->port;
        kept.is_owed = false;
        *after = kept;
        before->error = before->not_asked = (RareText){ 0 };
        if (after->active)
                (void) probe_start_at(after->probe, next_usec == USEC_NEVER ? clock_monotonic_usec() : next_usec);
}

void probing_carry_over(Service *before, Service *after) {
        for (size_t i = 0; i < after->definition->n_probes; i++)
                for (size_t j = 0; j < before->definition->n_probes; j++) {
                        ServiceProbe *old = &before->probes[j];
                        ServiceProbe *new = &after->probes[i];

                        if (strcmp(new->definition->name, old->definition->name) == 0 &&
                            probe_definition_asks_same(new->definition, old->definition) &&
                            strcmp(owner_name(after->definition, new), owner_name(before->definition, old)) == 0)
                                carry_over(old, new);
                }
}

void probing_socket_appeared(Service *s, int socket) {
        for (size_t i = 0; i < s->definition->n_probes; i++)
                if (s->probes[i].socket == socket && s->probes[i].active)
                        probe_now(&s->probes[i]);
}

void probing_port_appeared(Service *s, int port) {
        for (size_t i = 0; i < s->definition->n_probes; i++)
                if (s->probes[i].active && s->probes[i].definition->port == s->definition->ports[port].port)
                        probe_now(&s->probes[i]);
}

void probing_ask_now(Service *s) {
        uint64_t now_usec = clock_monotonic_usec();

        for (size_t i = 0; i < s->definition->n_probes; i++) {
                ServiceProbe *p = &s->probes[i];

                p->asked_usec = now_usec;
                p->n_answers_since_asked = p->n_not_asked_since_asked = 0;
                /* One that is on its way goes on, or whoever asks often enough would never let a slow service answer;
                 * probing_on_done() has another one follow it. */
                if (p->active)
                        probe_now(p);
        }
}

static bool is_settled(const ServiceProbe *p) {
        if (!p->active || p->n_not_asked_since_asked >= TRIES_MAX)
                return true;
        if (p->answered_usec < p->asked_usec)
                return false;
        switch (p->health.verdict) {
        case PROBE_VERDICT_NONE:
        case PROBE_VERDICT_STALE:
                return false;
        case PROBE_VERDICT_FAILING: /* it becomes one or the other soon; but one that fails in turns may stay so */
                return p->n_answers_since_asked >= p->definition->failures + p->definition->successes;
        case PROBE_VERDICT_PASSING:
        case PROBE_VERDICT_FAILED:
        case PROBE_VERDICT_NOT_READY:
        case _PROBE_VERDICT_MAX:
        case PROBE_VERDICT_INVALID:
                break;
        }
        return true;
}

bool probing_is_fresh(const Service *s) {
        for (size_t i = 0; i < s->definition->n_probes; i++)
                if (!is_settled(&s->probes[i]))
                        return false;
        return true;
}

static void note_change(ServiceProbe *p, const ProbeHealth *before) {
        ProbeVerdict known = before->verdict == PROBE_VERDICT_STALE ? before->before : before->verdict;

        if (p->health.verdict == known && p->since_realtime_usec > 0)
                return;
        p->since_realtime_usec = clock_realtime_usec();
        records_save_verdict(supervisor_records(p->service->supervisor), p);
}

static void take_answer(ServiceProbe *p, const ProbeResult *result, ProbePhase phase) {
        probe_health_take(&p->health, p->definition, result->outcome, phase, result->done_usec);
        rare_text_done(&p->not_asked);
        p->status = result->status;
        p->latency_usec = result->latency_usec;
        p->checked_realtime_usec = clock_realtime_usec();
        if (result->outcome == PROBE_FAIL || p->health.verdict == PROBE_VERDICT_PASSING) {
                p->n_same_error = strcmp(rare_text_get(&p->error), result->error) == 0 && p->health.failures > 1
                                          ? p->n_same_error + 1
                                          : 1;
                rare_text_set(&p->error, result->error);
        }
        p->answered_usec = p->tried_usec;
        p->n_answers_since_asked++;
}

static void note_not_asked(ServiceProbe *p, const ProbeResult *result) {
        rare_text_set(&p->not_asked, result->error);
        p->n_not_asked_since_asked++;
}

static void count(ServiceProbe *p, const ProbeResult *result) {
        Metrics *m = supervisor_metrics(p->service->supervisor);

        recent_answers_add(&p->recent, result->outcome, result->latency_usec);
        m->n_probe_results[result->outcome]++;
        if (result->outcome != PROBE_UNKNOWN)
                duration_histogram_add(&m->probe_duration, result->latency_usec);
        duration_histogram_add(&m->probe_lateness,
                               result->began_usec > result->due_usec ? result->began_usec - result->due_usec : 0);
}

/* Nobody listens where somebody did just now, or who did has died over the answer: as with the socket itself, that is
 * not judged before systemd has said whether its process is on its way down (death_doubt.h). */
static bool awaits_systemd(const ServiceProbe *p, const ProbeResult *result) {
        Service *s = p->service;
        uint64_t none = 0, *until_usec = &none;
        Action *owner = NULL;
        bool changed = false;

        if (result->outcome != PROBE_FAIL || p->health.verdict == PROBE_VERDICT_FAILING ||
            p->health.verdict == PROBE_VERDICT_FAILED)
                return false;
        if (p->socket >= 0) {
                changed = sockets_look(supervisor_sockets(s->supervisor), s);
                until_usec = &s->sockets[p->socket].doubt_until_usec;
                owner = socket_sighting_owner(&s->sockets[p->socket]);
        } else if (p->port >= 0) {
                changed = ports_look(supervisor_ports(s->supervisor), s);
                until_usec = &s->ports[p->port].doubt_until_usec;
                owner = &s->actions[s->ports[p->port].definition->action];
        }
        /* Its connections close before its listener does. */
        if (*until_usec == 0 && !result->nobody_there)
                death_doubt_raise_of_dead(owner, until_usec);
        if (changed)
                supervisor_mark(s);
        return clock_monotonic_usec() < *until_usec;
}

void probing_on_done(Probe *probe, const ProbeResult *result, void *userdata) {
        ServiceProbe *p = userdata;
        ProbeHealth before = p->health;
        ProbePhase phase = !probe_owner_is_starting(p) ? PROBE_PHASE_UP
                           : result->nobody_there      ? PROBE_PHASE_ABSENT
                                                       : PROBE_PHASE_STARTING;
        bool is_asked = !is_settled(p);
        bool was_old = result->done_usec >= probe_health_stale_at_usec(&before, p->definition);

        (void) probe;
        if (!p->active)
                return;
        count(p, result);
        if (awaits_systemd(p, result)) {
                schedule(p, p->definition->fast_interval_usec);
                return;
        }
        p->tried_usec = result->began_usec;
        if (result->outcome == PROBE_UNKNOWN)
                note_not_asked(p, result);
        else
                take_answer(p, result, phase);
        if (p->health.verdict != before.verdict)
                note_change(p, &before);
        if (p->tried_usec < p->asked_usec) /* true, but not what was asked meanwhile */
                probe_now(p);
        else
                schedule(p, probe_pace_delay_usec(p, result, phase));
        p->is_spread = p->is_spread || p->health.verdict == PROBE_VERDICT_PASSING;
        if (p->health.verdict != before.verdict || was_old || is_asked)
                supervisor_mark(p->service);
}
