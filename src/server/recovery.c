/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/recovery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/records.h"
#include "server/service_live.h"
#include "server/service_tasks.h"
#include "server/service_units.h"

int recovery_init(Recovery *recovery, Store *store) {
        int r = sd_id128_get_boot(&recovery->boot);

        if (r < 0) {
                log_error("the boot id cannot be read: %s", strerror(-r));
                return r;
        }
        r = store_get_boot_id(store, &recovery->last_life);
        return r > 0 ? -EIO : r;
}

void recovery_done(Recovery *recovery) {
        free(TAKE_PTR(recovery->last_life));
}

static void name_life(const Recovery *recovery, const Supervisor *s, ManagerLife ret) {
        char text[SD_ID128_STRING_MAX];

        (void) snprintf(ret, sizeof(ManagerLife), "%s %" PRIu64, sd_id128_to_string(recovery->boot, text),
                        systemd_client_manager_start_usec(supervisor_systemd(s)));
}

int recovery_begin(const Recovery *recovery, Supervisor *s, bool *ret_new_life) {
        ManagerLife life;

        name_life(recovery, s, life);
        *ret_new_life = strcmp(recovery->last_life, life) != 0;
        return store_begin(supervisor_store(s));
}

void recovery_end(const Recovery *recovery, Supervisor *s, int begun, bool new_life) {
        ManagerLife life;
        int r = begun;

        name_life(recovery, s, life);
        if (r == 0 && new_life)
                r = store_set_boot_id(supervisor_store(s), life);
        if (r == 0)
                r = store_commit(supervisor_store(s));
        if (r != 0) {
                size_t n;
                Service *const *services = supervisor_services(s, &n);

                store_rollback(supervisor_store(s));
                records_owe_all(supervisor_records(s), services, n);
                if (new_life) {
                        records_owe_life(supervisor_records(s), life);
                        log_warning("this boot cannot be written to the store yet: a server that starts before it is "
                                    "would begin the boot anew");
                }
        }
}

static void after_reboot(Service *s) {
        s->intention = INTENTION_NONE;
        service_units_rebuild(s);
        if (s->definition->autostart) {
                service_tasks_start(s, false);
        } else {
                service_set_wanted(s, false);
                supervisor_save_wanted(s);
        }
}

/* What is wanted and not up is started: it was begun, or it was stopped by us in order to be started again. A oneshot
 * that has done its work since is done, and not to be done twice. What is up is restarted if that is still owed:
 * systemd may never have heard of it, and drops the call of a sender that is gone. */
static ActionTask task_owed(const Action *a) {
        bool is_down = a->facts.active == UNIT_INACTIVE || a->facts.active == UNIT_FAILED;

        if (!a->wanted)
                return TASK_NONE;
        if (a->service->rebuild)
                return TASK_START;
        if (!is_down)
                return a->service->intention == INTENTION_RESTART && action_is_older_than_asked(a) ? TASK_RESTART
                                                                                                   : TASK_NONE;
        return action_judge(a, clock_monotonic_usec()).phase != ACTION_DONE || action_is_older_than_asked(a)
                       ? TASK_START
                       : TASK_NONE;
}

static void start_again(Service *s) {
        for (size_t i = 0; i < s->definition->n_actions; i++) {
                Action *a = &s->actions[i];
                ActionTask task = task_owed(a);

                if (task == TASK_NONE)
                        continue;
                a->task = task;
                a->by_operator = true;
                if (s->operation != OPERATION_RESTART)
                        s->operation = task == TASK_RESTART ? OPERATION_RESTART : OPERATION_START;
        }
}

/* That a stop was begun is forgotten a moment after its end, or later where the store takes no writes: what was started
 * since, and not by systemd's own restart, somebody wants up. */
static bool was_started_since(const Service *s) {
        for (size_t i = 0; i < s->definition->n_actions; i++) {
                const UnitFacts *f = &s->actions[i].facts;

                if ((f->active == UNIT_ACTIVE || f->active == UNIT_ACTIVATING) && f->n_restarts == 0 &&
                    s->asked_usec > 0 && f->exec_main_start_usec > s->asked_usec)
                        return true;
        }
        return false;
}

static void finish_intention(Service *s, bool units_there) {
        log_notice("%s: what was begun before the server was lost is brought to its end", s->definition->name);
        switch (s->intention) {
        case INTENTION_REMOVE:
                s->removing = true;
                s->operation = OPERATION_STOP;
                break;
        case INTENTION_STOP:
                if (!units_there)
                        service_units_rebuild(s);
                else if (!was_started_since(s))
                        service_tasks_stop(s);
                break;
        case INTENTION_REPLACE:
                service_units_rebuild(s);
                start_again(s);
                break;
        case INTENTION_START:
        case INTENTION_RESTART:
                if (!units_there)
                        service_units_rebuild(s);
                start_again(s);
                break;
        case INTENTION_REFRESH:
                service_live_begin(s, NULL);
                return; /* which ends it */
        case INTENTION_NONE:
        case _INTENTION_MAX:
                break;
        }
        if (s->operation == OPERATION_NONE && !s->removing && !s->rebuild)
                supervisor_save_intention(s, INTENTION_NONE);
}

void recovery_judge(Service *s, bool units_there, bool new_life) {
        if (new_life) {
                if (s->intention == INTENTION_REMOVE)
                        finish_intention(s, units_there);
                else if (units_there)
                        return; /* a new store beside old units: adopt them */
                else
                        after_reboot(s);
        } else if (s->intention != INTENTION_NONE && (units_there || s->intention != INTENTION_REFRESH)) {
                finish_intention(s, units_there);
        } else if (!units_there) {
                /* Nobody here began that: its slice was stopped while no server watched. */
                if (service_wants_up(s))
                        log_notice("%s: its slice was stopped by an operator while no server ran", s->definition->name);
                service_set_wanted(s, false);
                s->asked_usec = clock_monotonic_usec();
                supervisor_save_wanted(s);
                service_units_rebuild(s);
        }
}
