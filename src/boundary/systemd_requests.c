/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/systemd_requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "boundary/json_to_bus.h"

/* For calls that make no job. systemd answers in milliseconds, or within a reload. */
#define CALL_TIMEOUT_USEC (25 * USEC_PER_SEC)
#define DEADLINE_LATE_USEC (1 * USEC_PER_SEC)

/* In the order in which what waits is sent. Starts go before units are made: a thousand that are made before the first
 * is started are a thousand siblings to each start, and systemd walks over all siblings that are up for each. */
typedef enum RequestKind {
        REQUEST_STOP,
        REQUEST_CALL, /* makes no job; passes jobs that have to wait, for to look costs nothing */
        REQUEST_START,
        REQUEST_CREATION,
        _REQUEST_KINDS,
} RequestKind;

typedef struct Request Request;
struct Request {
        Request *next;
        SystemdRequests *queue;
        RequestKind kind;
        sd_bus_message *message;
        sd_bus_slot *slot;      /* while the reply is awaited */
        sd_event_source *timer; /* while the job is awaited */
        bool sent;
        uint32_t job_id; /* 0: no reply yet */
        uint64_t timeout_usec;
        systemd_done_t done;
        systemd_listed_t listed;
        int (*take)(sd_bus_message *reply, void *context);
        void *take_context;
        void *userdata;
};

/* In the order in which they were made, or sent. */
typedef struct RequestLine {
        Request *first, **tail;
} RequestLine;

struct SystemdRequests {
        sd_event *event;
        sd_bus *bus;
        RequestLine waiting[_REQUEST_KINDS], sent;
        unsigned n_calls, n_jobs;
};

static bool makes_job(const Request *request) {
        return request->kind != REQUEST_CALL;
}

/* -- the lines -- */

static void line_append(RequestLine *line, Request *request) {
        request->next = NULL;
        *line->tail = request;
        line->tail = &request->next;
}

static void line_remove(RequestLine *line, Request *request) {
        Request **p = &line->first;

        while (*p != request)
                p = &(*p)->next;
        *p = request->next;
        if (!request->next)
                line->tail = p;
}

static RequestLine *line_of(Request *request) {
        return request->sent ? &request->queue->sent : &request->queue->waiting[request->kind];
}

int systemd_requests_new(sd_event *event, SystemdRequests **ret) {
        SystemdRequests *q = calloc(1, sizeof *q);

        if (!q)
                return -ENOMEM;
        q->event = sd_event_ref(event);
        q->sent.tail = &q->sent.first;
        for (size_t i = 0; i < _REQUEST_KINDS; i++)
                q->waiting[i].tail = &q->waiting[i].first;
        *ret = q;
        return 0;
}

static void request_free(Request *request) {
        if (request->take)
                (void) request->take(NULL, request->take_context);
        sd_bus_slot_unref(request->slot);
        sd_event_source_disable_unref(request->timer);
        sd_bus_message_unref(request->message);
        free(request);
}

static void line_free(RequestLine *line) {
        while (line->first) {
                Request *request = line->first;

                line->first = request->next;
                request_free(request);
        }
}

SystemdRequests *systemd_requests_free(SystemdRequests *q) {
        if (!q)
                return NULL;
        line_free(&q->sent);
        for (size_t i = 0; i < _REQUEST_KINDS; i++)
                line_free(&q->waiting[i]);
        sd_event_unref(q->event);
        free(q);
        return NULL;
}

void systemd_requests_set_bus(SystemdRequests *q, sd_bus *bus) {
        q->bus = bus;
}

static void queue_unlink(SystemdRequests *q, Request *request) {
        line_remove(line_of(request), request);
        if (request->sent) {
                q->n_calls -= request->job_id == 0;
                q->n_jobs -= makes_job(request);
        }
}

/* What was sent goes on without anybody to tell; what was not is not sent any more: a start that waits in line must not
 * come after the stop that overruled it. */
void systemd_requests_forget(SystemdRequests *q, const void *userdata) {
        for (Request *request = q->sent.first; request; request = request->next)
                if (request->userdata == userdata) {
                        request->done = NULL;
                        request->listed = NULL;
                }
        for (size_t i = 0; i < _REQUEST_KINDS; i++)
                for (Request *request = q->waiting[i].first, *next; request; request = next) {
                        next = request->next;
                        if (request->userdata != userdata)
                                continue;
                        line_remove(&q->waiting[i], request);
                        request_free(request);
                }
}

static void queue_send(SystemdRequests *q);

/* Ends a request: it is off the queue before its owner hears of it, so that the owner may make new ones. */
static void request_finish(Request *request, int r, const char *job_result, const char *text) {
        SystemdRequests *q = request->queue;
        systemd_done_t done = request->done;
        systemd_listed_t listed = request->listed;
        void *userdata = request->userdata;

        queue_unlink(q, request);
        if (done)
                done(userdata, r, job_result, text);
        if (listed)
                listed(userdata, r, NULL, 0);
        request_free(request);
        queue_send(q);
}

static void line_fail_all(RequestLine *line, int error) {
        while (line->first)
                request_finish(line->first, error, NULL, "the connection to systemd was lost");
}

void systemd_requests_fail_all(SystemdRequests *q, int error) {
        sd_bus *bus = q->bus;

        q->bus = NULL; /* nothing that waits in line is sent while the line is emptied */
        line_fail_all(&q->sent, error);
        for (size_t i = 0; i < _REQUEST_KINDS; i++)
                line_fail_all(&q->waiting[i], error);
        q->bus = bus;
}

/* When the bus goes, sd-bus answers each pending call with an error of its own making before it says that the
 * connection is lost: those are no answers of systemd's. Nothing more is sent then; what waits in line hears of it by
 * fail_all(). */
static bool connection_is_lost(SystemdRequests *q) {
        if (q->bus && sd_bus_is_open(q->bus) > 0)
                return false;
        q->bus = NULL;
        return true;
}

static int error_to_errno(const sd_bus_error *error) {
        if (sd_bus_error_has_name(error, "org.freedesktop.systemd1.UnitExists"))
                return -EEXIST;
        if (sd_bus_error_has_name(error, "org.freedesktop.systemd1.NoSuchUnit"))
                return -ENOENT;
        if (sd_bus_error_has_name(error, "org.freedesktop.systemd1.TransactionIsDestructive"))
                return -EBUSY; /* a stop of hero.slice, or of the machine, is under way */
        if (sd_bus_error_has_name(error, "org.freedesktop.DBus.Error.NoReply"))
                return -ETIMEDOUT;
        int r = sd_bus_error_get_errno(error);
        return r > 0 ? -r : -EIO;
}

/* So much later than it is due: the server was held up, and the end of the job may lie in its queue. */
static int on_job_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        if (clock_monotonic_usec() > usec_add(usec, DEADLINE_LATE_USEC) &&
            sd_event_source_set_time_relative(source, DEADLINE_LATE_USEC) >= 0 &&
            sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) >= 0)
                return 0;
        request_finish(userdata, -ETIME, NULL, "systemd did not finish the job in time");
        return 0;
}

/* The number of a job by its path. One that is not there is a job of which no end will be told: never 0, which says
 * that no reply came yet. */
static uint32_t job_of_reply(sd_bus_message *reply) {
        const char *path, *slash;
        uint32_t id;

        if (sd_bus_message_read(reply, "o", &path) < 0)
                return UINT32_MAX;
        slash = strrchr(path, '/');
        id = (uint32_t) strtoul(slash + 1, NULL, 10);
        return id > 0 ? id : UINT32_MAX;
}

static void await_job(Request *request, sd_bus_message *reply) {
        int r;

        request->queue->n_calls--;
        request->job_id = job_of_reply(reply);
        r = sd_event_add_time_relative(request->queue->event, &request->timer, CLOCK_MONOTONIC, request->timeout_usec,
                                       0, on_job_deadline, request);
        if (r < 0)
                request_finish(request, r, NULL, "no memory for a deadline");
        else
                queue_send(request->queue);
}

/* `a(ssssssouso)`: name, description, load, active, sub, following, path, job id, job type, job path. */
static int read_unit(sd_bus_message *m, UnitListed *u) {
        return sd_bus_message_read(m, "(ssssssouso)", &u->name, NULL, &u->load_state, &u->active_state, &u->sub_state,
                                   NULL, NULL, &u->job_id, NULL, NULL);
}

static int read_list(sd_bus_message *m, UnitListed **ret, size_t *ret_n) {
        _cleanup_free_ UnitListed *units = NULL;
        size_t n = 0, n_allocated = 0;
        int r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");

        while (r >= 0) {
                if (n == n_allocated) {
                        UnitListed *larger;

                        n_allocated = n_allocated ? 2 * n_allocated : 16;
                        larger = reallocarray(units, n_allocated, sizeof *units);
                        if (!larger)
                                return -ENOMEM;
                        units = larger;
                }
                r = read_unit(m, &units[n]);
                if (r <= 0)
                        break;
                n++;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(units);
        *ret_n = n;
        return 0;
}

static void finish_list(Request *request, sd_bus_message *reply) {
        _cleanup_free_ UnitListed *units = NULL;
        size_t n = 0;
        int r = read_list(reply, &units, &n);
        systemd_listed_t listed = request->listed;

        request->listed = NULL;
        if (listed)
                listed(request->userdata, r, units, n);
        request_finish(request, r, NULL, NULL);
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *ignored) {
        Request *request = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(m);
        int r;

        (void) ignored;
        request->slot = sd_bus_slot_unref(request->slot);
        if (error) {
                request_finish(request, connection_is_lost(request->queue) ? -ECONNRESET : error_to_errno(error), NULL,
                               error->message);
        } else if (makes_job(request)) {
                await_job(request, m);
        } else if (request->listed) {
                finish_list(request, m);
        } else {
                r = request->take ? request->take(m, request->take_context) : 0;
                request->take = NULL;
                request_finish(request, r, NULL, NULL);
        }
        return 0;
}

static bool has_room(const SystemdRequests *q) {
        return q->bus && q->n_calls < SYSTEMD_CALLS_MAX;
}

static bool may_send(const SystemdRequests *q, RequestKind kind) {
        /* Services that take their time to become ready must not keep an operator's stop waiting. */
        unsigned n_jobs_max = kind == REQUEST_STOP ? SYSTEMD_JOBS_MAX : SYSTEMD_JOBS_MAX - SYSTEMD_JOBS_FOR_STOPS;

        return has_room(q) && (kind == REQUEST_CALL || q->n_jobs < n_jobs_max);
}

static int request_send(SystemdRequests *q, Request *request) {
        int r = sd_bus_call_async(q->bus, &request->slot, request->message, on_reply, request, CALL_TIMEOUT_USEC);

        if (r < 0)
                return connection_is_lost(q) ? -ECONNRESET : r;
        request->message = sd_bus_message_unref(request->message);
        request->sent = true;
        line_append(&q->sent, request);
        q->n_calls++;
        q->n_jobs += makes_job(request);
        return 0;
}

static int queue_send_first(SystemdRequests *q, RequestLine *line) {
        Request *request = line->first;
        int r;

        line_remove(line, request);
        r = request_send(q, request);
        if (r < 0) {
                line_append(line, request);
                request_finish(request, r, NULL, strerror(-r));
        }
        return r;
}

static void queue_send(SystemdRequests *q) {
        for (RequestKind kind = 0; kind < _REQUEST_KINDS; kind++)
                while (q->waiting[kind].first && may_send(q, kind))
                        if (queue_send_first(q, &q->waiting[kind]) < 0)
                                return; /* which has sent the rest */
}

/* What cannot even be sent is told by what is returned, and not by done(): whoever asks has not yet noted that he did.
 */
static int queue_add(SystemdRequests *q, sd_bus_message *m, const Request *blank) {
        Request *request = malloc(sizeof *request);
        int r;

        if (!request)
                return -ENOMEM;
        *request = *blank;
        request->queue = q;
        request->message = sd_bus_message_ref(m);
        if (!may_send(q, request->kind)) {
                line_append(&q->waiting[request->kind], request);
                return 0;
        }
        r = request_send(q, request);
        if (r < 0) {
                request->take = NULL; /* systemd_requests_add_read() */
                request_free(request);
                return r == -ECONNRESET ? -ENOTCONN : r;
        }
        return 0;
}

int systemd_requests_add_call(SystemdRequests *q, sd_bus_message *m, systemd_done_t done, void *userdata) {
        return queue_add(q, m, &(Request){ .kind = REQUEST_CALL, .done = done, .userdata = userdata });
}

static int queue_add_job(SystemdRequests *q, sd_bus_message *m, RequestKind kind, uint64_t timeout_usec,
                         systemd_done_t done, void *userdata) {
        return queue_add(q, m,
                         &(Request){ .kind = kind, .timeout_usec = timeout_usec, .done = done, .userdata = userdata });
}

int systemd_requests_add_stop(SystemdRequests *q, sd_bus_message *m, uint64_t timeout_usec, systemd_done_t done,
                              void *userdata) {
        return queue_add_job(q, m, REQUEST_STOP, timeout_usec, done, userdata);
}

int systemd_requests_add_start(SystemdRequests *q, sd_bus_message *m, uint64_t timeout_usec, systemd_done_t done,
                               void *userdata) {
        return queue_add_job(q, m, REQUEST_START, timeout_usec, done, userdata);
}

int systemd_requests_add_creation(SystemdRequests *q, sd_bus_message *m, uint64_t timeout_usec, systemd_done_t done,
                                  void *userdata) {
        return queue_add_job(q, m, REQUEST_CREATION, timeout_usec, done, userdata);
}

int systemd_requests_add_list(SystemdRequests *q, sd_bus_message *m, systemd_listed_t listed, void *userdata) {
        return queue_add(q, m, &(Request){ .kind = REQUEST_CALL, .listed = listed, .userdata = userdata });
}

int systemd_requests_add_read(SystemdRequests *q, sd_bus_message *m, int (*take)(sd_bus_message *reply, void *context),
                              void *context, systemd_done_t done, void *userdata) {
        int r = queue_add(q, m,
                          &(Request){ .kind = REQUEST_CALL,
                                      .take = take,
                                      .take_context = context,
                                      .done = done,
                                      .userdata = userdata });

        if (r < 0)
                (void) take(NULL, context);
        return r;
}

static Request *find_job(const SystemdRequests *q, uint32_t job_id) {
        for (Request *request = q->sent.first; request; request = request->next)
                if (makes_job(request) && request->job_id == job_id)
                        return request;
        return NULL;
}

void systemd_requests_job_removed(SystemdRequests *q, uint32_t job_id, const char *result) {
        Request *request;

        /* More than one may await it: asked to start what is being started, systemd answers with the job that runs.
         * Each end may change the queue, so each next one is looked for from the front. */
        while (job_id != 0 && (request = find_job(q, job_id)))
                request_finish(request, 0, result, NULL);
}

int systemd_requests_append_properties(sd_bus_message *m, struct json_object *properties) {
        int r = sd_bus_message_open_container(m, 'a', "(sv)");

        for (size_t i = 0; r >= 0 && i < json_object_array_length(properties); i++) {
                struct json_object *p = json_object_array_get_idx(properties, i);
                const char *name = json_object_get_string(json_object_array_get_idx(p, 0));
                const char *signature = json_object_get_string(json_object_array_get_idx(p, 1));

                r = sd_bus_message_open_container(m, 'r', "sv");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", name);
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'v', signature);
                if (r >= 0)
                        r = json_to_bus_append(m, signature, json_object_array_get_idx(p, 2));
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* -- StartTransientUnit: "ssa(sv)a(sa(sv))" -- */

int systemd_requests_append_plan(sd_bus_message *m, struct json_object *plan) {
        struct json_object *units = json_object_object_get(plan, "units");
        int r = sd_bus_message_append(m, "ss", json_object_get_string(json_object_object_get(plan, "slice")), "fail");

        if (r >= 0)
                r = systemd_requests_append_properties(m, json_object_object_get(plan, "slice_properties"));
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sa(sv))");
        for (size_t i = 0; r >= 0 && i < json_object_array_length(units); i++) {
                struct json_object *unit = json_object_array_get_idx(units, i);

                r = sd_bus_message_open_container(m, 'r', "sa(sv)");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", json_object_get_string(json_object_object_get(unit, "name")));
                if (r >= 0)
                        r = systemd_requests_append_properties(m, json_object_object_get(unit, "properties"));
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}
