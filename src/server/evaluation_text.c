/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text_stream.h"
#include "server/adoption.h"
#include "server/evaluation.h"
#include "server/port_text.h"
#include "server/probe_owner.h"
#include "server/socket_sighting.h"
#include "server/supervisor.h"

/* The words behind each reason code. They are made when asked for, from the same evidence that was decided on. */

static const char *dependency_name(const ServiceDefinition *d, size_t index) {
        size_t n = 0;

        for (char **name = d->requires; name && *name; name++, n++)
                if (n == index)
                        return *name;
        for (char **name = d->after; name && *name; name++, n++)
                if (n == index)
                        return *name;
        return "";
}

const char *evaluation_reason_subject(const Service *s, const Reason *reason) {
        const ServiceDefinition *d = s->definition;

        switch ((ReasonSubject) reason->subject) {
        case SUBJECT_ACTION:
                return d->actions[reason->index].name;
        case SUBJECT_SOCKET:
                return d->sockets[reason->index].path;
        case SUBJECT_PORT:
                return d->ports[reason->index].name;
        case SUBJECT_PROBE:
                return d->probes[reason->index].name;
        case SUBJECT_DEPENDENCY:
                return dependency_name(d, reason->index);
        case SUBJECT_SERVICE:
                break;
        }
        return d->name;
}

static void say_how_it_ended(FILE *f, const Action *a) {
        const UnitFacts *u = &a->facts;

        if (u->exec_code == CLD_EXITED)
                fprintf(f, "exited with status %d", u->exec_status);
        else if (u->exec_code == CLD_KILLED || u->exec_code == CLD_DUMPED)
                fprintf(f, "was killed by SIG%s%s", sigabbrev_np(u->exec_status) ? sigabbrev_np(u->exec_status) : "?",
                        u->exec_code == CLD_DUMPED ? " and dumped core" : "");
        else
                fprintf(f, "died (%s)", unit_result_to_string(u->result));
}

/* max_attempts bounds those within a window, and these are all since somebody last started it. */
static void say_retries(FILE *f, const Action *a) {
        uint32_t n = a->facts.n_restarts;

        if (n > a->definition->restart.max_attempts)
                fprintf(f, ", restarted %" PRIu32 " times", n);
        else if (n > 0)
                fprintf(f, ", restarted %" PRIu32 " of %u times", n, a->definition->restart.max_attempts);
}

static void say_exec_failed(FILE *f, const Action *a) {
        static const struct {
                int status;
                const char *what;
        } known[] = {
                { 200, "working_dir cannot be entered" },
                { 203, "cannot be executed" },
                { 216, "no such group" },
                { 217, "no such user" },
                { 226, "its namespace cannot be set up" },
                { 243, "a credential cannot be loaded" },
        };
        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (known[i].status == a->facts.exec_status) {
                        fprintf(f, "%s: %s (status %d)", a->definition->exec[0], known[i].what, known[i].status);
                        return;
                }
        fprintf(f, "%s: could not be started (status %d)", a->definition->exec[0], a->facts.exec_status);
}

static void say_not_ready(FILE *f, const Action *a) {
        if (a->facts.active == UNIT_ACTIVATING || a->facts.result != UNIT_RESULT_PROTOCOL) {
                fprintf(f, "not ready yet (%s)", ready_kind_to_string(a->definition->ready));
                if (*rare_text_get(&a->facts.status_text))
                        fprintf(f, ": %s", rare_text_get(&a->facts.status_text));
        } else {
                fprintf(f, "left before it was ready");
        }
}

static void say_action(FILE *f, const Service *s, ReasonCode code, const Action *a) {
        if (s->definition->n_actions > 1)
                fprintf(f, "%s: ", a->definition->name);
        switch ((int) code) {
        case REASON_EXEC_FAILED:
                say_exec_failed(f, a);
                break;
        case REASON_START_TIMEOUT:
                fprintf(f, "not ready within %" PRIu64 " ms", a->definition->start_timeout_usec / USEC_PER_MSEC);
                say_retries(f, a);
                break;
        case REASON_NOT_READY:
                say_not_ready(f, a);
                break;
        case REASON_CRASH_LOOP:
                say_how_it_ended(f, a);
                fprintf(f, ", restarted %u time%s within %" PRIu64 " s and given up",
                        a->definition->restart.max_attempts, a->definition->restart.max_attempts == 1 ? "" : "s",
                        a->definition->restart.window_usec / USEC_PER_SEC);
                break;
        case REASON_EXITED:
                fprintf(f, "left with success while the service needs it");
                break;
        case REASON_STOPPED_BY_OPERATOR:
                fprintf(f, "stopped by an operator");
                break;
        case REASON_ACTION_FAILED:
                if (a->facts.load != UNIT_LOADED && a->facts.load != UNIT_NOT_LOADED)
                        fprintf(f, "systemd cannot use its unit (see systemctl %sstatus %s)",
                                supervisor_options(s->supervisor)->is_user ? "--user " : "", a->unit);
                else if (unit_facts_ever_started(&a->facts))
                        say_how_it_ended(f, a);
                else
                        fprintf(f, "not started%s%s", s->fault ? ": " : "", s->fault ? s->fault : "");
                break;
        default:
                fprintf(f, "process ");
                say_how_it_ended(f, a);
                say_retries(f, a);
                break;
        }
}

static void say_foreign(FILE *f, const ServiceSocket *k) {
        if (socket_sighting_state(k) == SOCKET_LINK)
                fprintf(f, "%s, which is not followed", k->link_text ? k->link_text : "is a symbolic link");
        else
                fprintf(f, "held by PID %" PRIu32 " (%s) of %s", k->listener.pid, k->listener.command,
                        k->listener.unit && k->listener.unit[0] ? k->listener.unit : "no unit");
}

static void say_socket(FILE *f, ReasonCode code, const ServiceSocket *k) {
        fprintf(f, "%s: ", k->definition->name);
        switch ((int) code) {
        case REASON_SOCKET_MISSING:
                fprintf(f, "no such file");
                break;
        case REASON_SOCKET_NO_LISTENER:
                fprintf(f, "the file is there, nobody listens");
                break;
        case REASON_SOCKET_UNLINKED:
                fprintf(f, "the listener lives, but its file is gone: nobody can connect");
                break;
        case REASON_SOCKET_FOREIGN:
                say_foreign(f, k);
                break;
        case REASON_SOCKET_NOT_ACCEPTING:
                fprintf(f, "%" PRIu32 " connection%s, and none is accepted", k->seen.backlog,
                        k->seen.backlog == 1 ? " waits" : "s wait");
                break;
        default:
                fprintf(f, k->seen.state == SOCKET_ALIVE ? "somebody listens, and whose it is cannot be told"
                                                         : "cannot be seen from here");
                break;
        }
}

static void say_age(FILE *f, uint64_t usec) {
        uint64_t seconds = usec / USEC_PER_SEC;

        if (seconds < 120)
                fprintf(f, "%" PRIu64 " s ago", seconds);
        else if (seconds < 120 * 60)
                fprintf(f, "%" PRIu64 " min ago", seconds / 60);
        else
                fprintf(f, "%" PRIu64 " h ago", seconds / 3600);
}

/* Why it failed, and how often; or how far it has come back since. */
static void say_failures(FILE *f, const ServiceProbe *p) {
        const ProbeDefinition *d = p->definition;
        const ProbeHealth *h = &p->health;
        unsigned n_window, n_failed = probe_health_window_failures(h, d, &n_window);

        fprintf(f, "%s", *rare_text_get(&p->error) ? rare_text_get(&p->error) : "failed before the server came back");
        if (n_failed > 0 && n_failed >= d->window_failures && h->failures < d->failures)
                fprintf(f, ", %u of the last %u failed", n_failed, n_window);
        else if (h->failures > 1 && p->n_same_error >= h->failures)
                fprintf(f, " (%u times in a row)", h->failures);
        else if (h->failures > 1)
                fprintf(f, ", the last of %u failures in a row", h->failures);
        if (h->successes > 0 && h->successes < d->successes)
                fprintf(f, ", has passed %u of the %u times in a row that it takes", h->successes, d->successes);
}

static void say_unseen(FILE *f, const ServiceProbe *p) {
        const ProbeHealth *h = &p->health;
        uint64_t now_usec = clock_realtime_usec(); /* it may have been set back */

        if (h->verdict == PROBE_VERDICT_STALE && h->before != PROBE_VERDICT_NONE) {
                fprintf(f, "recorded as %s ", probe_verdict_to_string(h->before));
                say_age(f, now_usec > p->since_realtime_usec ? now_usec - p->since_realtime_usec : 0);
                fprintf(f, ", before the server came back; no answer since");
        } else if (h->verdict == PROBE_VERDICT_STALE) {
                fprintf(f, "no answer since the server came back");
        } else if (h->verdict == PROBE_VERDICT_NONE) {
                fprintf(f, "not answered yet");
        } else {
                fprintf(f, "last seen %s ", probe_verdict_to_string(h->verdict));
                say_age(f, clock_monotonic_usec() - h->checked_usec);
                fprintf(f, ", no answer since");
        }
        if (*rare_text_get(&p->not_asked))
                fprintf(f, " (%s)", rare_text_get(&p->not_asked));
}

static void say_probe(FILE *f, ReasonCode code, const ServiceProbe *p) {
        fprintf(f, "%s: ", p->definition->name);
        if (code == REASON_STALE || p->health.verdict == PROBE_VERDICT_NONE) {
                say_unseen(f, p);
                return;
        }
        if (code == REASON_NOT_READY)
                fprintf(f, "has not passed yet: ");
        else if (code == REASON_START_TIMEOUT)
                fprintf(f, "has not passed within %" PRIu64 " ms of the start: ",
                        probe_owner_start_timeout_usec(p) / USEC_PER_MSEC);
        say_failures(f, p);
}

static bool was_started(const Service *s) {
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (unit_facts_ever_started(&s->actions[i].facts))
                        return true;
        return false;
}

static void say_service(FILE *f, const Service *s, ReasonCode code) {
        switch ((int) code) {
        case REASON_SYSTEMD_UNREACHABLE:
                fputs(adoption_is_in_doubt(supervisor_adoption(s->supervisor))
                              ? "the server was held up, and asks systemd again"
                              : "systemd cannot be asked at the moment",
                      f);
                break;
        case REASON_STOPPED_BY_OPERATOR:
                fprintf(f, s->definition->autostart || was_started(s) ? "stopped by an operator" : "not started");
                break;
        case REASON_EXITED:
                fprintf(f, "done");
                break;
        case REASON_RESTART_BUDGET:
                fprintf(f, "restarted %u time%s by hero_proc, and dead again: now it is restarted slowly",
                        s->healing.n_attempts, s->healing.n_attempts == 1 ? "" : "s");
                break;
        default:
                fprintf(f, "%s", reason_code_to_string(code));
                break;
        }
}

char *evaluation_reason_text(const Service *s, const Reason *reason) {
        ReasonCode code = (ReasonCode) reason->code;
        char *text = NULL;
        size_t n;
        FILE *f = text_stream_open(&text, &n);

        if (!f)
                return NULL;
        switch ((ReasonSubject) reason->subject) {
        case SUBJECT_ACTION:
                say_action(f, s, code, &s->actions[reason->index]);
                break;
        case SUBJECT_SOCKET:
                say_socket(f, code, &s->sockets[reason->index]);
                break;
        case SUBJECT_PORT:
                port_text_say(f, code, &s->ports[reason->index]);
                break;
        case SUBJECT_PROBE:
                say_probe(f, code, &s->probes[reason->index]);
                break;
        case SUBJECT_DEPENDENCY: {
                const Service *other = supervisor_find(s->supervisor, dependency_name(s->definition, reason->index));

                fprintf(f, "%s %s, which is %s", code == REASON_WAITING_FOR ? "waiting for" : "needs",
                        dependency_name(s->definition, reason->index),
                        other ? service_state_to_string(other->shown_state) : "not defined");
                break;
        }
        case SUBJECT_SERVICE:
                say_service(f, s, code);
                break;
        }
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}
