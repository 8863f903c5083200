/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "boundary/sock_diag.h"
#include "unit_sockets.h"

enum {
        LISTENERS = 700, /* more than one part of a dump holds */
};

static const struct unix_diag_req question = {
        .sdiag_family = AF_UNIX,
        .udiag_states = 1 << 10, /* TCP_LISTEN */
        .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN,
};

static int count(_unused_ const void *body, _unused_ size_t n, void *userdata) {
        ++*(unsigned *) userdata;
        return 0;
}

static int give_up(_unused_ const void *body, _unused_ size_t n, _unused_ void *userdata) {
        return -ECANCELED;
}

/* As a server that is killed in the middle leaves the socket. */
static bool ask_and_read_nothing(int fd) {
        struct {
                struct nlmsghdr header;
                struct unix_diag_req body;
        } m = { { sizeof(m), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 }, question };

        return send(fd, &m, sizeof(m), 0) == sizeof(m);
}

/* The hand-over is for good, so all of it is one test. */
TEST(a_socket_that_was_handed_over_is_used_and_what_others_left_in_it_is_not) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_close_ int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        _cleanup_close_ int other = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        int listeners[LISTENERS];
        SockDiag a = { .fd = -1 }, b = { .fd = -1 };
        unsigned n_a = 0, n_b = 0;

        ASSERT(netlink >= 0 && other >= 0);
        ASSERT_EQ(sock_diag_hand_over(other), -EPROTOTYPE);
        ASSERT_EQ(sock_diag_hand_over(STDIN_FILENO), -ENOTSOCK);
        ASSERT(!sock_diag_is_of_host());
        for (unsigned i = 0; i < LISTENERS; i++) {
                char name[16];

                (void) snprintf(name, sizeof(name), "%u", i);
                listeners[i] = listen_at(in_folder(folder, name), 1);
                ASSERT(listeners[i] >= 0);
        }
        ASSERT(ask_and_read_nothing(netlink));
        ASSERT_EQ(sock_diag_hand_over(netlink), 0);
        ASSERT(sock_diag_is_of_host());
        ASSERT_EQ(sock_diag_dump(&a, &question, sizeof(question), count, &n_a), 0);
        ASSERT(n_a >= LISTENERS);
        ASSERT_EQ(a.fd, -1);
        /* Who gives up in the middle harms nobody who has the same socket. */
        ASSERT_EQ(sock_diag_dump(&a, &question, sizeof(question), give_up, NULL), -ECANCELED);
        ASSERT_EQ(sock_diag_dump(&b, &question, sizeof(question), count, &n_b), 0);
        ASSERT(n_b >= LISTENERS);
        for (unsigned i = 0; i < LISTENERS; i++)
                (void) close(listeners[i]);
        sock_diag_done(&a);
        sock_diag_done(&b);
        ASSERT(sock_diag_dump(&a, &question, sizeof(question), count, &n_a) == 0);
        sock_diag_done(&a);
}
