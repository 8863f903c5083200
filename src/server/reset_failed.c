/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/reset_failed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/blame.h"
#include "server/observation.h"
#include "server/ports.h"
#include "server/probing.h"
#include "server/service_tasks.h"
#include "server/sockets.h"

static const char *const reset_outcome_table[] = {
        [RESET_PENDING] = "pending",           [RESET_RESTARTED] = "restarted", [RESET_LEFT_ALONE] = "left-alone",
        [RESET_STILL_FAILED] = "still-failed", [RESET_SKIPPED] = "skipped",
};
DEFINE_STRING_TABLE(ResetOutcome, reset_outcome, _RESET_OUTCOME_MAX)

struct ResetRun {
        SLIST_ENTRY(ResetRun) entry;
        ResetRow *rows;
        size_t n, n_pending;
        unsigned flags;
        reset_done_t done;
        void (*free_userdata)(void *userdata);
        void *userdata;
};

struct Resets {
        Supervisor *supervisor;
        SLIST_HEAD(, ResetRun) runs;
};

int resets_new(Supervisor *s, Resets **ret) {
        Resets *r = calloc(1, sizeof *r);

        if (!r)
                return -ENOMEM;
        r->supervisor = s;
        *ret = r;
        return 0;
}

static void run_free(ResetRun *run) {
        for (size_t i = 0; i < run->n; i++) {
                free(run->rows[i].name);
                free(run->rows[i].reason);
        }
        free(run->rows);
        if (run->free_userdata)
                run->free_userdata(run->userdata);
        free(run);
}

void resets_drop_all(Resets *r) {
        while (!SLIST_EMPTY(&r->runs)) {
                ResetRun *run = SLIST_FIRST(&r->runs);

                SLIST_REMOVE_HEAD(&r->runs, entry);
                run_free(run);
        }
}

Resets *resets_free(Resets *r) {
        if (!r)
                return NULL;
        resets_drop_all(r);
        free(r);
        return NULL;
}

static void settle(ResetRun *run, ResetRow *row, ResetOutcome outcome, const char *reason) {
        row->outcome = outcome;
        row->reason = strdup(reason ? reason : "");
        run->n_pending--;
}

/* -- what is broken -- */

static bool is_broken(ServiceState state) {
        return state == SERVICE_FAILED || state == SERVICE_RESTARTING;
}

static void judge_asked(ResetRun *run, ResetRow *row, Service *s) {
        ServiceDecision d = observation_decide(s, clock_monotonic_usec());
        uint32_t actions = is_broken(d.state) ? blame_broken(s, &d) : 0;

        if (run->flags & RESET_FORCE)
                for (size_t i = 0; i < s->definition->n_actions; i++)
                        if (s->actions[i].wanted)
                                actions |= UINT32_C(1) << i;
        if (actions == 0) {
                settle(run, row, RESET_LEFT_ALONE, s->shown_text ? s->shown_text : service_state_to_string(d.state));
                return;
        }
        row->reason = s->shown_text ? strdup(s->shown_text) : NULL;
        if (run->flags & RESET_DRY_RUN) {
                char *reason = TAKE_PTR(row->reason);

                settle(run, row, RESET_RESTARTED, reason);
                free(reason);
                return;
        }
        row->restarting = true;
        supervisor_metrics(s->supervisor)->n_restarts[RESTART_BY_RESET]++;
        service_tasks_reset(s, actions);
}

static void judge_restarted(ResetRun *run, ResetRow *row, const Service *s) {
        char *before = TAKE_PTR(row->reason);
        bool good = s->shown_state == SERVICE_RUNNING || s->shown_state == SERVICE_DEGRADED ||
                    (s->shown_state == SERVICE_STOPPED && service_wants_up(s));

        settle(run, row, good ? RESET_RESTARTED : RESET_STILL_FAILED, good ? before : s->shown_text);
        free(before);
}

/* A row moves when all that was asked for has come, and when what was restarted is no longer in motion. */
static void advance_row(ResetRun *run, ResetRow *row, Service *s) {
        if (row->restarting) {
                if (observation_is_over(s))
                        judge_restarted(run, row, s);
        } else if (s->operation != OPERATION_NONE || s->removing) {
                settle(run, row, RESET_SKIPPED, "another operation is under way");
        } else if (probing_is_fresh(s) && s->shown_state != SERVICE_STOPPING && s->shown_state != SERVICE_STARTING) {
                judge_asked(run, row, s);
        }
}

static void advance_if_concerned(const Resets *r, ResetRun *run, ResetRow *row, const Service *judged) {
        Service *s = row->outcome == RESET_PENDING ? supervisor_find(r->supervisor, row->name) : NULL;

        if (s && (s == judged || (row->restarting && observation_concerns(s, judged))))
                advance_row(run, row, s);
}

static void end_if_complete(Resets *r, ResetRun *run) {
        if (run->n_pending > 0)
                return;
        SLIST_REMOVE(&r->runs, run, ResetRun, entry);
        run->done(run->rows, run->n, run->userdata);
        run_free(run);
}

void resets_service_evaluated(Resets *r, Service *s) {
        ResetRun *run, *next;

        for (run = SLIST_FIRST(&r->runs); run; run = next) {
                next = SLIST_NEXT(run, entry);
                for (size_t i = 0; i < run->n; i++)
                        advance_if_concerned(r, run, &run->rows[i], s);
                end_if_complete(r, run);
        }
}

void resets_service_removed(Resets *r, const Service *s) {
        ResetRun *run, *next;

        for (run = SLIST_FIRST(&r->runs); run; run = next) {
                next = SLIST_NEXT(run, entry);
                for (size_t i = 0; i < run->n; i++)
                        if (run->rows[i].outcome == RESET_PENDING &&
                            strcmp(run->rows[i].name, s->definition->name) == 0)
                                settle(run, &run->rows[i], RESET_SKIPPED, "removed meanwhile");
                end_if_complete(r, run);
        }
}

static int run_new(Service *const *services, size_t n, unsigned flags, ResetRun **ret) {
        ResetRun *run = calloc(1, sizeof *run);

        if (!run)
                return -ENOMEM;
        run->rows = calloc(n + 1, sizeof *run->rows);
        for (; run->rows && run->n < n; run->n++) {
                run->rows[run->n].name = strdup(services[run->n]->definition->name);
                if (!run->rows[run->n].name)
                        break;
        }
        if (!run->rows || run->n < n) {
                run_free(run);
                return -ENOMEM;
        }
        run->n_pending = n;
        run->flags = flags;
        *ret = run;
        return 0;
}

int resets_start(Resets *r, Service *const *services, size_t n, unsigned flags, reset_done_t done,
                 void (*free_userdata)(void *userdata), void *userdata) {
        ResetRun *run;
        int e = run_new(services, n, flags, &run);

        if (e < 0)
                return e;
        run->done = done;
        run->free_userdata = free_userdata;
        run->userdata = userdata;
        SLIST_INSERT_HEAD(&r->runs, run, entry);
        for (size_t i = 0; i < n; i++) {
                Service *s = services[i];

                if (!service_wants_up(s)) {
                        settle(run, &run->rows[i], RESET_SKIPPED, "stopped by an operator");
                        continue;
                }
                (void) sockets_look(supervisor_sockets(r->supervisor), s);
                (void) ports_look(supervisor_ports(r->supervisor), s);
                probing_ask_now(s);
                supervisor_mark(s);
        }
        end_if_complete(r, run);
        return 0;
}
