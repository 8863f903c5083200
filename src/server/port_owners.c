/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/port_owners.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "boundary/socket_holders.h"
#include "boundary/unit_cgroup.h"
#include "server/supervisor.h"

enum {
        DESCRIPTORS_AT_ONCE = 2000, /* about as many microseconds */
};
#define SEARCH_PAUSE_USEC (5 * USEC_PER_MSEC)
/* After one for which there was no memory or no descriptor. */
#define SEARCH_AGAIN_USEC (250 * USEC_PER_MSEC)

typedef struct Entry {
        uint32_t socket;
        bool is_known;
        PortOwner owner;
        SocketHolder holder; /* what owner.pid is the word of */
} Entry;

struct PortOwners {
        Supervisor *supervisor;
        void (*found)(void *userdata);
        void *userdata;
        Entry *entries;
        size_t n, n_allocated, next_recheck;
        HolderSearch *search; /* through all processes, for one socket; NULL: none is under way */
        uint32_t searched;
        bool has_failed;        /* the last search, of what passes */
        sd_event_source *timer; /* made beforehand, so that to arm it asks for no memory */
};

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

int port_owners_new(Supervisor *s, void (*found)(void *userdata), void *userdata, PortOwners **ret) {
        _cleanup_(port_owners_freep) PortOwners *o = calloc(1, sizeof *o);
        int r;

        if (!o)
                return -ENOMEM;
        o->supervisor = s;
        o->found = found;
        o->userdata = userdata;
        r = sd_event_add_time_relative(supervisor_event(s), &o->timer, CLOCK_MONOTONIC, SEARCH_PAUSE_USEC,
                                       USEC_PER_MSEC, on_timer, o);
        if (r >= 0)
                r = sd_event_source_set_enabled(o->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(o);
        return 0;
}

PortOwners *port_owners_free(PortOwners *o) {
        if (!o)
                return NULL;
        sd_event_source_disable_unref(o->timer);
        holder_search_free(o->search);
        free(o->entries);
        free(o);
        return NULL;
}

/* -- what is known -- */

static Entry *find(PortOwners *o, uint32_t socket) {
        for (size_t i = 0; i < o->n; i++)
                if (o->entries[i].socket == socket)
                        return &o->entries[i];
        return NULL;
}

static Entry *add(PortOwners *o, const PortListener *l) {
        if (o->n == o->n_allocated) {
                size_t n = o->n_allocated > 0 ? 2 * o->n_allocated : 8;
                Entry *larger = reallocarray(o->entries, n, sizeof *larger);

                if (!larger)
                        return NULL;
                o->entries = larger;
                o->n_allocated = n;
        }
        o->entries[o->n] = (Entry){ .socket = l->socket, .owner = { .uid = l->uid } };
        return &o->entries[o->n++];
}

static void drop(PortOwners *o, size_t i) {
        o->entries[i] = o->entries[--o->n];
}

/* PID 1, or a user's manager: it listens for .socket units. */
static bool is_manager(uint32_t pid, const char *unit) {
        return pid == 1 || strcmp(unit, "init.scope") == 0;
}

void port_owners_doubt(PortOwners *o, const Service *service) {
        for (size_t i = o->n; i-- > 0;) {
                const PortOwner *owner = &o->entries[i].owner;

                if (is_manager(owner->pid, owner->unit) ||
                    supervisor_find_by_unit(o->supervisor, owner->unit) == service)
                        drop(o, i);
        }
}

void port_owners_prune(PortOwners *o, bool (*is_listening)(void *userdata, uint32_t socket), void *userdata) {
        for (size_t i = o->n; i-- > 0;)
                if (!is_listening(userdata, o->entries[i].socket))
                        drop(o, i);
}

bool port_owners_recheck_one(PortOwners *o) {
        const Entry *e;

        if (o->n == 0)
                return false;
        o->next_recheck = (o->next_recheck + 1) % o->n;
        e = &o->entries[o->next_recheck];
        if (e->holder.pid == 0 || socket_holder_is_true(&e->holder))
                return false;
        drop(o, o->next_recheck);
        return true;
}

/* -- finding out -- */

static bool is_user(const PortOwners *o) {
        return supervisor_options(o->supervisor)->is_user;
}

/* How much a holder says about whose the socket is: a service has it though systemd made it, and keeps it too. */
static int weight(const PortOwners *o, pid_t pid, const char *unit) {
        if (supervisor_find_by_unit(o->supervisor, unit))
                return 3;
        return is_manager((uint32_t) pid, unit) ? 2 : 1;
}

/* Takes the best of the holders that a search has found. False: of one it cannot be told just now, and it may be the
 * best. */
static bool take_holders(const PortOwners *o, const HolderSearch *search, Entry *e) {
        size_t n;
        const SocketHolder *holders = holder_search_found(search, &n);
        int best = 0;

        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *unit = NULL;
                int r = process_unit_of(holders[i].pid, is_user(o), &unit);

                if (service_step_may_pass(r))
                        return false;
                if (r < 0 || weight(o, holders[i].pid, unit) <= best)
                        continue;
                best = weight(o, holders[i].pid, unit);
                e->holder = holders[i];
                e->owner.pid = (uint32_t) holders[i].pid;
                process_command_of(holders[i].pid, e->owner.command);
                (void) snprintf(e->owner.unit, sizeof e->owner.unit, "%s", unit);
        }
        return true;
}

/* What it has made itself is found at once, without a look at all processes. */
static void look_in_unit(const PortOwners *o, const Action *a, const PortListener *l, Entry *e) {
        _cleanup_(holder_search_freep) HolderSearch *search = NULL;
        _cleanup_close_ int folder = -1;
        struct stat st;

        if (l->cgroup == 0 || a->facts.main_pid == 0)
                return;
        folder = unit_cgroup_open((pid_t) a->facts.main_pid, a->unit);
        if (folder < 0 || fstat(folder, &st) < 0 || st.st_ino != l->cgroup)
                return;
        (void) snprintf(e->owner.unit, sizeof e->owner.unit, "%s", a->unit);
        if (holder_search_new(&l->socket, 1, folder, &search) < 0 ||
            holder_search_step(search, DESCRIPTORS_AT_ONCE) < 0)
                return;
        e->is_known = take_holders(o, search, e) && e->owner.pid > 0;
}

static void go_on_later(PortOwners *o) {
        (void) sd_event_source_set_time_relative(o->timer, o->has_failed ? SEARCH_AGAIN_USEC : SEARCH_PAUSE_USEC);
        (void) sd_event_source_set_enabled(o->timer, SD_EVENT_ONESHOT);
}

/* One step of the search through all processes. Where nobody is found the word of the cgroup stands, if there is one.
 */
static void search(PortOwners *o) {
        int r = holder_search_step(o->search, DESCRIPTORS_AT_ONCE);
        Entry *e = r != 0 ? find(o, o->searched) : NULL;

        o->has_failed = service_step_may_pass(r);
        if (e && !o->has_failed) {
                e->is_known = take_holders(o, o->search, e);
                o->has_failed = !e->is_known;
        }
        if (r != 0)
                o->search = holder_search_free(o->search);
}

static void begin_search(PortOwners *o, Entry *e) {
        int r = holder_search_new(&e->socket, 1, -1, &o->search);

        if (r < 0) {
                o->has_failed = service_step_may_pass(r);
                e->is_known = !o->has_failed;
                return;
        }
        o->searched = e->socket;
        search(o);
}

static Entry *first_unknown(PortOwners *o) {
        for (size_t i = 0; i < o->n; i++)
                if (!o->entries[i].is_known)
                        return &o->entries[i];
        return NULL;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        PortOwners *o = userdata;

        (void) source;
        (void) usec;
        if (o->search)
                search(o);
        else if (first_unknown(o))
                begin_search(o, first_unknown(o));
        if (o->search || first_unknown(o))
                go_on_later(o);
        if (!o->search)
                o->found(o->userdata);
        return 0;
}

const PortOwner *port_owners_ask(PortOwners *o, const Service *service, const PortListener *listener) {
        Entry *e = find(o, listener->socket);

        if (!e) {
                e = add(o, listener);
                if (!e) {
                        o->has_failed = true;
                        go_on_later(o); /* which has whoever asks ask again */
                        return NULL;
                }
                for (size_t i = 0; i < service->definition->n_actions && !e->is_known; i++)
                        look_in_unit(o, &service->actions[i], listener, e);
                if (!e->is_known && !o->search)
                        begin_search(o, e);
                if (!e->is_known)
                        go_on_later(o);
        }
        return e->is_known ? &e->owner : NULL;
}
