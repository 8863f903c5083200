/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/sockets.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "boundary/socket_watch.h"
#include "server/death_doubt.h"
#include "server/notices.h"
#include "server/socket_sighting.h"
#include "server/supervisor.h"

/* One dump of the kernel's table serves all services and costs 0.04 ms for a few, 0.4 ms for a thousand listeners. The
 * sweep is as often as promised (a closed listener shows within 100 ms), but never takes more than a hundredth of a
 * core. */
#define SWEEP_INTERVAL_USEC (50 * USEC_PER_MSEC)
#define SWEEP_COST_FACTOR 100u
/* A sweep that comes so much later than it is due: the server was stopped or starved in between. For a while after that
 * its answers wait for what it missed. */
#define SWEEP_LATE_USEC (100 * USEC_PER_MSEC)
/* From then on a queue that is full may have been it for longer than a burst lasts, unseen. */
#define LONG_LATE_USEC (500 * USEC_PER_MSEC)
#define CATCH_UP_USEC (1 * USEC_PER_SEC)
/* How often a socket that is not known to be its service's own is asked about. */
#define ASK_AGAIN_USEC (250 * USEC_PER_MSEC)

struct Sockets {
        Supervisor *supervisor;
        SocketSights sights;
        SocketWatch *watch;
        sd_event_source *sweep;
        bool has_begun;
        uint64_t due_usec, late_usec; /* monotonic: the next sweep; when one was last found late (0: never) */
        uint64_t long_late_usec;      /* the same, by LONG_LATE_USEC */
        bool to_sweep;                /* the table changed, and not every service has been looked at since */
        uint64_t ask_again_usec;
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
        k->due_usec = USEC_NEVER;
        LIST_INIT(&k->sights.suspects);
        r = socket_table_new(&k->sights.table);
        if (r >= 0)
                r = socket_identity_new(s, &k->sights.identity);
        if (r >= 0)
                r = start_watch(k);
        if (r >= 0)
                r = sd_event_add_time(supervisor_event(s), &k->sweep, CLOCK_MONOTONIC, k->due_usec, USEC_PER_MSEC,
                                      on_sweep, k);
        if (r >= 0)
                r = sd_event_source_set_enabled(k->sweep, SD_EVENT_OFF);
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
        socket_identity_free(k->sights.identity);
        socket_table_free(k->sights.table);
        free(k);
        return NULL;
}

/* The table says only once that it changed, also when it was read for the sake of one service: what that means for the
 * others is left to the next sweep. */
static void refresh(Sockets *k) {
        bool changed = false;

        if (socket_table_refresh(k->sights.table, &changed) < 0)
                changed = true; /* the table answers by connecting now */
        k->to_sweep = k->to_sweep || changed;
}

static bool sight_all(Sockets *k, Service *s) {
        bool changed = false;

        for (size_t i = 0; i < s->definition->n_sockets; i++)
                changed = socket_sighting_take(&k->sights, &s->sockets[i], false) || changed;
        return changed;
}

bool sockets_look(Sockets *k, Service *service) {
        if (service->definition->n_sockets == 0 || !k->has_begun)
                return false;
        refresh(k);
        return sight_all(k, service);
}

void sockets_process_changed(Sockets *k, Service *service) {
        for (size_t i = 0; k->has_begun && i < service->definition->n_sockets; i++)
                if (socket_sighting_state(&service->sockets[i]) != SOCKET_ALIVE)
                        (void) socket_sighting_take(&k->sights, &service->sockets[i], true);
}

static void sweep_suspects(Sockets *k) {
        bool ask_again = clock_monotonic_usec() >= k->ask_again_usec;
        ServiceSocket *next;

        for (ServiceSocket *socket = LIST_FIRST(&k->sights.suspects); socket; socket = next) {
                if (socket_sighting_take(&k->sights, socket, ask_again))
                        supervisor_mark(socket->service);
                next = LIST_NEXT(socket, suspects); /* is its next still, should it have been taken out just now */
        }
        if (ask_again)
                k->ask_again_usec = clock_monotonic_usec() + ASK_AGAIN_USEC;
        socket_identity_work(k->sights.identity);
}

static void sweep_all(Sockets *k, bool look_at_files) {
        size_t n;
        Service *const *services = supervisor_services(k->supervisor, &n);

        k->to_sweep = false;
        for (size_t i = 0; i < n; i++) {
                bool changed = false;

                for (size_t j = 0; j < services[i]->definition->n_sockets; j++) {
                        ServiceSocket *socket = &services[i]->sockets[j];

                        changed |= look_at_files ? socket_sighting_take(&k->sights, socket, false)
                                                 : socket_sighting_follow(&k->sights, socket, k->watch);
                }
                if (changed)
                        supervisor_mark(services[i]);
        }
}

static bool is_overdue(const Sockets *k) {
        return clock_monotonic_usec() > usec_add(k->due_usec, SWEEP_LATE_USEC);
}

/* What was believed for a time only may be too old by now. */
static void mark_all(Sockets *k) {
        size_t n;
        Service *const *services = supervisor_services(k->supervisor, &n);

        for (size_t i = 0; i < n; i++)
                supervisor_mark(services[i]);
}

static void set_next_sweep(Sockets *k, uint64_t delay_usec) {
        k->due_usec = clock_monotonic_usec() + delay_usec;
        (void) sd_event_source_set_time(k->sweep, k->due_usec);
        (void) sd_event_source_set_enabled(k->sweep, SD_EVENT_ONESHOT);
}

static void sweep(Sockets *k) {
        /* Our own time and not the world's: on a busy machine a sweep that had to wait would make us look away. */
        uint64_t before_usec = clock_now_usec(CLOCK_THREAD_CPUTIME_ID), cost_usec;
        bool late = is_overdue(k);

        k->sights.is_first_in_a_while = clock_monotonic_usec() > usec_add(k->due_usec, LONG_LATE_USEC);
        if (k->sights.is_first_in_a_while)
                k->long_late_usec = clock_monotonic_usec();
        if (late) {
                k->late_usec = clock_monotonic_usec();
                mark_all(k);
        }
        refresh(k);
        if (k->to_sweep || !k->watch || late)
                sweep_all(k, late);
        sweep_suspects(k);
        k->sights.is_first_in_a_while = false;
        cost_usec = (clock_now_usec(CLOCK_THREAD_CPUTIME_ID) - before_usec) * SWEEP_COST_FACTOR;
        set_next_sweep(k, cost_usec > SWEEP_INTERVAL_USEC ? cost_usec : SWEEP_INTERVAL_USEC);
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

bool sockets_were_long_unseen(const Sockets *k) {
        return k->long_late_usec > 0 && clock_monotonic_usec() < k->long_late_usec + 2 * SWEEP_INTERVAL_USEC;
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

static void note_watch(ServiceSocket *socket, int r) {
        if (r < 0 && !socket->is_unwatched)
                log_warning("%s: cannot watch the folder of %s, so it is looked at by the sweep alone: %s",
                            socket->service->definition->name, socket->definition->path, strerror(-r));
        socket->is_unwatched = r < 0;
}

static void on_folder(const char *directory, const char *name, void *userdata) {
        Sockets *k = userdata;
        int error = socket_watch_error(k->watch, directory);
        size_t n;
        Service *const *services = supervisor_services(k->supervisor, &n);

        (void) name;
        if (k->has_begun)
                refresh(k);
        for (size_t i = 0; i < n; i++) {
                bool changed = false;

                for (size_t j = 0; j < services[i]->definition->n_sockets; j++) {
                        ServiceSocket *socket = &services[i]->sockets[j];

                        if (!lies_in(socket->definition->path, directory))
                                continue;
                        if (socket->is_counted)
                                note_watch(socket, error);
                        changed = (k->has_begun && socket_sighting_take(&k->sights, socket, false)) || changed;
                }
                if (changed)
                        supervisor_mark(services[i]);
        }
}

static char *folder_of(const ServiceSocket *socket) {
        const char *path = socket->definition->path, *slash = strrchr(path, '/');

        return strndup(path, slash > path ? (size_t) (slash - path) : 1);
}

/* One call a socket: socket_watch counts. */
static void watch_folder(Sockets *k, ServiceSocket *socket) {
        _cleanup_free_ char *folder = folder_of(socket);
        int r = folder ? socket_watch_add(k->watch, folder) : -ENOMEM;

        socket->is_counted = r >= 0;
        note_watch(socket, r < 0 ? r : socket_watch_error(k->watch, folder));
}

static void let_go_of_folder(Sockets *k, ServiceSocket *socket) {
        _cleanup_free_ char *folder = socket->is_counted ? folder_of(socket) : NULL;

        if (folder)
                socket_watch_remove(k->watch, folder);
        socket->is_counted = false;
}

void sockets_follow(Sockets *k, Service *service) {
        for (size_t i = 0; k->watch && i < service->definition->n_sockets; i++)
                watch_folder(k, &service->sockets[i]);
        (void) sockets_look(k, service);
}

void sockets_forget(Sockets *k, Service *service) {
        for (size_t i = 0; k->watch && i < service->definition->n_sockets; i++)
                let_go_of_folder(k, &service->sockets[i]);
}

/* By the picture that there is. */
static void reset(Sockets *k, Service *service, const Action *owner) {
        for (size_t i = 0; i < service->definition->n_sockets; i++) {
                ServiceSocket *socket = &service->sockets[i];

                if (owner && socket->definition->action >= 0 && &service->actions[socket->definition->action] != owner)
                        continue;
                socket_identity_forget(socket);
                socket->in_view = false;
                (void) socket_sighting_take(&k->sights, socket, false);
                socket->seen_alive = socket->seen.state == SOCKET_ALIVE && socket->listener.owner == OWNER_SERVICE;
        }
}

void sockets_reset(Sockets *k, Service *service, const Action *owner) {
        if (service->definition->n_sockets == 0 || !k->has_begun)
                return;
        refresh(k);
        reset(k, service, owner);
}

/* What systemd was last heard of may be from before a stop, and a socket that is gone the first sign of it. */
static void doubt_what_is_gone(Service *s) {
        for (size_t i = 0; i < s->definition->n_sockets; i++) {
                ServiceSocket *socket = &s->sockets[i];

                if (!socket_state_is_good(socket->seen.state) && socket->seen.state != SOCKET_LINK)
                        death_doubt_raise(socket_sighting_owner(socket), &socket->doubt_until_usec);
        }
}

void sockets_begin(Sockets *k) {
        size_t n;
        Service *const *services = supervisor_services(k->supervisor, &n);

        k->has_begun = true;
        refresh(k);
        for (size_t i = 0; i < n; i++) {
                reset(k, services[i], NULL);
                doubt_what_is_gone(services[i]);
        }
        set_next_sweep(k, SWEEP_INTERVAL_USEC);
}

void sockets_release(ServiceSocket *socket) {
        if (!socket->service)
                return; /* was never set up */
        socket_identity_forget(socket);
        cleanup_close(&socket->file);
        free(socket->link_text);
        if (socket->is_suspect)
                LIST_REMOVE(socket, suspects);
}

char *sockets_path(const ServiceSocket *socket) {
        char *path;
        int r;

        if (socket->in_view && socket->view_pid > 0)
                r = asprintf(&path, "/proc/%" PRIu32 "/root%s", socket->view_pid, socket->definition->path);
        else
                r = asprintf(&path, "%s", socket->definition->path);
        return r < 0 ? NULL : path;
}

/* -- what a probe connects to -- */

static int why_not(SocketState state, ProbeResult *refusal) {
        switch (state) {
        case SOCKET_MISSING:
        case SOCKET_UNLINKED:
                return -ENOENT;
        case SOCKET_NO_LISTENER:
                return -ECONNREFUSED;
        case SOCKET_LINK:
        case SOCKET_UNKNOWN:
        case SOCKET_ALIVE:
        case SOCKET_FOREIGN:
        case SOCKET_NOT_ACCEPTING:
        case _SOCKET_STATE_MAX:
        case SOCKET_STATE_INVALID:
                break;
        }
        refusal->outcome = PROBE_UNKNOWN;
        (void) snprintf(refusal->error, sizeof refusal->error, "its socket %s",
                        state == SOCKET_LINK ? "is a symbolic link" : "cannot be looked at");
        return 1;
}

int sockets_connect_probe(int fd, ProbeResult *refusal, void *userdata) {
        ServiceSocket *socket = userdata;
        Sockets *k = supervisor_sockets(socket->service->supervisor);

        if (socket->file < 0 && socket_sighting_take(&k->sights, socket, false))
                supervisor_mark(socket->service);
        if (socket->file < 0 || clock_monotonic_usec() < socket->link_until_usec)
                return why_not(socket_sighting_state(socket), refusal);
        return socket_identity_connect(k->sights.identity, socket, fd, refusal);
}
