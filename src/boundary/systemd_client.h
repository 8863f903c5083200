/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The only place that talks to org.freedesktop.systemd1. Everything is asynchronous.
 *
 * Signals are hints that keep the facts of known units fresh; what counts is what a list says. Limits, each found by
 * hitting it: 128 pending replies a connection (dbus-daemon), and a bus match in PID 1 for each unfinished job, beyond
 * 512 of which systemd 252 loses its own bus connection. So at most SYSTEMD_CALLS_MAX calls and SYSTEMD_JOBS_MAX jobs
 * of ours are under way, the rest wait in line. One match rule serves all units; nothing is ever referenced (AddRef,
 * RefUnit). */

#include <json-c/json.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "core/unit_facts.h"

enum {
        SYSTEMD_CALLS_MAX = 64,
        SYSTEMD_JOBS_MAX = 64,
        SYSTEMD_JOBS_FOR_STOPS = 8, /* of these, kept free for stops */
};

typedef struct SystemdClient SystemdClient;

typedef struct SystemdCallbacks {
        /* The facts that are kept of `unit`; NULL when it is none of ours. */
        UnitFacts *(*find)(const char *unit, void *userdata);
        /* The facts of `unit` were updated in place. */
        void (*changed)(const char *unit, void *userdata);
        /* systemd has unloaded `unit` (never called for the round trip of a daemon-reload). */
        void (*unloaded)(const char *unit, void *userdata);
        /* systemd can be reached, or signals may have been missed: list, compare, read what differs. lost: some were,
         * for want of memory, and may have told what no list shows: read all. */
        void (*resync)(bool lost, void *userdata);
        /* systemd has left the bus, or the bus left us. What was in flight has been reported as -ECONNRESET. */
        void (*unreachable)(void *userdata);
} SystemdCallbacks;

/* One call is over. r: 0, or negative errno; -EEXIST is UnitExists, -ENOENT NoSuchUnit, -EBUSY a
 * destructive transaction, -ECONNRESET the connection, -ETIMEDOUT: no answer came, and whether it was done is not
 * known, -ETIME: the job that it made did not end in time. For what makes a job it comes when the job is gone, with its
 * result ("done", "failed", "canceled", "timeout", "dependency", …), else job_result is NULL. `text` describes an
 * error, may be NULL. */
typedef void (*systemd_done_t)(void *userdata, int r, const char *job_result, const char *text);

typedef struct UnitListed {
        const char *name, *load_state, *active_state, *sub_state;
        uint32_t job_id;
} UnitListed;
/* r as above; the list is borrowed for the call. */
typedef void (*systemd_listed_t)(void *userdata, int r, const UnitListed *units, size_t n);

int systemd_client_new(sd_event *event, const SystemdCallbacks *callbacks, void *userdata, SystemdClient **ret);
SystemdClient *systemd_client_free(SystemdClient *c);
DEFINE_CLEANUP(SystemdClient *, systemd_client_free)

/* Takes up a connected bus: matches, Subscribe, Version, then resync(). */
int systemd_client_attach(SystemdClient *c, sd_bus *bus);
/* The bus is gone: everything in flight ends with -ECONNRESET, then unreachable(). */
void systemd_client_detach(SystemdClient *c);

bool systemd_client_is_reachable(const SystemdClient *c);
unsigned systemd_client_version(const SystemdClient *c); /* 0 before it is known */
/* When this PID 1 or user manager started (monotonic; kept over daemon-reexec): with the boot id it tells whether units
 * of ours can have survived. 0 before it is known. */
uint64_t systemd_client_manager_start_usec(const SystemdClient *c);
/* The machine (or user session) goes down: stops are nobody's wish now. */
bool systemd_client_is_shutting_down(const SystemdClient *c);

/* Of what has to wait in line, stops are sent first, then what makes no job, then starts, then the making of units;
 * each kind in the order given. `done` may be NULL, and is never called before these return. -ENOTCONN when systemd is
 * not reachable, -ENOMEM: then it is not called at all. */
int systemd_client_start(SystemdClient *c, const char *unit, uint64_t timeout_usec, systemd_done_t done,
                         void *userdata);
int systemd_client_stop(SystemdClient *c, const char *unit, uint64_t timeout_usec, systemd_done_t done, void *userdata);
int systemd_client_restart(SystemdClient *c, const char *unit, uint64_t timeout_usec, systemd_done_t done,
                           void *userdata);
/* For a restart that nobody asked for: a unit that is down by now is not started by it where is_up says that it was up,
 * and -EBUSY where systemd has another job for it already, which is somebody's wish. */
int systemd_client_heal(SystemdClient *c, const char *unit, bool is_up, uint64_t timeout_usec, systemd_done_t done,
                        void *userdata);
/* `plan` as unit_plan_build() makes it: the anchor with all its units, in one call, nothing started. */
int systemd_client_create(SystemdClient *c, struct json_object *plan, uint64_t timeout_usec, systemd_done_t done,
                          void *userdata);
int systemd_client_reset_failed(SystemdClient *c, const char *unit, systemd_done_t done, void *userdata);
int systemd_client_kill(SystemdClient *c, const char *unit, int signal, systemd_done_t done, void *userdata);
/* Changes a unit as it runs, for as long as it is loaded: what systemd knows to change so (core/unit_plan_diff.c). */
int systemd_client_set_properties(SystemdClient *c, const char *unit, struct json_object *properties,
                                  systemd_done_t done, void *userdata);
/* `patterns`: NULL-terminated, shell patterns of unit names. systemd looks at all units that it has: a thousand
 * services that ask so one by one cost the square of it. */
int systemd_client_list(SystemdClient *c, const char *const *patterns, systemd_listed_t listed, void *userdata);
/* The same of units by their names, which costs only for these. One that is not loaded is listed as such. */
int systemd_client_list_named(SystemdClient *c, const char *const *names, systemd_listed_t listed, void *userdata);
/* Reads all properties of `unit` into its facts (find()), then changed(), then done. Where memory runs out for the
 * answer all is read again soon, without being asked. */
int systemd_client_read(SystemdClient *c, const char *unit, systemd_done_t done, void *userdata);

/* resync() soon: what it was to find out has found no memory. Asks for none itself. */
void systemd_client_resync_soon(SystemdClient *c);

/* No callback with this userdata comes any more. Calls that wait in line are dropped, those that were sent go on. */
void systemd_client_forget(SystemdClient *c, const void *userdata);
