/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "boundary/process_unit.h"
#include "boundary/socket_stale.h"
#include "boundary/socket_watch.h"
#include "core/unit_plan.h"
#include "server/notices.h"
#include "server/probing.h"
#include "server/supervisor.h"

/* One dump of the kernel's table serves all services and costs 0.04 ms for a few, 0.4 ms for a thousand listeners. The
 * sweep is as often as promised (a closed listener shows within 100 ms), but never takes more than a hundredth of a
 * core. */
#define SWEEP_INTERVAL_USEC (50 * USEC_PER_MSEC)
#define SWEEP_COST_FACTOR 100u
/* A sweep that comes so much later than it is due: the server was stopped or starved in between. For a while after that
 * its answers wait for what it missed. */
#define SWEEP_LATE_USEC (100 * USEC_PER_MSEC)
#define CATCH_UP_USEC (1 * USEC_PER_SEC)

struct Sockets {
        Supervisor *supervisor;
        SocketTable *table;
        SocketWatch *watch;
        sd_event_source *sweep;
        uint64_t due_usec, late_usec; /* monotonic: the next sweep; when one was last found late (0: never) */
        bool to_sweep;                /* the table changed, and not every service has been looked at since */
};

static int on_sweep(sd_event_source *source, uint64_t usec, void *userdata);
static void on_folder(const char *directory, const char *name, void *userdata);

/* A user has 128 inotify instances on the whole machine, and others may have used them up. Then the sweep looks at
 * every path each time: dearer, and as true. */
static int start_watch(Sockets *k) {
        int r = socket_watch_new(supervisor_event(k->supervisor), on_folder, k, &k->watch);

        if (r != -EMFILE && r != -ENFILE && r != -ENOSPC)
                return r;
        notice_line(
                LOG_WARNING, NOTICE_NO_INOTIFY,
                "no inotify instance is to be had (fs.inotify.max_user_instances): sockets are looked at by the sweep");
        return 0;
}

int sockets_new(Supervisor *s, Sockets **ret) {
        _cleanup_(sockets_freep) Sockets *k = calloc(1, sizeof *k);
        int r;

        if (!k)
                return -ENOMEM;
        k->supervisor = s;
        k->due_usec = clock_monotonic_usec() + SWEEP_INTERVAL_USEC;
        r = socket_table_new(&k->table);
        if (r >= 0)
                r = start_watch(k);
        if (r >= 0)
                r = sd_event_add_time(supervisor_event(s), &k->sweep, CLOCK_MONOTONIC, k->due_usec, USEC_PER_MSEC,
                                      on_sweep, k);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(k);
        return 0;
}

Sockets *sockets_free(Sockets *k) {
        if (!k)
                return NULL;
        sd_event_source_disable_unref(k->sweep);
        socket_watch_free(k->watch);
        socket_table_free(k->table);
        free(k);
        return NULL;
}

SocketTable *sockets_table(const Sockets *k) {
        return k->table;
}

/* The table says only once that it changed, also when it was read for the sake of one service: what that means for the
 * others is left to the next sweep. */
static void refresh(Sockets *k) {
        bool changed = false;

        if (socket_table_refresh(k->table, &changed) < 0)
                changed = true; /* the table answers by connecting now */
        k->to_sweep = k->to_sweep || changed;
}

static void forget_listener(ServiceSocket *socket) {
        free(socket->listener_unit);
        socket->listener_unit = NULL;
        socket->listener_pid = 0;
        socket->identified_inode = 0;
        socket->foreign = false;
}

/* Who listens, once for each socket file: the kernel tells only by a connection, which is closed without a byte. */
static void identify(Service *s, ServiceSocket *socket) {
        pid_t pid;

        if (socket->seen.state != SOCKET_ALIVE || socket->seen.inode == socket->identified_inode)
                return;
        forget_listener(socket);
        if (socket_listener_pid(socket->definition->path, &pid) < 0 || pid <= 0)
                return;
        socket->identified_inode = socket->seen.inode;
        socket->listener_pid = (uint32_t) pid;
        if (process_unit_of(pid, supervisor_options(s->supervisor)->is_user, &socket->listener_unit) < 0)
                return; /* gone since, or out of sight: no proof either way */
        /* PID 1 (or the user manager) listens for socket-activated services. */
        socket->foreign = pid != 1 && !service_find_action_by_unit(s, socket->listener_unit) &&
                          strcmp(socket->listener_unit, "init.scope") != 0;
}

static bool is_good(SocketState state) {
        return state == SOCKET_ALIVE || state == SOCKET_NOT_ACCEPTING;
}

static void on_doubt_answered(void *userdata, int r, const char *job_result, const char *text) {
        Action *a = userdata;
        Service *s = a->service;

        (void) r;
        (void) job_result;
        (void) text;
        for (size_t i = 0; i < s->definition->n_sockets; i++)
                if (s->sockets[i].definition->action == (int) (a - s->actions))
                        s->sockets[i].doubted_usec = 0;
        supervisor_mark(s);
}

static void doubt(Service *s, ServiceSocket *socket) {
        Action *a = socket->definition->action >= 0 ? &s->actions[socket->definition->action] : NULL;

        if (!a || a->facts.active != UNIT_ACTIVE || a->task_issued)
                return;
        if (systemd_client_read(supervisor_systemd(s->supervisor), a->unit, on_doubt_answered, a) >= 0)
                socket->doubted_usec = clock_monotonic_usec();
}

static bool sight(Sockets *k, Service *s, ServiceSocket *socket) {
        SocketSighting seen = socket_table_look(k->table, socket->definition->path);
        bool was_foreign = socket->foreign,
             changed = seen.state != socket->seen.state || seen.inode != socket->seen.inode;

        if (seen.state != SOCKET_NOT_ACCEPTING)
                socket->full_since_usec = 0;
        else if (socket->full_since_usec == 0)
                socket->full_since_usec = clock_monotonic_usec();
        if (!is_good(seen.state)) {
                forget_listener(socket);
                if (is_good(socket->seen.state) && !was_foreign) /* a stranger's was no good one to go on with */
                        doubt(s, socket);
        } else {
                socket->doubted_usec = 0;
        }
        socket->seen = seen;
        identify(s, socket);
        if (seen.state == SOCKET_ALIVE && changed && !socket->foreign) {
                socket->seen_alive = true;
                probing_socket_appeared(s, (int) (socket - s->sockets));
        }
        return changed || was_foreign != socket->foreign;
}

static bool sight_all(Sockets *k, Service *s) {
        bool changed = false;

        for (size_t i = 0; i < s->definition->n_sockets; i++)
                changed = sight(k, s, &s->sockets[i]) || changed;
        return changed;
}

bool sockets_look(Sockets *k, Service *service) {
        if (service->definition->n_sockets == 0)
                return false;
        refresh(k);
        return sight_all(k, service);
}

static void sweep_all(Sockets *k) {
        size_t n;
        Service *const *services = supervisor_services(k->supervisor, &n);

        k->to_sweep = false;
        for (size_t i = 0; i < n; i++)
                if (sight_all(k, services[i]))
                        supervisor_mark(services[i]);
}

static bool is_overdue(const Sockets *k) {
        return clock_monotonic_usec() > k->due_usec + SWEEP_LATE_USEC;
}

/* What was believed for a time only may be too old by now. */
static void mark_all(Sockets *k) {
        size_t n;
        Service *const *services = supervisor_services(k->supervisor, &n);

        for (size_t i = 0; i < n; i++)
                supervisor_mark(services[i]);
}

static void sweep(Sockets *k) {
        /* Our own time and not the world's: on a busy machine a sweep that had to wait would make us look away. */
        uint64_t before_usec = clock_now_usec(CLOCK_THREAD_CPUTIME_ID), cost_usec;
        bool late = is_overdue(k);

        if (late) {
                k->late_usec = clock_monotonic_usec();
                mark_all(k);
        }
        refresh(k);
        if (k->to_sweep || !k->watch || late)
                sweep_all(k);
        cost_usec = (clock_now_usec(CLOCK_THREAD_CPUTIME_ID) - before_usec) * SWEEP_COST_FACTOR;
        k->due_usec = clock_monotonic_usec() + (cost_usec > SWEEP_INTERVAL_USEC ? cost_usec : SWEEP_INTERVAL_USEC);
        (void) sd_event_source_set_time(k->sweep, k->due_usec);
        (void) sd_event_source_set_enabled(k->sweep, SD_EVENT_ONESHOT);
}

static int on_sweep(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source;
        (void) usec;
        sweep(userdata);
        return 0;
}

bool sockets_are_late(const Sockets *k) {
        return k->late_usec > 0 && clock_monotonic_usec() < k->late_usec + CATCH_UP_USEC;
}

bool sockets_catch_up(Sockets *k) {
        if (!is_overdue(k))
                return false;
        sweep(k);
        return true;
}

static bool lies_in(const char *path, const char *directory) {
        size_t n = strlen(directory);

        return strncmp(path, directory, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}

static void on_folder(const char *directory, const char *name, void *userdata) {
        Sockets *k = userdata;
        size_t n;
        Service *const *services = supervisor_services(k->supervisor, &n);

        (void) name;
        refresh(k);
        for (size_t i = 0; i < n; i++) {
                bool changed = false;

                for (size_t j = 0; j < services[i]->definition->n_sockets; j++)
                        if (lies_in(services[i]->sockets[j].definition->path, directory))
                                changed = sight(k, services[i], &services[i]->sockets[j]) || changed;
                if (changed)
                        supervisor_mark(services[i]);
        }
}

/* The folder of each socket, one call of `f` a socket: socket_watch counts. */
static void each_folder(Sockets *k, const Service *s, int (*add)(SocketWatch *w, const char *directory),
                        void (*remove_folder)(SocketWatch *w, const char *directory)) {
        for (size_t i = 0; k->watch && i < s->definition->n_sockets; i++) {
                const char *path = s->definition->sockets[i].path, *slash = strrchr(path, '/');
                _cleanup_free_ char *folder = strndup(path, slash > path ? (size_t) (slash - path) : 1);
                int r = 0;

                if (folder && add)
                        r = add(k->watch, folder);
                else if (folder)
                        remove_folder(k->watch, folder);
                if (r < 0)
                        log_warning("%s: cannot watch %s, so it is looked at by the sweep alone: %s",
                                    s->definition->name, folder, strerror(-r));
        }
}

void sockets_follow(Sockets *k, Service *service) {
        each_folder(k, service, socket_watch_add, NULL);
        if (service->definition->n_sockets > 0)
                (void) sockets_look(k, service);
}

void sockets_forget(Sockets *k, Service *service) {
        each_folder(k, service, NULL, socket_watch_remove);
}

void sockets_reset(Service *service, const Action *owner) {
        for (size_t i = 0; i < service->definition->n_sockets; i++) {
                ServiceSocket *socket = &service->sockets[i];

                if (owner && socket->definition->action >= 0 && &service->actions[socket->definition->action] != owner)
                        continue;
                socket->seen_alive = socket->seen.state == SOCKET_ALIVE && !socket->foreign;
                socket->identified_inode = 0;
        }
}

static void clean_ready_file(const Service *s, size_t action) {
        _cleanup_free_ char *path = unit_plan_ready_file(s->definition, action);

        if (path && unlink(path) < 0 && errno != ENOENT)
                log_warning("%s: cannot remove %s: %s", s->definition->name, path, strerror(errno));
}

static bool all_down(const Service *s) {
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (s->actions[i].facts.active != UNIT_INACTIVE && s->actions[i].facts.active != UNIT_FAILED)
                        return false;
        return true;
}

void sockets_clean(Service *service, int action) {
        const ServiceDefinition *d = service->definition;
        bool with_common = action < 0 || all_down(service); /* a socket of no action may be any one's */

        for (size_t i = 0; i < d->n_sockets; i++) {
                int r;

                if (d->sockets[i].action < 0 ? !with_common : action >= 0 && d->sockets[i].action != action)
                        continue;
                r = socket_remove_stale(d->sockets[i].path);
                if (r < 0)
                        log_warning("%s: cannot remove the dead socket %s: %s", d->name, d->sockets[i].path,
                                    strerror(-r));
                else if (r > 0)
                        log_info("%s: removed the dead socket %s", d->name, d->sockets[i].path);
        }
        for (size_t i = 0; i < d->n_actions; i++)
                if (d->actions[i].ready == READY_FILE && (action < 0 || (size_t) action == i))
                        clean_ready_file(service, i);
}
