/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The least that starting services by systemd can cost: the same units as hero_proc makes (a slice that holds one
 * service, property by property, which the benchmark compares), and nothing around them: no store, no wish, no status.
 *
 * All calls are pipelined, as far as the bus allows: see systemd_client.h for what happens beyond 64 jobs. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/cleanup.h"

#define MANAGER "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
#define JOBS_MAX 64
#define JOBS_A_START 2 /* the slice's and the service's */
#define NAME_MAX_LENGTH 64
#define SEC UINT64_C(1000000)

typedef struct Floor {
        sd_bus *bus;
        unsigned systemd_version;
        const char *program;
        unsigned n, n_sent, n_jobs, n_jobs_done, jobs_each;
        int error;
} Floor;

static int fail(const char *what, int r) {
        fprintf(stderr, "unit_floor: %s: %s\n", what, strerror(-r));
        return r;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *ignored) {
        Floor *f = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(m);

        (void) ignored;
        if (error) {
                fprintf(stderr, "unit_floor: %s\n", error->message);
                f->error = -sd_bus_message_get_errno(m);
        }
        return 0;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *ignored) {
        Floor *f = userdata;
        const char *unit, *result;
        int r = sd_bus_message_read(m, "uoss", NULL, NULL, &unit, &result);

        (void) ignored;
        if (r < 0)
                return fail("JobRemoved", r);
        if (strncmp(unit, "floor-", strlen("floor-")) != 0)
                return 0;
        if (strcmp(result, "done") != 0) {
                fprintf(stderr, "unit_floor: %s: %s\n", unit, result);
                f->error = -EIO;
        }
        f->n_jobs_done++;
        return 0;
}

static int append_environment(sd_bus_message *m, const char *name) {
        char service[NAME_MAX_LENGTH * 2], ready[NAME_MAX_LENGTH * 2];

        (void) snprintf(service, sizeof service, "HERO_SERVICE=%s", name);
        (void) snprintf(ready, sizeof ready, "HERO_READY_FILE=/run/hero/%s/.ready", name);
        return sd_bus_message_append(m, "(sv)", "Environment", "as", 4, "HERO_SOCKET_DIR=/run/hero", service,
                                     "HERO_ACTION=main", ready);
}

static int append_restart(sd_bus_message *m, unsigned systemd_version) {
        int r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)", "Restart", "s", "on-failure", "RestartUSec", "t", SEC,
                                      "StartLimitIntervalUSec", "t", 600 * SEC, "StartLimitBurst", "u", 6);

        if (r >= 0 && systemd_version >= 254)
                r = sd_bus_message_append(m, "(sv)(sv)", "RestartSteps", "u", 6, "RestartMaxDelayUSec", "t", 60 * SEC);
        return r;
}

static int append_service(Floor *f, sd_bus_message *m, const char *name, const char *slice, const char *service) {
        int r = sd_bus_message_open_container(m, 'r', "sa(sv)");

        if (r >= 0)
                r = sd_bus_message_append(m, "s", service);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)", "Description", "s", name, "Slice", "s", slice,
                                          "IgnoreOnIsolate", "b", 1, "KillMode", "s", "control-group",
                                          "SyslogIdentifier", "s", name);
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)", "Type", "s", "exec", "ExecStart", "a(sasb)", 1,
                                          f->program, 1, f->program, 0, "TimeoutStartUSec", "t", 30 * SEC,
                                          "TimeoutStopUSec", "t", 10 * SEC);
        if (r >= 0)
                r = append_environment(m, name);
        if (r >= 0)
                r = append_restart(m, f->systemd_version);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int call_start_transient(Floor *f, const char *name, const char *slice, const char *service) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(f->bus, &m, MANAGER, "StartTransientUnit");

        if (r >= 0)
                r = sd_bus_message_append(m, "ssa(sv)", slice, "fail", 2, "Description", "s", name, "Before", "as", 1,
                                          service);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sa(sv))");
        if (r >= 0)
                r = append_service(f, m, name, slice, service);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_call_async(f->bus, NULL, m, on_reply, f, 0);
}

static int start_one(Floor *f, unsigned i) {
        char name[NAME_MAX_LENGTH], slice[NAME_MAX_LENGTH], service[NAME_MAX_LENGTH];
        int r;

        (void) snprintf(name, sizeof name, "s%04u", i);
        (void) snprintf(slice, sizeof slice, "floor-s%04u.slice", i);
        (void) snprintf(service, sizeof service, "floor-s%04u.service", i);
        r = call_start_transient(f, name, slice, service);
        if (r < 0)
                return r;
        return sd_bus_call_method_async(f->bus, NULL, MANAGER, "StartUnit", on_reply, f, "ss", service, "replace");
}

static int stop_one(Floor *f, unsigned i) {
        char slice[NAME_MAX_LENGTH];

        (void) snprintf(slice, sizeof slice, "floor-s%04u.slice", i);
        return sd_bus_call_method_async(f->bus, NULL, MANAGER, "StopUnit", on_reply, f, "ss", slice, "replace");
}

static int run(Floor *f, int (*one)(Floor *f, unsigned i)) {
        int r = 0;

        while (!f->error && f->n_jobs_done < f->n * f->jobs_each) {
                while (f->n_sent < f->n && f->n_jobs - f->n_jobs_done + f->jobs_each <= JOBS_MAX) {
                        r = one(f, f->n_sent++);
                        if (r < 0)
                                return fail("call", r);
                        f->n_jobs += f->jobs_each;
                }
                r = sd_bus_process(f->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(f->bus, UINT64_MAX);
                if (r < 0)
                        return fail("bus", r);
        }
        return f->error;
}

static int connect_to_systemd(Floor *f) {
        _cleanup_free_ char *version = NULL;
        int r = sd_bus_open_system(&f->bus);

        if (r >= 0)
                r = sd_bus_match_signal(f->bus, NULL, MANAGER, "JobRemoved", on_job_removed, f);
        if (r >= 0)
                r = sd_bus_call_method(f->bus, MANAGER, "Subscribe", NULL, NULL, NULL);
        if (r >= 0)
                r = sd_bus_get_property_string(f->bus, MANAGER, "Version", NULL, &version);
        if (r < 0)
                return fail("systemd", r);
        f->systemd_version = (unsigned) strtoul(version, NULL, 10);
        return 0;
}

int main(int argc, char **argv) {
        bool stops = argc == 3 && strcmp(argv[1], "stop") == 0;
        Floor f = { 0 };
        int r;

        if (!stops && (argc != 4 || strcmp(argv[1], "start") != 0)) {
                fprintf(stderr, "unit_floor start N PROGRAM | stop N\n");
                return 2;
        }
        f.n = (unsigned) strtoul(argv[2], NULL, 10);
        f.program = argv[3];
        f.jobs_each = JOBS_A_START;
        r = connect_to_systemd(&f);
        if (r >= 0)
                r = run(&f, stops ? stop_one : start_one);
        sd_bus_flush_close_unref(f.bus);
        return r < 0 ? 1 : 0;
}
