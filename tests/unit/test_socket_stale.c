/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "boundary/socket_stale.h"
#include "unit_sockets.h"

static bool exists(const char *path) {
        struct stat st;

        return lstat(path, &st) == 0;
}

TEST(a_socket_file_that_nobody_holds_is_removed) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "dead.sock");

        ASSERT(make_dead_socket(path));
        ASSERT_EQ(socket_remove_stale(path), 1);
        ASSERT(!exists(path));
        ASSERT_EQ(socket_remove_stale(path), 0);
}

TEST(a_live_listener_is_left_alone_and_notices_nothing) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "live.sock");
        _cleanup_close_ int listener = listen_at(path, 8);

        ASSERT(listener >= 0);
        ASSERT_EQ(socket_remove_stale(path), 0);
        ASSERT(exists(path));
        ASSERT_EQ(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), -1);
        ASSERT_EQ(errno, EAGAIN);
}

TEST(a_listener_with_a_full_queue_is_left_alone) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "full.sock");
        _cleanup_close_ int listener = listen_at(path, 0), waiting = connect_at(path);

        ASSERT(listener >= 0 && waiting >= 0);
        ASSERT_EQ(socket_remove_stale(path), 0);
        ASSERT(exists(path));
}

/* Between bind() and listen() a stream connect() is refused as if nobody were there. */
TEST(a_socket_that_is_bound_and_does_not_listen_yet_is_left_alone) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "early.sock");
        _cleanup_close_ int fd = bind_at(path, SOCK_STREAM);

        ASSERT(fd >= 0);
        ASSERT_EQ(socket_remove_stale(path), 0);
        ASSERT(exists(path));
}

TEST(sockets_of_other_types_are_left_alone_while_bound_and_removed_after) {
        static const int types[] = { SOCK_DGRAM, SOCK_SEQPACKET };

        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                _cleanup_folder_ char *folder = folder_new();
                const char *path = in_folder(folder, "other.sock");
                int fd = bind_at(path, types[i]), r;

                r = socket_remove_stale(path);
                ASSERT(close(fd) == 0);
                ASSERT_EQ(r, 0);
                ASSERT(exists(path));
                ASSERT_EQ(socket_remove_stale(path), 1);
        }
}

/* connect() to such a receiver says EPERM to everybody but its peer. */
TEST(a_datagram_socket_with_a_peer_is_left_alone) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "one.sock"), *peer_path = in_folder(folder, "peer.sock");
        _cleanup_close_ int fd = bind_at(path, SOCK_DGRAM), peer = bind_at(peer_path, SOCK_DGRAM);
        struct sockaddr_un address = address_of(peer_path);

        ASSERT(peer >= 0 && connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0);
        ASSERT_EQ(socket_remove_stale(path), 0);
        ASSERT(exists(path));
}

TEST(other_kinds_of_files_are_left_alone) {
        _cleanup_folder_ char *folder = folder_new();
        const char *file = in_folder(folder, "file"), *dir = in_folder(folder, "dir"),
                   *fifo = in_folder(folder, "fifo");

        ASSERT(close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) == 0);
        ASSERT(mkdir(dir, 0700) == 0 && mkfifo(fifo, 0600) == 0);
        ASSERT_EQ(socket_remove_stale(file), 0);
        ASSERT_EQ(socket_remove_stale(dir), 0);
        ASSERT_EQ(socket_remove_stale(fifo), 0);
        ASSERT(exists(file) && exists(dir) && exists(fifo));
}

TEST(a_symbolic_link_is_not_followed) {
        _cleanup_folder_ char *folder = folder_new();
        const char *dead = in_folder(folder, "dead.sock"), *link = in_folder(folder, "link.sock");

        ASSERT(make_dead_socket(dead));
        ASSERT(symlink("dead.sock", link) == 0);
        ASSERT_EQ(socket_remove_stale(link), 0);
        ASSERT(exists(dead) && exists(link));
}

TEST(a_folder_that_is_a_symbolic_link_of_a_user_is_not_followed) {
        _cleanup_folder_ char *folder = folder_new();
        const char *real = in_folder(folder, "real"), *dead = in_folder(folder, "real/dead.sock"),
                   *link = in_folder(folder, "link");

        ASSERT(mkdir(real, 0700) == 0);
        ASSERT(make_dead_socket(dead));
        ASSERT(symlink("real", link) == 0 && (geteuid() != 0 || lchown(link, 65534, 65534) == 0));
        ASSERT_EQ(socket_remove_stale(in_folder(folder, "link/dead.sock")), -ELOOP);
        ASSERT(exists(dead));
}

TEST(what_is_not_there_needs_no_removal) {
        ASSERT_EQ(socket_remove_stale("/nonexistent/folder/x.sock"), 0);
        ASSERT_EQ(socket_remove_stale("x.sock"), -EINVAL);
        ASSERT_EQ(socket_remove_stale("/tmp/"), -EINVAL);
        ASSERT_EQ(socket_remove_stale("/tmp/.."), -EINVAL);
}

TEST(a_path_too_long_for_sockaddr_un_is_served_too) {
        _cleanup_folder_ char *folder = folder_new();
        char name[200] = "";
        const char *path;
        int fd;

        memset(name, 'n', sizeof(name) - 1);
        path = in_folder(folder, name);
        fd = bind_at(in_folder(folder, "short"), SOCK_STREAM);
        ASSERT(fd >= 0);
        ASSERT(rename(in_folder(folder, "short"), path) == 0);
        ASSERT_EQ(socket_remove_stale(path), 0);
        ASSERT(close(fd) == 0);
        ASSERT_EQ(socket_remove_stale(path), 1);
        ASSERT(!exists(path));
}
