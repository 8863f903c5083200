/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/contest.h"

#include <string.h>
#include <sys/stat.h>

#include "boundary/process_end.h"
#include "server/ports.h"
#include "server/socket_sighting.h"
#include "server/sockets.h"
#include "server/supervisor.h"

/* Not one more name of a file that has another: a service's folder is its user's, who could have anybody ended who
 * listens anywhere. */
static bool has_one_name(int file) {
        struct stat st;

        return fstat(file, &st) == 0 && st.st_nlink == 1;
}

static Contested contest_socket(const ServiceSocket *k) {
        Contested c = { .socket = k->seen.socket, .name = k->definition->name };

        if (socket_sighting_state(k) == SOCKET_LINK || !has_one_name(k->file))
                c.left = "leads to another socket by a link, and whoever listens there is left alone";
        else if (c.socket == 0)
                c.left = "is held by a process that cannot be seen from here, and is left to it";
        return c;
}

static bool is_contested(const ServiceSocket *k) {
        switch (socket_sighting_state(k)) {
        case SOCKET_FOREIGN:
        case SOCKET_LINK:
                return true;
        case SOCKET_UNKNOWN: /* somebody listens, and whose it is cannot be told */
                return k->file >= 0;
        case SOCKET_ALIVE:
        case SOCKET_MISSING:
        case SOCKET_NO_LISTENER:
        case SOCKET_UNLINKED:
        case SOCKET_NOT_ACCEPTING:
        case _SOCKET_STATE_MAX:
        case SOCKET_STATE_INVALID:
                break;
        }
        return false;
}

static size_t find_sockets(const Action *a, Contested ret[static CONTESTED_MAX]) {
        Service *s = a->service;
        size_t n = 0;

        (void) sockets_look(supervisor_sockets(s->supervisor), s);
        for (size_t i = 0; i < s->definition->n_sockets; i++) {
                const ServiceSocket *k = &s->sockets[i];

                if (is_contested(k) && (k->definition->action < 0 || &s->actions[k->definition->action] == a))
                        ret[n++] = contest_socket(k);
        }
        return n;
}

static size_t find_ports(const Action *a, Contested ret[static CONTESTED_MAX], size_t n) {
        Service *s = a->service;
        Ports *k = supervisor_ports(s->supervisor);

        (void) ports_look(k, s);
        for (size_t i = 0; i < s->definition->n_ports; i++) {
                uint32_t sockets[CONTESTED_MAX];
                size_t n_sockets = 0;

                if (&s->actions[s->definition->ports[i].action] == a)
                        n_sockets = ports_find_strangers(k, s, &s->ports[i], sockets, CONTESTED_MAX);
                for (size_t j = 0; j < n_sockets && n < CONTESTED_MAX; j++)
                        ret[n++] = (Contested){ .socket = sockets[j], .name = s->definition->ports[i].name };
        }
        return n;
}

size_t contest_find(const Action *a, Contested ret[static CONTESTED_MAX]) {
        static_assert((int) DEFINITION_SOCKETS_MAX < (int) CONTESTED_MAX,
                      "there is room for all sockets, and for ports");

        return find_ports(a, ret, find_sockets(a, ret));
}

/* Also of another user's server, or the system's: the innermost unit tells. */
static bool is_a_service_of_hero_proc(pid_t pid) {
        _cleanup_free_ char *unit = NULL;
        char service[DEFINITION_NAME_MAX + 1], action[DEFINITION_NAME_MAX + 1];

        if (process_unit_of(pid, /* is_user= */ true, &unit) < 0)
                return false;
        unit[strcspn(unit, " ")] = '\0';
        return unit_name_parse(unit, service, action);
}

const char *contest_spares(const Action *a, const SocketHolder *holder, const char *unit) {
        if (supervisor_find_by_unit(a->service->supervisor, unit) == a->service)
                return "";
        if (is_a_service_of_hero_proc(holder->pid))
                return "which is another service of hero_proc";
        if (holder->pid == 1 || strcmp(unit, "init.scope") == 0)
                return "which is systemd itself, for a .socket unit";
        if (holder->pid == getpid() || strcmp(unit, "hero_proc.service") == 0 || strncmp(unit, "hero_proc-", 10) == 0)
                return "which is hero_proc itself";
        return process_may_own_socket(holder) ? NULL : "which may have been handed it by another user";
}
