/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/service_units.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "boundary/cgroup_usage.h"
#include "boundary/exec_file.h"
#include "boundary/service_folder.h"
#include "boundary/systemd_facts.h"
#include "core/utf8.h"
#include "server/folder_gift.h"
#include "server/notices.h"
#include "server/service_live.h"
#include "server/socket_cleaning.h"
#include "server/supervisor.h"

/* Beyond the service's own stop timeout: SIGKILL takes systemd a moment. */
#define STOP_MARGIN_USEC (10 * USEC_PER_SEC)
#define CREATE_TIMEOUT_USEC (30 * USEC_PER_SEC)
/* Units that are released go within a millisecond; what is still loaded then is pinned by something. */
#define CLEAR_KILL_AFTER_USEC (1 * USEC_PER_SEC)
#define CLEAR_GIVE_UP_AFTER_USEC (15 * USEC_PER_SEC)
#define CLEAR_PAUSE_MAX_USEC (50 * USEC_PER_MSEC)

static SystemdClient *systemd_of(const Service *s) {
        return supervisor_systemd(s->supervisor);
}

uint64_t service_units_stop_timeout_usec(const Service *s) {
        uint64_t longest_usec = 0;

        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (s->definition->actions[i].stop_timeout_usec > longest_usec)
                        longest_usec = s->definition->actions[i].stop_timeout_usec;
        return usec_add(longest_usec, STOP_MARGIN_USEC);
}

bool service_units_are_in_work(const Service *s) {
        return s->step != UNITS_SETTLED || s->rebuild || s->removing;
}

void service_units_rebuild(Service *s) {
        systemd_client_forget(systemd_of(s), s);
        service_live_drop(s);
        s->rebuild = true;
        service_units_interrupt(s);
        free(TAKE_PTR(s->fault));
        supervisor_mark(s);
}

void service_units_interrupt(Service *s) {
        service_live_interrupt(s);
        s->step = UNITS_SETTLED;
        s->n_step_calls = 0;
        if (s->step_timer)
                (void) sd_event_source_set_enabled(s->step_timer, SD_EVENT_OFF);
}

static void set_fault(Service *s, const char *text) {
        free(s->fault);
        s->fault = text ? strdup(text) : NULL;
}

/* The units cannot be had as the definition wants them: said once, shown as the reason, tried again when asked. */
static void give_up(Service *s, const char *what, const char *why) {
        char text[1024];

        (void) snprintf(text, sizeof text, "%s: %s", what, why ? why : "no reason given");
        utf8_drop_broken_end(text);
        notice_line(LOG_ERR, NOTICE_UNITS_REFUSED, "%s: %s", s->definition->name, text);
        systemd_client_forget(systemd_of(s), s); /* the end of what is in flight would be taken for that of a new try */
        set_fault(s, text);
        s->step = UNITS_SETTLED;
        s->rebuild = s->units_made = false;
        for (size_t i = 0; i < s->definition->n_actions; i++)
                s->actions[i].task = TASK_NONE;
        supervisor_mark(s);
}

/* It is all begun again for what passes, by the next connection where this one is lost, and given up for what else
 * stands in the way. Units that systemd has made without an answer in time are cleared like any others. */
static void fail(Service *s, const char *what, int r, const char *why) {
        if (r == -ENOTCONN)
                return;
        if (!service_call_may_pass(r)) {
                give_up(s, what, why ? why : strerror(-r));
                return;
        }
        systemd_client_forget(systemd_of(s), s);
        service_units_interrupt(s);
        service_retry_later(s, s->definition->name, r);
}

static void list_leftovers(Service *s);

static int on_clear_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Service *s = userdata;

        (void) source;
        (void) usec;
        if (s->step == UNITS_CLEARING)
                list_leftovers(s);
        return 0;
}

static void list_again_soon(Service *s) {
        uint64_t pause_usec = USEC_PER_MSEC << (s->n_clear_rounds < 6 ? s->n_clear_rounds : 6);
        int r;

        if (pause_usec > CLEAR_PAUSE_MAX_USEC)
                pause_usec = CLEAR_PAUSE_MAX_USEC;
        s->n_clear_rounds++;
        s->step_timer = sd_event_source_disable_unref(s->step_timer);
        r = sd_event_add_time_relative(supervisor_event(s->supervisor), &s->step_timer, CLOCK_MONOTONIC, pause_usec,
                                       USEC_PER_MSEC, on_clear_timer, s);
        if (r < 0)
                fail(s, "cannot wait for the old units to go", r, NULL);
}

/* -- creating -- */

static int write_exec_file(struct json_object *plan) {
        struct json_object *sockets = json_object_object_get(plan, "sockets");
        struct json_object *arguments = json_object_object_get(plan, "arguments");
        size_t n_sockets = json_object_array_length(sockets), n_arguments = json_object_array_length(arguments);
        _cleanup_free_ char **strings = calloc(n_sockets + n_arguments + 2, sizeof *strings);
        ExecFile file;

        if (!strings)
                return -ENOMEM;
        for (size_t i = 0; i < n_sockets; i++)
                strings[i] = (char *) json_object_get_string(json_object_array_get_idx(sockets, i));
        for (size_t i = 0; i < n_arguments; i++)
                strings[n_sockets + 1 + i] = (char *) json_object_get_string(json_object_array_get_idx(arguments, i));
        file = (ExecFile){
                .ready = (char *) json_object_get_string(json_object_object_get(plan, "ready")),
                .ready_file = (char *) json_object_get_string(json_object_object_get(plan, "ready_file")),
                .sockets = strings,
                .arguments = strings + n_sockets + 1,
        };
        return exec_file_write(json_object_get_string(json_object_object_get(plan, "path")), &file);
}

int service_units_write_exec_files(const Service *s, struct json_object *plan) {
        struct json_object *units = json_object_object_get(plan, "units");
        int r = service_folder_make_exec(supervisor_options(s->supervisor)->exec_dir, s->definition->name);

        for (size_t i = 0; r >= 0 && i < json_object_array_length(units); i++) {
                struct json_object *exec_file;

                if (json_object_object_get_ex(json_object_array_get_idx(units, i), "exec_file", &exec_file))
                        r = write_exec_file(exec_file);
        }
        return r;
}

static void units_are_settled(Service *s) {
        s->step = UNITS_SETTLED;
        s->rebuild = false;
        s->units_made = s->slice_was_active = true;
        set_fault(s, NULL);
        for (size_t i = 0; i < s->definition->n_actions; i++) {
                unit_facts_forget(&s->actions[i].facts, UNIT_LOADED);
                s->actions[i].facts.is_whole = true;
        }
        /* Nothing has been started yet: from here on a lost server has only to start what is wanted. */
        if (s->intention == INTENTION_REPLACE)
                supervisor_save_intention(s, s->operation == OPERATION_NONE ? INTENTION_NONE : INTENTION_START);
        supervisor_mark(s);
}

/* A unit can come out of a successful call unusable ("bad-setting"): seen only by looking. */
static void on_checked(void *userdata, int r, const UnitListed *units, size_t n) {
        Service *s = userdata;

        if (r == -ECONNRESET)
                return; /* service_units_interrupt() has begun again */
        if (r < 0) {
                fail(s, "cannot check the new units", r, NULL);
                return;
        }
        for (size_t i = 0; i < s->definition->n_actions; i++) {
                const UnitListed *found = NULL;

                for (size_t j = 0; j < n && !found; j++)
                        if (strcmp(units[j].name, s->actions[i].unit) == 0)
                                found = &units[j];
                if (!found || strcmp(found->load_state, "loaded") != 0) {
                        give_up(s, s->actions[i].unit, found ? found->load_state : "is not loaded after it was made");
                        return;
                }
        }
        units_are_settled(s);
}

static void on_created(void *userdata, int r, const char *job_result, const char *text) {
        Service *s = userdata;
        const char *names[DEFINITION_ACTIONS_MAX + 1] = { NULL };

        (void) job_result;
        if (r == -EEXIST || r == -EBUSY) {
                set_fault(s, text);
                s->step = UNITS_CLEARING;
                list_again_soon(s);
                return;
        }
        if (r == -ECONNRESET)
                return; /* service_units_interrupt() has begun again */
        if (r < 0) {
                fail(s, "systemd refuses its units", r, text);
                return;
        }
        s->slice = (SliceFacts){ .load = UNIT_LOADED, .active = UNIT_ACTIVE };
        s->step = UNITS_CHECKING;
        for (size_t i = 0; i < s->definition->n_actions; i++)
                names[i] = s->actions[i].unit;
        r = systemd_client_list_named(systemd_of(s), names, on_checked, s);
        if (r < 0)
                fail(s, "cannot check the new units", r, NULL);
}

static void create(Service *s) {
        UnitPlanContext context = supervisor_plan_context(s->supervisor);
        struct json_object *plan = NULL;
        int r = unit_plan_build(s->definition, &context, &plan);

        s->step = UNITS_CREATING;
        if (r >= 0)
                r = folder_gift_begin(s);
        if (r < 0)
                fail(s, s->definition->directory, r, r == -ESRCH ? "its user or group does not exist" : NULL);
        else if ((r = service_units_write_exec_files(s, plan)) < 0)
                fail(s, context.exec_dir, r, NULL);
        else if ((r = systemd_client_create(systemd_of(s), plan, CREATE_TIMEOUT_USEC, on_created, s)) < 0)
                fail(s, "cannot ask systemd for its units", r, NULL);
        json_object_put(plan);
}

static void remove_from_memory(Service *s) {
        (void) service_folder_remove_exec(supervisor_options(s->supervisor)->exec_dir, s->definition->name);
        (void) service_folder_remove(s->definition);
        if (supervisor_drop(s->supervisor, s) < 0)
                list_again_soon(s);
}

/* -- clearing -- */

static void on_cleared(void *userdata, int r, const char *job_result, const char *text) {
        Service *s = userdata;

        (void) r; /* whether it helped is seen by the next list */
        (void) job_result;
        (void) text;
        if (s->step != UNITS_CLEARING || --s->n_step_calls > 0)
                return;
        if (clock_monotonic_usec() - s->clear_since_usec > CLEAR_KILL_AFTER_USEC)
                list_again_soon(s); /* pinned: to kill what is not there is over at once, and helps as little again */
        else
                list_leftovers(s);
}

static void clear_one(Service *s, const UnitListed *unit, bool kill) {
        bool is_service = strstr(unit->name, ".slice") == NULL;
        bool is_up = strcmp(unit->active_state, "inactive") != 0 && strcmp(unit->active_state, "failed") != 0;
        int r = 0;

        if (strcmp(unit->active_state, "failed") == 0)
                r = systemd_client_reset_failed(systemd_of(s), unit->name, on_cleared, s);
        else if (is_service && kill)
                r = systemd_client_kill(systemd_of(s), unit->name, SIGKILL, on_cleared, s);
        else if (is_up)
                r = systemd_client_stop(systemd_of(s), unit->name, service_units_stop_timeout_usec(s), on_cleared, s);
        else
                return;
        if (r >= 0)
                s->n_step_calls++;
}

/* What is to be removed is begun with again at once, only not while its caller waits. */
static void give_up_clearing(Service *s, bool any_is_left) {
        const char *pinned = "a unit stays loaded after its stop: another unit or program holds a reference to it";

        if (s->removing)
                give_up(s, "its removal is tried again",
                        any_is_left ? pinned : "that it is gone could not be told, for want of memory");
        else
                give_up(s, "its units cannot be made anew", any_is_left ? pinned : s->fault);
}

/* What does not pass may do so all the same, in the time that there is for it. No resync asks again: what is in this
 * step is left alone by it. */
static void not_listed(Service *s, int r, uint64_t waited_usec) {
        if (service_call_may_pass(r) || waited_usec > CLEAR_GIVE_UP_AFTER_USEC)
                fail(s, "cannot list its units", r, NULL);
        else
                list_again_soon(s);
}

/* It may only have taken long: then nothing stands in the way of the new units. */
static bool is_in_vain(const Service *s, bool any_is_left, uint64_t waited_usec) {
        return waited_usec > CLEAR_GIVE_UP_AFTER_USEC && (any_is_left || s->fault || s->removing);
}

static void on_leftovers(void *userdata, int r, const UnitListed *units, size_t n) {
        Service *s = userdata;
        uint64_t now_usec = clock_monotonic_usec(), waited_usec;
        const UnitListed *left = NULL;

        if (r == -ECONNRESET || s->step != UNITS_CLEARING)
                return; /* service_units_interrupt() has begun again */
        waited_usec = s->clear_asked_usec - s->clear_since_usec;
        s->clear_since_usec += now_usec - s->clear_asked_usec;
        if (r < 0) {
                not_listed(s, r, waited_usec);
                return;
        }
        s->n_step_calls = 0;
        for (size_t i = 0; i < n; i++)
                if (systemd_facts_load_state(units[i].load_state) != UNIT_NOT_LOADED) {
                        left = &units[i];
                        clear_one(s, left, waited_usec > CLEAR_KILL_AFTER_USEC);
                }
        if (is_in_vain(s, left != NULL, waited_usec)) {
                give_up_clearing(s, left != NULL);
        } else if (!left) {
                socket_cleaning_run(s, -1);
                if (s->removing)
                        remove_from_memory(s);
                else
                        create(s);
        } else if (s->n_step_calls == 0) {
                list_again_soon(s);
        }
}

/* In a pattern a backslash quotes, and the name of a slice may hold one. */
static void quote_pattern(const char *name, char *ret) {
        for (; *name; name++) {
                if (*name == '\\')
                        *ret++ = '\\';
                *ret++ = *name;
        }
        *ret = '\0';
}

static void list_leftovers(Service *s) {
        char slice[UNIT_NAME_MAX], slice_pattern[2 * UNIT_NAME_MAX], instances[UNIT_NAME_MAX], plain[UNIT_NAME_MAX];
        const char *const patterns[] = { slice_pattern, instances, plain, NULL };
        int r;

        s->step = UNITS_CLEARING;
        s->clear_asked_usec = clock_monotonic_usec();
        unit_name_of_slice(s->definition->name, slice);
        quote_pattern(slice, slice_pattern);
        (void) snprintf(instances, sizeof instances, "hero-%s@*.service", s->definition->name);
        (void) snprintf(plain, sizeof plain, "hero-%s.service", s->definition->name);
        r = systemd_client_list(systemd_of(s), patterns, on_leftovers, s);
        if (r < 0)
                fail(s, "cannot list its units", r, NULL);
}

static void begin_clearing(Service *s) {
        s->n_clear_rounds = 0;
        s->clear_since_usec = clock_monotonic_usec();
}

static void on_slice_stopped(void *userdata, int r, const char *job_result, const char *text) {
        Service *s = userdata;

        (void) job_result;
        (void) text;
        if (r == -ECONNRESET)
                return;
        /* Gone, not there at all, or late: the list tells. */
        begin_clearing(s);
        list_leftovers(s);
}

/* Whether nothing has to be cleared, as far as is known: then a thousand new services need not ask for a thousand stops
 * of nothing. Units that hero_proc made once and the server does not know of have a file, so that systemd refuses to
 * make the slice over them (on_created()); what others put into a slice of this name shows by its cgroup. */
static bool is_first(const Service *s) {
        return s->slice.load == UNIT_NOT_LOADED && !s->units_made && !s->removing &&
               !cgroup_usage_may_have_slice(supervisor_options(s->supervisor)->is_user, s->definition->name);
}

static void begin(Service *s) {
        char slice[UNIT_NAME_MAX];
        int r;

        for (size_t i = 0; i < s->definition->n_actions; i++) {
                systemd_client_forget(systemd_of(s), &s->actions[i]);
                s->actions[i].task_issued = false;
        }
        if (is_first(s)) {
                begin_clearing(s); /* which systemd may yet ask for */
                socket_cleaning_run(s, -1);
                create(s);
                return;
        }
        unit_name_of_slice(s->definition->name, slice);
        s->step = UNITS_STOPPING;
        r = systemd_client_stop(systemd_of(s), slice, service_units_stop_timeout_usec(s), on_slice_stopped, s);
        if (r < 0)
                fail(s, "cannot stop its slice", r, NULL);
}

bool service_units_advance(Service *s) {
        if ((s->rebuild || s->removing) && s->step == UNITS_SETTLED)
                begin(s);
        if (s->step == UNITS_SETTLED)
                service_live_advance(s);
        return s->step != UNITS_SETTLED || s->rebuild || s->removing;
}
