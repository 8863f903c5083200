/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/probing.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/supervisor.h"

/* How often a service that is still coming up is asked. */
#define STARTING_INTERVAL_USEC (100 * USEC_PER_MSEC)

static bool action_serves(const Action *a) {
        return a->wanted && (a->facts.active == UNIT_ACTIVE || a->facts.active == UNIT_RELOADING);
}

/* Whether the probe's owner is up: for one of the service as a whole, all of its long-running actions. */
static bool owner_serves(const ServiceProbe *p) {
        const Service *s = p->service;
        bool any = false;

        for (size_t i = 0; i < s->definition->n_actions; i++) {
                if (p->action >= 0 ? (size_t) p->action != i : s->actions[i].definition->kind == ACTION_KIND_ONESHOT)
                        continue;
                if (!action_serves(&s->actions[i]))
                        return false;
                any = true;
        }
        return any;
}

static uint64_t owner_deadline_usec(const ServiceProbe *p) {
        uint64_t deadline_usec = 0;

        for (size_t i = 0; i < p->service->definition->n_actions; i++) {
                uint64_t d = action_start_deadline_usec(&p->service->actions[i]);

                if ((p->action < 0 || (size_t) p->action == i) && d > deadline_usec)
                        deadline_usec = d;
        }
        return deadline_usec;
}

static bool may_still_come_up(const ServiceProbe *p) {
        return p->health.checked_usec == 0 && clock_monotonic_usec() < owner_deadline_usec(p);
}

static void probe_now(ServiceProbe *p) {
        if (p->timer)
                (void) sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
        (void) probe_start(p->probe, NULL); /* -EALREADY: its answer is on the way */
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source;
        (void) usec;
        probe_now(userdata);
        return 0;
}

static void schedule(ServiceProbe *p, uint64_t delay_usec) {
        uint64_t at_usec = clock_monotonic_usec() + delay_usec;
        int r;

        if (!p->timer) {
                r = sd_event_add_time(supervisor_event(p->service->supervisor), &p->timer, CLOCK_MONOTONIC, at_usec,
                                      USEC_PER_MSEC, on_timer, p);
        } else {
                r = sd_event_source_set_time(p->timer, at_usec);
                if (r >= 0)
                        r = sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
        }
        if (r < 0)
                log_error("%s: cannot schedule the probe %s: %s", p->service->definition->name, p->definition->name,
                          strerror(-r));
}

/* Spreads probes that would otherwise run in step for ever; the same for the same names, so that nothing is random. */
static unsigned early_permille(const ServiceProbe *p) {
        uint32_t hash = 2166136261u;

        for (const char *c = p->service->definition->name; *c; c++)
                hash = (hash ^ (uint8_t) *c) * 16777619u;
        for (const char *c = p->definition->name; *c; c++)
                hash = (hash ^ (uint8_t) *c) * 16777619u;
        hash += (uint32_t) p->health.checked_usec; /* and another one each round */
        return hash % 51;
}

static void activate(ServiceProbe *p) {
        bool awaits_socket = p->socket >= 0 && p->service->sockets[p->socket].seen.state != SOCKET_ALIVE;

        p->active = true;
        probe_health_reset(&p->health, p->adopted);
        p->error[0] = '\0';
        p->status = 0;
        p->checked_realtime_usec = 0;
        /* Where the socket is not there yet, its appearance is what starts the first probe, not a clock. */
        if (!awaits_socket || !may_still_come_up(p))
                probe_now(p);
        else
                schedule(p, owner_deadline_usec(p) - clock_monotonic_usec());
}

static void silence(ServiceProbe *p) {
        p->active = false;
        p->adopted = false;
        probe_cancel(p->probe);
        if (p->timer)
                (void) sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
}

void probing_follow(Service *s) {
        for (size_t i = 0; i < s->definition->n_probes; i++) {
                ServiceProbe *p = &s->probes[i];
                bool serves = owner_serves(p);

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
                probe_health_reset(&p->health, adopted);
                p->adopted = adopted;
        }
}

void probing_socket_appeared(Service *s, int socket) {
        for (size_t i = 0; i < s->definition->n_probes; i++)
                if (s->probes[i].socket == socket && s->probes[i].active)
                        probe_now(&s->probes[i]);
}

void probing_ask_now(Service *s) {
        uint64_t now_usec = clock_monotonic_usec();

        for (size_t i = 0; i < s->definition->n_probes; i++) {
                ServiceProbe *p = &s->probes[i];

                p->asked_usec = now_usec;
                /* One that is on its way goes on, or whoever asks often enough would never let a slow service answer;
                 * probing_on_done() has another one follow it. */
                if (p->active)
                        probe_now(p);
        }
}

bool probing_is_fresh(const Service *s) {
        for (size_t i = 0; i < s->definition->n_probes; i++) {
                const ServiceProbe *p = &s->probes[i];

                if (!p->active)
                        continue;
                if (p->answered_usec < p->asked_usec || p->health.verdict == PROBE_VERDICT_FAILING ||
                    p->health.verdict == PROBE_VERDICT_NONE || p->health.verdict == PROBE_VERDICT_STALE)
                        return false;
        }
        return true;
}

static void remember(ServiceProbe *p, const ProbeResult *result) {
        (void) snprintf(p->error, sizeof p->error, "%s", result->error);
        p->status = result->status;
        p->latency_usec = result->latency_usec;
        p->checked_realtime_usec = clock_realtime_usec();
}

void probing_on_done(Probe *probe, const ProbeResult *result, void *userdata) {
        ServiceProbe *p = userdata;
        ProbeVerdict before = p->health.verdict;
        uint64_t began_usec = result->done_usec - result->latency_usec;

        (void) probe;
        if (!p->active)
                return;
        remember(p, result);
        /* Nobody has answered yet and somebody may still come to listen: that is starting, not failing. */
        if (result->outcome == PROBE_FAIL && result->nobody_there && may_still_come_up(p)) {
                schedule(p, STARTING_INTERVAL_USEC);
                return;
        }
        probe_health_take(&p->health, p->definition, result->outcome, result->done_usec);
        if (result->outcome != PROBE_UNKNOWN)
                p->answered_usec = began_usec;
        if (began_usec < p->asked_usec) /* true, but not the answer to what was asked meanwhile */
                probe_now(p);
        else
                schedule(p, probe_health_delay_usec(&p->health, p->definition, early_permille(p)));
        if (p->health.verdict != before || p->asked_usec > 0 || result->outcome == PROBE_UNKNOWN)
                supervisor_mark(p->service);
}
