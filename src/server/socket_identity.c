/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/socket_identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "boundary/process_unit.h"
#include "boundary/socket_holders.h"
#include "boundary/socket_peer.h"
#include "boundary/unit_cgroup.h"
#include "boundary/unix_connect.h"
#include "core/socket_owner.h"
#include "server/sockets.h"
#include "server/supervisor.h"

enum {
        DESCRIPTORS_AT_ONCE = 1000, /* about as many microseconds */
        DESCRIPTORS_OF_MANAGER_MAX = 20000,
        ASKED_MAX = 8, /* connections in a second to find out whose a socket is */
};
/* Between two searches through all processes for the same socket. */
#define SEARCH_PAUSE_USEC (5 * USEC_PER_SEC)
/* So long a search that is over is kept for the socket that it was made for. */
#define SEARCH_KEEP_USEC (1 * USEC_PER_SEC)

struct SocketIdentity {
        Supervisor *supervisor;
        HolderSearch *search; /* through all processes, for one socket; NULL: none is under way */
        uint32_t searched;
        uint64_t search_over_usec; /* monotonic: when all had been looked through; 0: not yet */
};

int socket_identity_new(Supervisor *s, SocketIdentity **ret) {
        SocketIdentity *k = calloc(1, sizeof *k);

        if (!k)
                return -ENOMEM;
        k->supervisor = s;
        *ret = k;
        return 0;
}

SocketIdentity *socket_identity_free(SocketIdentity *k) {
        if (!k)
                return NULL;
        holder_search_free(k->search);
        free(k);
        return NULL;
}

static void free_unit(SocketListener *l) {
        if (!l->is_own_unit)
                free((char *) l->unit);
        l->unit = NULL;
}

void socket_identity_forget(ServiceSocket *socket) {
        sd_event_source_disable_unref(socket->listener.exit);
        free_unit(&socket->listener);
        socket->listener = (SocketListener){ .owner = OWNER_NOT_ASKED };
}

/* -- who is known, and until when -- */

static int on_listener_exit(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        ServiceSocket *socket = userdata;
        Service *s = socket->service;

        (void) source;
        (void) fd;
        (void) revents;
        socket_identity_forget(socket);
        (void) sockets_look(supervisor_sockets(s->supervisor), s);
        supervisor_mark(s);
        return 0;
}

/* The main process is watched by systemd. Takes `pidfd`. */
static void watch(SocketIdentity *k, ServiceSocket *socket, int pidfd) {
        SocketListener *l = &socket->listener;
        _cleanup_close_ int fd = pidfd;

        for (size_t i = 0; i < socket->service->definition->n_actions; i++)
                if (socket->service->actions[i].facts.main_pid == l->pid)
                        return;
        if (fd < 0 ||
            sd_event_add_io(supervisor_event(k->supervisor), &l->exit, fd, EPOLLIN, on_listener_exit, socket) < 0)
                return;
        if (sd_event_source_set_io_fd_own(l->exit, true) >= 0)
                (void) TAKE_FD(fd);
}

/* Takes `pidfd`. The name of the service's own unit is there already. */
static void name(SocketIdentity *k, ServiceSocket *socket, pid_t pid, const char *unit, int pidfd) {
        const Action *own = service_find_action_by_unit(socket->service, unit);
        SocketListener *l = &socket->listener;

        sd_event_source_disable_unref(TAKE_PTR(l->exit));
        free_unit(l);
        l->pid = (uint32_t) pid;
        l->is_own_unit = own != NULL;
        l->unit = own ? own->unit : strdup(unit);
        process_command_of(pid, l->command);
        watch(k, socket, pidfd);
}

static bool is_own_unit(const ServiceSocket *socket, const char *unit) {
        const Action *a = service_find_action_by_unit(socket->service, unit);
        int owner = socket->definition->action;

        return a && (owner < 0 || a == &socket->service->actions[owner]);
}

static bool is_user(const SocketIdentity *k) {
        return supervisor_options(k->supervisor)->is_user;
}

static bool is_manager(pid_t pid, const char *unit) {
        return pid == 1 || strcmp(unit, "init.scope") == 0;
}

/* -- evidence -- */

/* Negative errno: it cannot be found out just now. */
static int place_of(const SocketIdentity *k, const ServiceSocket *socket, const SocketPeer *peer, ListenerPlace *ret,
                    char **ret_unit) {
        _cleanup_free_ char *unit = NULL;
        int r = -ESRCH;

        *ret = peer->pid <= 0 ? LISTENER_UNSEEN : LISTENER_GONE;
        if (peer->pid > 0 && peer->pidfd >= 0)
                r = process_unit_of(peer->pid, is_user(k), &unit);
        if (r < 0 || process_has_ended(peer->pidfd))
                return r == -ESRCH ? 0 : r;
        if (is_own_unit(socket, unit))
                *ret = LISTENER_IN_UNIT;
        else if (is_manager(peer->pid, unit))
                *ret = LISTENER_MANAGER;
        else if (peer->is_exact)
                *ret = LISTENER_ELSEWHERE;
        *ret_unit = TAKE_PTR(unit);
        return 0;
}

/* Whether a process of the units that may have the socket has it. */
static SocketHeld held_by_unit(const ServiceSocket *socket, pid_t *ret_pid, const Action **ret_action) {
        const Service *s = socket->service;
        int owner = socket->definition->action;
        bool is_told = socket->seen.socket != 0;

        for (size_t i = 0; is_told && i < s->definition->n_actions; i++) {
                const Action *a = &s->actions[i];
                int r;

                if ((owner >= 0 && (size_t) owner != i) || a->facts.main_pid == 0)
                        continue;
                r = unit_cgroup_find_holder((pid_t) a->facts.main_pid, a->unit, socket->seen.socket, ret_pid);
                if (r > 0) {
                        *ret_action = a;
                        return HELD_BY_UNIT;
                }
                is_told = r == 0;
        }
        return is_told ? HELD_NOT_BY_UNIT : HELD_UNTOLD;
}

/* A connection of whatever type the socket takes. -EPROTOTYPE: it takes none, being one for datagrams. */
static int connect_to(int file, int *ret_fd) {
        static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };
        int r = -EPROTOTYPE;

        for (size_t i = 0; r == -EPROTOTYPE && i < ELEMENTSOF(types); i++) {
                _cleanup_close_ int fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

                if (fd < 0)
                        return -errno;
                r = unix_connect(fd, file);
                if (r == 0)
                        *ret_fd = TAKE_FD(fd);
        }
        return r;
}

/* -- judgement -- */

/* Whether it can be told without a connection, which would take a place in a queue, and would have systemd start
 * whatever it listens for. */
static bool ask_the_holders(SocketIdentity *k, ServiceSocket *socket, SocketHeld *ret_held) {
        const Action *a = NULL;
        pid_t pid = 0, manager = is_user(k) ? getppid() : 1;

        *ret_held = held_by_unit(socket, &pid, &a);
        if (*ret_held == HELD_BY_UNIT) {
                socket->listener.owner = socket_owner_decide(LISTENER_UNSEEN, HELD_BY_UNIT);
                name(k, socket, pid, a->unit, (int) syscall(SYS_pidfd_open, pid, 0));
                return true;
        }
        if (socket->seen.socket == 0 ||
            process_holds_socket(manager, socket->seen.socket, DESCRIPTORS_OF_MANAGER_MAX) <= 0)
                return false;
        socket->listener.owner = socket_owner_decide(LISTENER_MANAGER, *ret_held);
        name(k, socket, manager, "init.scope", (int) syscall(SYS_pidfd_open, manager, 0));
        return true;
}

/* What cannot be told for now is asked again: no event and no search would bring it. */
static void put_off(ServiceSocket *socket) {
        socket->listener.owner = OWNER_UNTOLD;
        socket->listener.is_put_off = true;
}

static void judge(SocketIdentity *k, ServiceSocket *socket, SocketPeer *peer, SocketHeld held) {
        _cleanup_free_ char *unit = NULL;
        ListenerPlace place;

        if (place_of(k, socket, peer, &place, &unit) < 0) {
                put_off(socket);
                return;
        }
        socket->listener.owner = socket_owner_decide(place, held);
        socket->listener.peer_pid = (uint32_t) peer->pid;
        if (unit)
                name(k, socket, peer->pid, unit, TAKE_FD(peer->pidfd));
}

/* A path at which another socket stands each time it is looked at must not cost whoever listens there a connection each
 * time. */
static bool may_connect(ServiceSocket *socket) {
        uint64_t now_usec = clock_monotonic_usec();

        if (now_usec >= usec_add(socket->asking_since_usec, USEC_PER_SEC)) {
                socket->asking_since_usec = now_usec;
                socket->n_asked = 0;
        }
        return socket->n_asked++ < ASKED_MAX;
}

void socket_identity_ask(SocketIdentity *k, ServiceSocket *socket, int fd) {
        _cleanup_(socket_peer_done) SocketPeer peer = { .pidfd = -1 };
        _cleanup_close_ int own = -1;
        SocketHeld held;
        int r = 0;

        socket_identity_forget(socket);
        if (ask_the_holders(k, socket, &held))
                return;
        if (fd < 0 && !may_connect(socket)) {
                put_off(socket);
                return;
        }
        if (fd < 0) {
                r = connect_to(socket->file, &own);
                fd = own;
        }
        if (r == -EPROTOTYPE) {
                socket->listener.owner = OWNER_SERVICE; /* nothing tells who is bound to a datagram socket */
                return;
        }
        if (r == 0)
                r = socket_peer_of(fd, &peer);
        if (r == 0 || r == -EAGAIN)
                judge(k, socket, &peer, held);
        else if (r != -ECONNREFUSED)
                put_off(socket);
}

/* -- looking for a holder among all processes -- */

/* Takes what the search has found. True: a process of the service is among them; else the first stranger has the
 * socket, but for systemd, which keeps sockets for others. */
static bool take_holders(SocketIdentity *k, ServiceSocket *socket) {
        size_t n;
        const SocketHolder *holders = holder_search_found(k->search, &n);

        for (size_t i = 0; i < n; i++) {
                _cleanup_close_ int pidfd = (int) syscall(SYS_pidfd_open, holders[i].pid, 0);
                _cleanup_free_ char *unit = NULL;

                if (process_unit_of(holders[i].pid, is_user(k), &unit) < 0 || !socket_holder_is_true(&holders[i]))
                        continue;
                if (is_own_unit(socket, unit))
                        return true;
                if (socket->listener.owner == OWNER_STRANGER || is_manager(holders[i].pid, unit))
                        continue;
                socket->listener.owner = OWNER_STRANGER;
                name(k, socket, holders[i].pid, unit, TAKE_FD(pidfd));
        }
        return false;
}

static void search(SocketIdentity *k, ServiceSocket *socket) {
        uint64_t now_usec = clock_monotonic_usec();

        if (k->search && k->search_over_usec > 0 && k->searched == socket->seen.socket) {
                bool is_ours = take_holders(k, socket);

                k->search = holder_search_free(k->search);
                if (is_ours)
                        socket_identity_ask(k, socket, -1);
                return;
        }
        if (socket->seen.socket == 0 || now_usec < socket->listener.search_after_usec ||
            (k->search && (k->search_over_usec == 0 || now_usec < k->search_over_usec + SEARCH_KEEP_USEC)))
                return;
        holder_search_free(k->search);
        k->search = NULL;
        k->searched = socket->seen.socket;
        k->search_over_usec = 0;
        socket->listener.search_after_usec = now_usec + SEARCH_PAUSE_USEC;
        (void) holder_search_new(&k->searched, 1, -1, &k->search);
}

void socket_identity_work(SocketIdentity *k) {
        if (k->search && k->search_over_usec == 0 && holder_search_step(k->search, DESCRIPTORS_AT_ONCE) != 0)
                k->search_over_usec = clock_monotonic_usec();
}

void socket_identity_ask_again(SocketIdentity *k, ServiceSocket *socket) {
        const Action *a;
        pid_t holder;

        if (socket->listener.is_put_off || held_by_unit(socket, &holder, &a) == HELD_BY_UNIT)
                socket_identity_ask(k, socket, -1);
        else if (socket->listener.owner == OWNER_UNTOLD)
                search(k, socket);
}

/* -- probes -- */

/* Says nothing of the service's handler, and leaves it to the socket to be a reason for something. */
static int refuse(const ServiceSocket *socket, ProbeResult *refusal) {
        refusal->outcome = PROBE_UNKNOWN;
        (void) snprintf(refusal->error, sizeof refusal->error, "%s",
                        socket->listener.owner == OWNER_STRANGER ? "its socket is held by a stranger"
                                                                 : "whose its socket is cannot be told");
        return 1;
}

int socket_identity_connect(SocketIdentity *k, ServiceSocket *socket, int fd, ProbeResult *refusal) {
        SocketListener *l = &socket->listener;
        uint32_t peer_pid;
        int r;

        if (l->owner == OWNER_NOT_ASKED)
                socket_identity_ask(k, socket, -1);
        if (l->owner != OWNER_SERVICE)
                return refuse(socket, refusal);
        r = unix_connect(fd, socket->file);
        if (r < 0)
                return r;
        peer_pid = (uint32_t) socket_peer_pid(fd);
        if (peer_pid == l->peer_pid)
                return 0;
        /* The first connection, or another process has called listen() on it. */
        if (l->peer_pid != 0) {
                socket_identity_ask(k, socket, fd);
                supervisor_mark(socket->service);
        }
        l->peer_pid = peer_pid;
        return l->owner == OWNER_SERVICE ? 0 : refuse(socket, refusal);
}
