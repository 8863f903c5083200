/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/socket_sighting.h"

#include <stdlib.h>

#include "base/clock.h"
#include "boundary/process_root.h"
#include "boundary/socket_path.h"
#include "server/death_doubt.h"
#include "server/probing.h"

/* For so long a path counts as a link after it was one: whoever swaps it to and fro is not to be seen as well between.
 */
#define LINK_MEMORY_USEC (1 * USEC_PER_SEC)

/* The file system as a process sees it that the socket may be made by. -ENOENT: none of them has one of its own; what
 * may pass: it is not known whether one has. */
static int open_view(ServiceSocket *socket) {
        const Service *s = socket->service;
        int owner = socket->definition->action, r = -ENOENT;

        for (size_t i = 0; r < 0 && !service_step_may_pass(r) && i < s->definition->n_actions; i++) {
                if ((owner >= 0 && (size_t) owner != i) || s->actions[i].facts.main_pid == 0)
                        continue;
                r = process_root_open((pid_t) s->actions[i].facts.main_pid);
                socket->view_pid = s->actions[i].facts.main_pid;
        }
        return r;
}

typedef struct Sight {
        int root;
        SocketSighting seen;
        int file;
} Sight;

static bool is_same_file(const SocketSighting *a, const SocketSighting *b) {
        return socket_state_is_good(a->state) && socket_state_is_good(b->state) && a->inode == b->inode &&
               a->socket == b->socket;
}

/* Takes what was seen for the truth, and finds out whose the socket is where that is not known yet. */
static void take(SocketSights *k, ServiceSocket *socket, Sight *sight) {
        bool is_same = is_same_file(&socket->seen, &sight->seen);

        if (!is_same) {
                socket_identity_forget(socket);
                cleanup_close(&socket->file);
                socket->file = TAKE_FD(sight->file);
        }
        cleanup_close(&sight->file);
        sight->file = -1;
        socket->seen = sight->seen;
        if (socket->seen.state == SOCKET_LINK) {
                free(socket->link_text);
                socket->link_text = socket_path_link_text(sight->root, socket->definition->path);
                socket->link_until_usec = clock_monotonic_usec() + LINK_MEMORY_USEC;
        }
        if (socket_state_is_good(socket->seen.state) && socket->listener.owner == OWNER_NOT_ASKED)
                socket_identity_ask(k->identity, socket, -1);
}

static void look(const SocketSights *k, const ServiceSocket *socket, int root, Sight *ret) {
        ret->root = root;
        ret->seen = socket_table_look(k->table, root, socket->definition->path, &socket->seen, &ret->file);
}

/* A service with a file system of its own (PrivateTmp=, RootDirectory=) may have the socket there; what is at that path
 * for others is then none of its business. True: there is such a view, and no event tells what changes in it. */
static bool look_in_both_views(SocketSights *k, ServiceSocket *socket) {
        _cleanup_close_ int view = socket->in_view ? open_view(socket) : -1;
        Sight here = { .file = -1 }, there = { .file = -1 };

        if (view >= 0) {
                look(k, socket, view, &there);
                take(k, socket, &there);
                return true;
        }
        if (!socket_state_is_good(there.seen.state)) {
                look(k, socket, -1, &here);
                if (socket_state_is_good(here.seen.state)) {
                        socket->in_view = false;
                        take(k, socket, &here);
                        if (socket->listener.owner == OWNER_SERVICE)
                                return false;
                }
                if (view < 0)
                        view = open_view(socket);
                if (view >= 0)
                        look(k, socket, view, &there);
                else if (service_step_may_pass(view) && !socket_state_is_good(here.seen.state))
                        here.seen.state = SOCKET_UNKNOWN;
        }
        socket->in_view = socket->in_view || socket_state_is_good(there.seen.state);
        if (socket->in_view && view >= 0)
                take(k, socket, &there);
        else if (!socket_state_is_good(here.seen.state))
                take(k, socket, &here);
        return view >= 0;
}

Action *socket_sighting_owner(const ServiceSocket *socket) {
        int action = socket->definition->action;

        return action >= 0 ? &socket->service->actions[action] : NULL;
}

/* Whether each sweep is to look at it: no event and no change of the table will tell what becomes of it. */
static void suspect(SocketSights *k, ServiceSocket *socket, bool is_unseen) {
        bool is_suspect = is_unseen || socket->seen.is_out_of_sight || socket->is_unwatched ||
                          socket->seen.state == SOCKET_UNKNOWN ||
                          (socket_state_is_good(socket->seen.state) && socket->listener.owner != OWNER_SERVICE);

        if (is_suspect && !socket->is_suspect)
                LIST_INSERT_HEAD(&k->suspects, socket, suspects);
        else if (!is_suspect && socket->is_suspect)
                LIST_REMOVE(socket, suspects);
        socket->is_suspect = is_suspect;
}

/* How long a queue has been full is known of one that was seen with room a moment ago. */
static void note_full(const SocketSights *k, ServiceSocket *socket, SocketState before) {
        if (socket->seen.state != SOCKET_NOT_ACCEPTING)
                socket->was_found_full = false;
        else if (before != SOCKET_NOT_ACCEPTING)
                socket->was_found_full = k->is_first_in_a_while || !socket->seen_alive;
}

bool socket_sighting_take(SocketSights *k, ServiceSocket *socket, bool ask_again) {
        Service *s = socket->service;
        SocketSighting before = socket->seen;
        SocketOwner owner_before = socket->listener.owner;
        bool is_unseen = look_in_both_views(k, socket), is_changed;

        if (ask_again && socket_state_is_good(socket->seen.state) && socket->listener.owner != OWNER_SERVICE)
                socket_identity_ask_again(k->identity, socket);
        if (!socket_state_is_good(socket->seen.state) && socket->seen.state != SOCKET_LINK &&
            socket_state_is_good(before.state) && owner_before == OWNER_SERVICE)
                death_doubt_raise(socket_sighting_owner(socket), &socket->doubt_until_usec);
        if (socket_state_is_good(socket->seen.state))
                socket->doubt_until_usec = 0;
        is_changed = socket->seen.state != before.state || owner_before != socket->listener.owner ||
                     (socket_state_is_good(before.state) && !is_same_file(&socket->seen, &before));
        if (is_changed && socket->seen.state == SOCKET_ALIVE && socket->listener.owner == OWNER_SERVICE) {
                socket->seen_alive = true;
                probing_socket_appeared(s, (int) (socket - s->sockets));
        }
        note_full(k, socket, before.state);
        suspect(k, socket, is_unseen);
        return is_changed || before.waiting_since_usec != socket->seen.waiting_since_usec;
}

bool socket_sighting_follow(SocketSights *k, ServiceSocket *socket, bool is_watched) {
        SocketSighting before = socket->seen;

        if (socket->is_suspect || socket_sighting_state(socket) == SOCKET_LINK ||
            socket->listener.owner != OWNER_SERVICE || !is_watched || !socket_table_follow(k->table, &socket->seen))
                return socket_sighting_take(k, socket, false);
        note_full(k, socket, before.state);
        if (socket->seen.state == SOCKET_ALIVE && before.state != SOCKET_ALIVE)
                probing_socket_appeared(socket->service, (int) (socket - socket->service->sockets));
        return before.state != socket->seen.state || before.waiting_since_usec != socket->seen.waiting_since_usec;
}

SocketState socket_sighting_state(const ServiceSocket *socket) {
        if (clock_monotonic_usec() < socket->link_until_usec)
                return SOCKET_LINK;
        if (!socket_state_is_good(socket->seen.state))
                return socket->seen.state;
        switch (socket->listener.owner) {
        case OWNER_SERVICE:
                return socket->seen.state;
        case OWNER_STRANGER:
                return SOCKET_FOREIGN;
        case OWNER_NOT_ASKED:
        case OWNER_UNTOLD:
        case _SOCKET_OWNER_MAX:
                break;
        }
        return SOCKET_UNKNOWN;
}
