/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/service_live.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "core/json_tree.h"
#include "core/unit_plan_diff.h"
#include "server/service_units.h"
#include "server/supervisor.h"

static SystemdClient *systemd_of(const Service *s) {
        return supervisor_systemd(s->supervisor);
}

void service_live_drop(Service *s) {
        systemd_client_forget(systemd_of(s), &s->live);
        json_object_put(s->live.changes);
        s->live = (LiveChanges){ 0 };
}

void service_live_interrupt(Service *s) {
        systemd_client_forget(systemd_of(s), &s->live);
        s->live.n_calls = 0;
        s->live.told = false;
}

/* Negative only where it passes. */
static int find_changes(Service *s, struct json_object *old, struct json_object **ret) {
        UnitPlanContext context = supervisor_plan_context(s->supervisor);
        struct json_object *plan = NULL, *changes = NULL;
        int r = unit_plan_build(s->definition, &context, &plan);

        if (r >= 0) {
                changes = unit_plan_live_changes(old, plan);
                r = changes ? service_units_write_exec_files(s, plan) : -ENOMEM;
        }
        json_object_put(plan);
        if (r < 0 && (!changes || service_step_may_pass(r))) {
                json_object_put(changes);
                return r;
        }
        if (r < 0)
                log_warning("%s: its argument files cannot be written: %s", s->definition->name, strerror(-r));
        *ret = changes;
        return 0;
}

/* What has been told already is told again, in the same order: the last one counts. */
static int add_changes(LiveChanges *live, struct json_object *changes) {
        if (!live->changes) {
                live->changes = changes;
                return 0;
        }
        for (size_t i = 0; i < json_object_array_length(changes); i++)
                json_tree_append(live->changes, json_object_get(json_object_array_get_idx(changes, i)));
        json_object_put(changes);
        live->changes = json_tree_finish(live->changes);
        return live->changes ? 0 : -ENOMEM;
}

void service_live_begin(Service *s, struct json_object *old) {
        struct json_object *changes;
        int r;

        /* First of all: the end of what is in flight would be taken for the end of this. */
        service_live_interrupt(s);
        s->live.service = s;
        /* What is owed was never told, so that `old` is not what its units were made by. */
        r = find_changes(s, s->live.is_owed ? NULL : old, &changes);
        if (r >= 0)
                r = add_changes(&s->live, changes);
        s->live.is_owed = r < 0;
        if (r < 0)
                service_retry_later(s, s->definition->name, r);
}

/* All is told again in a moment, in the same order. */
static void put_off(Service *s, int r) {
        service_live_interrupt(s);
        service_retry_later(s, s->definition->name, r);
}

static void end(Service *s) {
        service_live_drop(s);
        if (s->intention == INTENTION_REFRESH)
                supervisor_save_intention(s, INTENTION_NONE);
}

static void on_told(void *userdata, int r, const char *job_result, const char *text) {
        LiveChanges *live = userdata;
        Service *s = live->service;

        (void) job_result;
        if (r == -ECONNRESET)
                return; /* service_live_interrupt() */
        if (service_call_may_pass(r)) {
                put_off(s, r);
                return;
        }
        /* A unit that is not loaded is made of the new definition when it is. */
        if (r < 0 && r != -ENOENT)
                log_warning("%s: systemd does not take a change as it runs, so it comes with the next restart: %s",
                            s->definition->name, text ? text : strerror(-r));
        if (--live->n_calls == 0)
                end(s);
}

void service_live_advance(Service *s) {
        LiveChanges *live = &s->live;

        if (live->is_owed)
                service_live_begin(s, NULL); /* what it was before is not known any more: all of it is told */
        if (live->is_owed || !live->changes || live->told)
                return;
        live->told = true;
        for (size_t i = 0; i < json_object_array_length(live->changes); i++) {
                struct json_object *change = json_object_array_get_idx(live->changes, i);
                int r = systemd_client_set_properties(systemd_of(s),
                                                      json_object_get_string(json_object_object_get(change, "unit")),
                                                      json_object_object_get(change, "properties"), on_told, live);

                if (r == -ENOTCONN) {
                        service_live_interrupt(s);
                        return;
                }
                if (service_step_may_pass(r)) {
                        put_off(s, r);
                        return;
                }
                if (r >= 0)
                        live->n_calls++;
                else
                        log_warning("%s: cannot tell systemd of a change: %s", s->definition->name, strerror(-r));
        }
        if (live->n_calls == 0)
                end(s);
}
