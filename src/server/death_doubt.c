/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/death_doubt.h"

#include "base/clock.h"
#include "boundary/process_end.h"
#include "server/supervisor.h"

/* How long systemd may take to answer. */
#define ANSWER_PATIENCE_USEC (50 * USEC_PER_MSEC)
/* How long it may take to tell of a process that has died. */
#define DEATH_PATIENCE_USEC (1 * USEC_PER_SEC)

static bool has_died(const Action *a) {
        return a->facts.active == UNIT_ACTIVE && a->facts.main_pid > 0 && process_has_died((pid_t) a->facts.main_pid);
}

static void settle(uint64_t *until_usec, uint64_t new_until_usec) {
        if (*until_usec > 0)
                *until_usec = new_until_usec;
}

/* An "active" of systemd's that came before it knew of a death settles nothing. */
static void on_answer(void *userdata, int r, const char *job_result, const char *text) {
        Action *a = userdata;
        Service *s = a->service;
        int action = (int) (a - s->actions);
        uint64_t until_usec = has_died(a) ? clock_monotonic_usec() + DEATH_PATIENCE_USEC : 0;

        (void) job_result;
        (void) text;
        if (r == -ENOMEM)
                return; /* no answer: the doubt ends by its time */
        for (size_t i = 0; i < s->definition->n_sockets; i++)
                if (s->sockets[i].definition->action == action)
                        settle(&s->sockets[i].doubt_until_usec, until_usec);
        for (size_t i = 0; i < s->definition->n_ports; i++)
                if (s->ports[i].definition->action == action)
                        settle(&s->ports[i].doubt_until_usec, until_usec);
        supervisor_mark(s);
}

void death_doubt_raise_of_dead(Action *owner, uint64_t *until_usec) {
        if (owner && !owner->task_issued && has_died(owner))
                *until_usec = clock_monotonic_usec() + DEATH_PATIENCE_USEC;
}

void death_doubt_raise(Action *owner, uint64_t *until_usec) {
        if (!owner || owner->facts.active != UNIT_ACTIVE || owner->task_issued)
                return;
        if (has_died(owner))
                *until_usec = clock_monotonic_usec() + DEATH_PATIENCE_USEC;
        else if (systemd_client_read(supervisor_systemd(owner->service->supervisor), owner->unit, on_answer, owner) >=
                 0)
                *until_usec = clock_monotonic_usec() + ANSWER_PATIENCE_USEC;
}
