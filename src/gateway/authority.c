/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/authority.h"

#include <errno.h>
#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#define OPERATORS_GROUP "hero"

int peer_of_socket(int fd, Peer *ret) {
        struct ucred credentials;
        struct sockaddr_storage address;
        socklen_t n = sizeof address;

        if (getsockname(fd, (struct sockaddr *) &address, &n) < 0)
                return -errno;
        *ret = (Peer){ .fd = fd };
        if (address.ss_family != AF_UNIX)
                return 0;
        n = sizeof credentials;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &n) < 0)
                return -errno;
        ret->is_known = true;
        ret->uid = credentials.uid;
        ret->gid = credentials.gid;
        return 0;
}

/* Looked up each time: it is a line of a file, and the group may come after us. */
static bool find_operators(gid_t *ret) {
        struct group entry, *found = NULL;
        char buffer[16 * 1024];

        if (getgrnam_r(OPERATORS_GROUP, &entry, buffer, sizeof buffer, &found) != 0 || !found)
                return false;
        *ret = found->gr_gid;
        return true;
}

/* The groups that the process had when it connected, supplementary ones among them. */
static bool is_member(const Peer *peer, gid_t group) {
        _cleanup_free_ gid_t *groups = NULL;
        socklen_t n = 0;

        if (peer->gid == group)
                return true;
        if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &n) == 0 || errno != ERANGE || n == 0)
                return false;
        groups = malloc(n);
        if (!groups || getsockopt(peer->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) < 0)
                return false;
        for (size_t i = 0; i < n / sizeof *groups; i++)
                if (groups[i] == group)
                        return true;
        return false;
}

bool authority_may_operate(const Peer *peer, bool is_user) {
        gid_t operators;

        if (!peer->is_known)
                return false;
        if (peer->uid == 0)
                return true;
        if (is_user)
                return peer->uid == geteuid();
        return find_operators(&operators) && is_member(peer, operators);
}

bool authority_may_define(const Peer *peer, bool is_user) {
        return is_user && authority_may_operate(peer, is_user);
}
