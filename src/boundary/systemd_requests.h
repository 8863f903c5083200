/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The line in which calls to systemd wait: at most so many replies and so many jobs outstanding (systemd_client.h says
 * why), each with a deadline, each reported exactly once. */

#include <json-c/json.h>
#include <systemd/sd-bus.h>

#include "boundary/systemd_client.h"

typedef struct SystemdRequests SystemdRequests;

int systemd_requests_new(sd_event *event, SystemdRequests **ret);
SystemdRequests *systemd_requests_free(SystemdRequests *q);

/* The connection that calls go to from now on; NULL: none. Fail all that is in flight first. */
void systemd_requests_set_bus(SystemdRequests *q, sd_bus *bus);
void systemd_requests_fail_all(SystemdRequests *q, int error);
void systemd_requests_job_removed(SystemdRequests *q, uint32_t job_id, const char *result);
void systemd_requests_forget(SystemdRequests *q, const void *userdata);

/* Each takes a reference to `m`, a method call to systemd that has not been sent. */
int systemd_requests_add_call(SystemdRequests *q, sd_bus_message *m, systemd_done_t done, void *userdata);
/* Those that end with a job. A stop may take one of the jobs that are kept for stops. */
int systemd_requests_add_stop(SystemdRequests *q, sd_bus_message *m, uint64_t timeout_usec, systemd_done_t done,
                              void *userdata);
int systemd_requests_add_start(SystemdRequests *q, sd_bus_message *m, uint64_t timeout_usec, systemd_done_t done,
                               void *userdata);
int systemd_requests_add_creation(SystemdRequests *q, sd_bus_message *m, uint64_t timeout_usec, systemd_done_t done,
                                  void *userdata);
int systemd_requests_add_list(SystemdRequests *q, sd_bus_message *m, systemd_listed_t listed, void *userdata);
/* take() is called exactly once, with the reply or NULL, also when this function fails. An error of its own ends the
 * call with it. */
int systemd_requests_add_read(SystemdRequests *q, sd_bus_message *m, int (*take)(sd_bus_message *reply, void *context),
                              void *context, systemd_done_t done, void *userdata);

/* "a(sv)" of a list of PROPERTY (core/unit_plan.h). */
int systemd_requests_append_properties(sd_bus_message *m, struct json_object *properties);
/* The arguments of StartTransientUnit for a plan of unit_plan_build(). */
int systemd_requests_append_plan(sd_bus_message *m, struct json_object *plan);
