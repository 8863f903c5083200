/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "boundary/socket_holders.h"
#include "forked_process.h"
#include "unit_sockets.h"

static uint32_t inode_of(int fd) {
        struct stat st;

        return fstat(fd, &st) == 0 ? (uint32_t) st.st_ino : 0;
}

/* A child that keeps what it has open until it is ended. */
static pid_t fork_child(void) {
        pid_t pid = forked_process_new();

        if (pid == 0) {
                for (;;)
                        pause();
        }
        return pid;
}

static bool has(const HolderSearch *h, pid_t pid, uint32_t socket) {
        size_t n;
        const SocketHolder *found = holder_search_found(h, &n);

        for (size_t i = 0; i < n; i++)
                if (found[i].pid == pid && found[i].socket == socket)
                        return true;
        return false;
}

static HolderSearch *search_all(const uint32_t *sockets, size_t n, unsigned n_at_once, unsigned *ret_steps) {
        HolderSearch *h = NULL;
        int r = holder_search_new(sockets, n, -1, &h);

        for (*ret_steps = 0; r == 0; (*ret_steps)++)
                r = holder_search_step(h, n_at_once);
        return r > 0 ? h : holder_search_free(h);
}

TEST(every_process_that_has_the_socket_open_is_found_and_no_other) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_close_ int listener = listen_at(in_folder(folder, "a.sock"), 4),
                            other = listen_at(in_folder(folder, "b.sock"), 4);
        _cleanup_process_ pid_t child = fork_child();
        uint32_t sockets[] = { inode_of(listener), inode_of(other) };
        _cleanup_(holder_search_freep) HolderSearch *h = NULL;
        unsigned n_steps;
        size_t n;

        ASSERT(listener >= 0 && other >= 0 && child > 0);
        h = search_all(sockets, 1, 1000000, &n_steps);
        ASSERT(h);
        ASSERT(has(h, getpid(), sockets[0]) && has(h, child, sockets[0]));
        (void) holder_search_found(h, &n);
        ASSERT_EQ(n, 2);
        ASSERT_EQ(n_steps, 1);

        holder_search_free(h);
        h = search_all(sockets, 2, 1000000, &n_steps);
        ASSERT(h && has(h, child, sockets[0]) && has(h, child, sockets[1]));
        (void) holder_search_found(h, &n);
        ASSERT_EQ(n, 4);
}

TEST(a_search_can_be_made_in_small_steps) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_close_ int listener = listen_at(in_folder(folder, "a.sock"), 4);
        _cleanup_process_ pid_t child = fork_child();
        uint32_t socket = inode_of(listener);
        _cleanup_(holder_search_freep) HolderSearch *h = NULL;
        unsigned n_steps;

        ASSERT(listener >= 0 && child > 0);
        h = search_all(&socket, 1, 3, &n_steps);
        ASSERT(h && has(h, getpid(), socket) && has(h, child, socket));
        ASSERT(n_steps > 2);
}

TEST(what_is_open_twice_is_told_once) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_close_ int listener = listen_at(in_folder(folder, "a.sock"), 4), copy = dup(listener);
        uint32_t socket = inode_of(listener);
        _cleanup_(holder_search_freep) HolderSearch *h = NULL;
        unsigned n_steps;
        size_t n;

        ASSERT(listener >= 0 && copy >= 0);
        h = search_all(&socket, 1, 1000000, &n_steps);
        ASSERT(h);
        (void) holder_search_found(h, &n);
        ASSERT_EQ(n, 1);
}

TEST(a_holder_is_true_until_it_closes_or_ends) {
        _cleanup_folder_ char *folder = folder_new();
        int listener = listen_at(in_folder(folder, "a.sock"), 4);
        _cleanup_process_ pid_t child = fork_child();
        SocketHolder own = { getpid(), listener, inode_of(listener) }, its = { child, listener, inode_of(listener) };

        ASSERT(listener >= 0 && child > 0);
        ASSERT(socket_holder_is_true(&own) && socket_holder_is_true(&its));
        ASSERT_EQ(close(listener), 0);
        ASSERT(!socket_holder_is_true(&own) && socket_holder_is_true(&its));
        forked_process_end(&child);
        child = 0;
        ASSERT(!socket_holder_is_true(&its));
}

/* A cgroup's folder as a search sees it: the file cgroup.procs in a folder. */
TEST(in_a_cgroup_only_its_members_are_looked_at) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_close_ int listener = listen_at(in_folder(folder, "a.sock"), 4), group = -1;
        _cleanup_process_ pid_t child = fork_child();
        uint32_t socket = inode_of(listener);
        _cleanup_(holder_search_freep) HolderSearch *h = NULL;
        FILE *f = fopen(in_folder(folder, "cgroup.procs"), "we");
        size_t n;

        ASSERT(listener >= 0 && child > 0 && f);
        fprintf(f, "0\n%d\n", (int) child);
        ASSERT_EQ(fclose(f), 0);
        group = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_EQ(holder_search_new(&socket, 1, group, &h), 0);
        ASSERT_EQ(holder_search_step(h, 1000000), 1);
        (void) holder_search_found(h, &n);
        ASSERT(n == 1 && has(h, child, socket) && !holder_search_is_partial(h));
}

static bool finds_root_only_in_part(uint32_t socket) {
        HolderSearch *h = NULL;
        pid_t pid = forked_process_new();
        int status;

        if (pid == 0) {
                if (getuid() == 0 && setresuid(65534, 65534, 65534) < 0)
                        _exit(2);
                _exit(holder_search_new(&socket, 1, -1, &h) == 0 && holder_search_step(h, 1000000) == 1 &&
                                      holder_search_is_partial(h)
                              ? 0
                              : 1);
        }
        return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(a_search_that_may_not_look_everywhere_says_so) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_close_ int listener = listen_at(in_folder(folder, "a.sock"), 4);

        ASSERT(listener >= 0);
        ASSERT(finds_root_only_in_part(inode_of(listener)));
}

TEST(nothing_is_left_open) {
        unsigned before = count_fds(), n_steps;
        uint32_t socket = 1;
        HolderSearch *h = search_all(&socket, 1, 1000000, &n_steps);

        ASSERT(h);
        holder_search_free(h);
        ASSERT_EQ(holder_search_new(&socket, 1, -1, &h), 0);
        ASSERT_EQ(holder_search_step(h, 20), 0); /* in the midst of a process */
        holder_search_free(h);
        ASSERT_EQ(count_fds(), before);
}
