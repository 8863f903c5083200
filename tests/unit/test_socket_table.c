/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <linux/magic.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "boundary/socket_table.h"
#include "boundary/unix_connect.h"
#include "unit_sockets.h"

/* A table with a fresh picture. */
static SocketTable *table_now(void) {
        SocketTable *t = NULL;
        bool changed;

        if (socket_table_new(&t) < 0 || socket_table_refresh(t, &changed) < 0)
                return socket_table_free(t);
        return t;
}

static SocketSighting look_after(const SocketTable *t, const char *path, const SocketSighting *before) {
        _cleanup_close_ int file = -1;

        return socket_table_look(t, -1, path, before, &file);
}

static SocketSighting look(const SocketTable *t, const char *path) {
        return look_after(t, path, NULL);
}

static SocketState state_of(const char *path) {
        _cleanup_(socket_table_freep) SocketTable *t = table_now();

        return t ? look(t, path).state : SOCKET_STATE_INVALID;
}

/* What is said of `path` without any picture, by connecting alone. */
static SocketState state_without_picture(const char *path) {
        _cleanup_(socket_table_freep) SocketTable *t = NULL;

        return socket_table_new(&t) < 0 ? SOCKET_STATE_INVALID : look(t, path).state;
}

TEST(a_listener_is_alive_and_is_not_connected_to) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "live.sock");
        _cleanup_close_ int listener = listen_at(path, 7);
        _cleanup_(socket_table_freep) SocketTable *t = table_now();
        SocketSighting s;
        struct stat st, own;

        ASSERT(listener >= 0 && t && stat(path, &st) == 0 && fstat(listener, &own) == 0);
        s = look(t, path);
        ASSERT_EQ(s.state, SOCKET_ALIVE);
        ASSERT_EQ(s.inode, st.st_ino);
        ASSERT_EQ(s.socket, own.st_ino);
        ASSERT_EQ(s.backlog, 0);
        ASSERT_EQ(s.backlog_max, 7);
        ASSERT_EQ(accept(listener, NULL, NULL), -1);
}

TEST(a_path_with_nothing_at_it_is_missing) {
        _cleanup_folder_ char *folder = folder_new();

        ASSERT_EQ(state_of(in_folder(folder, "none.sock")), SOCKET_MISSING);
        ASSERT_EQ(state_of(in_folder(folder, "none/none.sock")), SOCKET_MISSING);
        ASSERT_EQ(state_without_picture(in_folder(folder, "none.sock")), SOCKET_MISSING);
}

TEST(a_socket_file_without_its_listener_is_told) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "dead.sock");

        ASSERT(make_dead_socket(path));
        ASSERT_EQ(state_of(path), SOCKET_NO_LISTENER);
        ASSERT_EQ(state_without_picture(path), SOCKET_NO_LISTENER);
}

TEST(a_socket_that_is_bound_and_does_not_listen_has_no_listener) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "early.sock");
        _cleanup_close_ int fd = bind_at(path, SOCK_STREAM);

        ASSERT(fd >= 0);
        ASSERT_EQ(state_of(path), SOCKET_NO_LISTENER);
}

TEST(another_kind_of_file_has_no_listener) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "file");

        ASSERT(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) == 0);
        ASSERT_EQ(state_of(path), SOCKET_NO_LISTENER);
        ASSERT_EQ(state_of(folder), SOCKET_NO_LISTENER);
}

TEST(a_listener_whose_file_was_removed_is_unlinked) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "gone.sock");
        _cleanup_close_ int listener = listen_at(path, 7);

        ASSERT(listener >= 0 && unlink(path) == 0);
        ASSERT_EQ(state_of(path), SOCKET_UNLINKED);
        ASSERT_EQ(state_without_picture(path), SOCKET_MISSING); /* nobody can know more then */
}

TEST(a_listener_whose_name_is_another_file_now_is_unlinked) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "taken.sock");
        _cleanup_close_ int listener = listen_at(path, 7);

        ASSERT(listener >= 0 && unlink(path) == 0);
        ASSERT(make_dead_socket(path));
        ASSERT_EQ(state_of(path), SOCKET_UNLINKED);
        ASSERT(unlink(path) == 0 && mkdir(path, 0700) == 0);
        ASSERT_EQ(state_of(path), SOCKET_UNLINKED);
}

TEST(a_renamed_socket_is_alive_under_its_new_name_only) {
        _cleanup_folder_ char *folder = folder_new();
        const char *old_path = in_folder(folder, "old.sock"), *new_path = in_folder(folder, "new.sock");
        _cleanup_close_ int listener = listen_at(old_path, 7);

        ASSERT(listener >= 0 && rename(old_path, new_path) == 0);
        ASSERT_EQ(state_of(new_path), SOCKET_ALIVE);
        ASSERT_EQ(state_of(old_path), SOCKET_UNLINKED);
}

TEST(a_second_listener_on_the_same_path_is_alive) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "again.sock");
        _cleanup_close_ int first = listen_at(path, 7), second = -1;

        ASSERT(first >= 0 && unlink(path) == 0);
        second = listen_at(path, 9);
        ASSERT(second >= 0);
        ASSERT_EQ(state_of(path), SOCKET_ALIVE);
        ASSERT(close(TAKE_FD(second)) == 0);
        ASSERT_EQ(state_of(path), SOCKET_UNLINKED);
        ASSERT(close(TAKE_FD(first)) == 0);
        ASSERT_EQ(state_of(path), SOCKET_NO_LISTENER);
}

TEST(a_new_socket_at_the_path_is_not_taken_for_the_one_that_lost_it) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "taken.sock");
        _cleanup_close_ int old = listen_at(path, 7);
        _cleanup_(socket_table_freep) SocketTable *t = table_now();
        _cleanup_close_ int taker = -1;
        SocketSighting before, s;
        bool changed;

        ASSERT(old >= 0 && t);
        before = look(t, path);
        ASSERT_EQ(unlink(path), 0);
        taker = listen_at(path, 7);
        ASSERT(taker >= 0);
        /* The picture is from before; the old listener, in it under this name, lives on. */
        s = look_after(t, path, &before);
        ASSERT_EQ(s.state, SOCKET_ALIVE);
        ASSERT(s.is_out_of_sight && s.socket != before.socket);
        ASSERT(socket_table_refresh(t, &changed) >= 0);
        s = look_after(t, path, &s);
        ASSERT(!s.is_out_of_sight && s.socket != 0 && s.socket != before.socket);
}

TEST(a_full_queue_is_not_accepting) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "full.sock");
        _cleanup_close_ int listener = listen_at(path, 1), a = connect_at(path), b = -1;

        ASSERT(listener >= 0 && a >= 0);
        ASSERT_EQ(state_of(path), SOCKET_ALIVE);
        b = connect_at(path); /* a backlog of n admits n + 1 */
        ASSERT(b >= 0);
        ASSERT_EQ(state_of(path), SOCKET_NOT_ACCEPTING);
        ASSERT_EQ(state_without_picture(path), SOCKET_NOT_ACCEPTING);
}

TEST(datagram_and_seqpacket_sockets_count_as_alive) {
        _cleanup_folder_ char *folder = folder_new();
        const char *dgram_path = in_folder(folder, "dgram.sock"), *seq_path = in_folder(folder, "seq.sock");
        _cleanup_close_ int dgram = bind_at(dgram_path, SOCK_DGRAM), seq = bind_at(seq_path, SOCK_SEQPACKET);

        ASSERT(dgram >= 0 && seq >= 0 && listen(seq, 1) == 0);
        ASSERT_EQ(state_of(dgram_path), SOCKET_ALIVE);
        ASSERT_EQ(state_of(seq_path), SOCKET_ALIVE);
}

TEST(a_path_too_long_for_sockaddr_un_is_looked_at_too) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "live.sock"), *long_path;
        _cleanup_close_ int listener = listen_at(path, 7);
        char name[200] = "";

        memset(name, 'n', sizeof(name) - 1);
        long_path = in_folder(folder, name);
        ASSERT(listener >= 0 && rename(path, long_path) == 0);
        ASSERT_EQ(state_of(long_path), SOCKET_ALIVE);
        ASSERT_EQ(state_without_picture(long_path), SOCKET_ALIVE);
        ASSERT(close(TAKE_FD(listener)) == 0);
        ASSERT_EQ(state_of(long_path), SOCKET_NO_LISTENER);
}

TEST(a_link_is_named_and_not_followed_be_its_target_alive_or_not) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "live.sock"), *link = in_folder(folder, "link.sock"),
                   *dangling = in_folder(folder, "dangling.sock");
        _cleanup_close_ int listener = listen_at(path, 7);

        ASSERT(listener >= 0 && symlink(path, link) == 0 && symlink("nowhere", dangling) == 0);
        ASSERT_EQ(state_of(link), SOCKET_LINK);
        ASSERT_EQ(state_of(dangling), SOCKET_LINK);
        ASSERT_EQ(state_without_picture(link), SOCKET_LINK);
        ASSERT_EQ(accept(listener, NULL, NULL), -1);
}

TEST(the_file_of_a_live_socket_leads_to_it_wherever_its_name_leads_then) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s"), *other = in_folder(folder, "other");
        _cleanup_close_ int listener = listen_at(path, 7), other_listener = listen_at(other, 7), file = -1,
                            client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), none = 0;
        _cleanup_(socket_table_freep) SocketTable *t = table_now();

        ASSERT(listener >= 0 && other_listener >= 0 && client >= 0 && t);
        ASSERT_EQ(socket_table_look(t, -1, path, NULL, &file).state, SOCKET_ALIVE);
        ASSERT(file >= 0 && rename(other, path) == 0);
        ASSERT_EQ(unix_connect(client, file), 0);
        ASSERT_EQ(accept(other_listener, NULL, NULL), -1);
        (void) socket_table_look(t, -1, in_folder(folder, "none"), NULL, &none);
        ASSERT_EQ(none, -1);
}

TEST(another_root_is_looked_into_and_knows_no_listener_by_its_name) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");
        _cleanup_close_ int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), file = -1;
        _cleanup_(socket_table_freep) SocketTable *t = NULL;
        _cleanup_close_ int listener = listen_at(path, 7);

        t = table_now();
        ASSERT(root >= 0 && listener >= 0 && t);
        ASSERT_EQ(socket_table_look(t, root, "/s", NULL, &file).state, SOCKET_ALIVE);
        cleanup_close(&file);
        ASSERT(unlink(path) == 0);
        ASSERT_EQ(look(t, path).state, SOCKET_UNLINKED);
        ASSERT_EQ(socket_table_look(t, root, path, NULL, &file).state, SOCKET_MISSING);
}

TEST(a_refresh_tells_whether_listeners_came_went_or_filled_up) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "a.sock");
        _cleanup_(socket_table_freep) SocketTable *t = NULL;
        _cleanup_close_ int listener = -1, a = -1, b = -1;
        bool changed = false;

        ASSERT_EQ(socket_table_new(&t), 0);
        ASSERT_EQ(socket_table_refresh(t, &changed), 0);
        ASSERT(changed);

        listener = listen_at(path, 1);
        ASSERT(socket_table_refresh(t, &changed) == 0 && changed);
        a = connect_at(path);
        ASSERT(a >= 0);
        ASSERT(socket_table_refresh(t, &changed) == 0);
        b = connect_at(path);
        ASSERT(b >= 0);
        ASSERT(socket_table_refresh(t, &changed) == 0 && changed);
        ASSERT(close(accept(listener, NULL, NULL)) == 0);
        ASSERT(socket_table_refresh(t, &changed) == 0 && changed);
        ASSERT(close(TAKE_FD(listener)) == 0);
        ASSERT(socket_table_refresh(t, &changed) == 0 && changed);
}

/* Whether stat() and the kernel's dump speak of the same numbers here. */
static bool inodes_can_match(const char *folder) {
        struct statfs s;

        return statfs(folder, &s) == 0 && s.f_type != OVERLAYFS_SUPER_MAGIC && s.f_type != BTRFS_SUPER_MAGIC;
}

/* ---- queues ---- */

static uint64_t waiting_since(SocketTable *t, const char *path) {
        bool changed;

        return socket_table_refresh(t, &changed) < 0 ? 0 : look(t, path).waiting_since_usec;
}

static uint64_t await_standing(SocketTable *t, const char *path) {
        uint64_t give_up_usec = clock_monotonic_usec() + 10 * USEC_PER_SEC, since_usec = 0;

        while (since_usec == 0 && clock_monotonic_usec() < give_up_usec) {
                since_usec = waiting_since(t, path);
                (void) usleep(10000);
        }
        return since_usec;
}

TEST(a_queue_that_nobody_takes_from_is_told_though_it_has_room) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "slow.sock");
        _cleanup_close_ int listener = listen_at(path, 100), a = -1, b = -1, c = -1;
        _cleanup_(socket_table_freep) SocketTable *t = table_now();
        uint64_t before_usec = clock_monotonic_usec(), since_usec;

        a = connect_at(path);
        ASSERT(listener >= 0 && a >= 0 && t);
        ASSERT_EQ(waiting_since(t, path), 0); /* it has only just come */
        since_usec = await_standing(t, path);
        ASSERT(since_usec >= before_usec && since_usec <= clock_monotonic_usec());
        b = connect_at(path); /* one more changes nothing */
        ASSERT(b >= 0);
        ASSERT_EQ(waiting_since(t, path), since_usec);

        c = accept(listener, NULL, NULL); /* the first goes, and the second has waited for a moment only */
        ASSERT(c >= 0);
        ASSERT_EQ(waiting_since(t, path), 0);
        ASSERT(await_standing(t, path) > since_usec);
        (void) close(accept(listener, NULL, NULL));
        ASSERT_EQ(waiting_since(t, path), 0);
}

/* Each time it is looked at somebody else waits, as with a server that is busy all the time. */
TEST(a_queue_that_moves_is_not_standing_though_it_is_never_empty) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "busy.sock");
        _cleanup_close_ int listener = listen_at(path, 100);
        _cleanup_(socket_table_freep) SocketTable *t = table_now();
        uint64_t until_usec = clock_monotonic_usec() + 500 * USEC_PER_MSEC;
        int waiting = connect_at(path);
        bool was_standing = false;

        ASSERT(listener >= 0 && t && waiting >= 0);
        while (clock_monotonic_usec() < until_usec) {
                int next = connect_at(path);

                (void) close(accept(listener, NULL, NULL));
                (void) close(waiting);
                waiting = next;
                was_standing = was_standing || waiting_since(t, path) > 0;
        }
        (void) close(waiting);
        ASSERT(!was_standing);
}

TEST(clients_that_gave_up_waiting_still_show_that_nobody_accepts) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "slow.sock");
        _cleanup_close_ int listener = listen_at(path, 100);
        _cleanup_(socket_table_freep) SocketTable *t = table_now();

        ASSERT(listener >= 0 && t);
        ASSERT(close(connect_at(path)) == 0);
        ASSERT(await_standing(t, path) > 0);
        ASSERT(close(connect_at(path)) == 0);
        ASSERT(waiting_since(t, path) > 0);
        (void) close(accept(listener, NULL, NULL));
        ASSERT_EQ(waiting_since(t, path), 0);
}

/* ---- */

/* In a network namespace of our own nobody else's sockets come and go. */
static bool in_own_namespace(bool (*run)(const char *folder), const char *folder) {
        int status = -1;
        pid_t pid;

        (void) fflush(stdout);
        pid = fork();
        if (pid == 0) {
                if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
                        _exit(77);
                _exit(run(folder) ? 0 : 1);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                return false;
        if (WEXITSTATUS(status) == 77)
                printf("     no network namespace to be had: not shown here\n");
        return WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77;
}

static bool quiet_table_is_unchanged(const char *folder) {
        _cleanup_close_ int listener = listen_at(in_folder(folder, "a.sock"), 4), a = -1;
        _cleanup_(socket_table_freep) SocketTable *t = table_now();
        bool first = true, second = true;

        if (listener < 0 || !t || socket_table_refresh(t, &first) < 0)
                return false;
        a = connect_at(in_folder(folder, "a.sock")); /* one that waits is no change yet */
        return a >= 0 && socket_table_refresh(t, &second) == 0 && !first && !second;
}

TEST(a_refresh_without_a_change_says_so) {
        _cleanup_folder_ char *folder = folder_new();

        ASSERT(in_own_namespace(quiet_table_is_unchanged, folder));
}

/* ---- a listener in another network namespace, which the dump does not show ---- */

typedef struct Abroad {
        pid_t pid;
        int link; /* to the child, which does what a byte says and sends it back, in lower case if it could not */
} Abroad;

static _Noreturn void live_abroad(int link, const char *path) {
        int listener = -1;
        char c;

        if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
                _exit(77);
        while (read(link, &c, 1) == 1) {
                bool done = c == 'B'   ? (listener = bind_at(path, SOCK_STREAM)) >= 0
                            : c == 'L' ? listen(listener, 4) == 0 && fcntl(listener, F_SETFL, O_NONBLOCK) == 0
                            : c == 'A' ? close(accept(listener, NULL, NULL)) == 0
                                       : close(listener) == 0;

                c = (char) (done ? c : c + 'a' - 'A');
                if (write(link, &c, 1) != 1)
                        break;
        }
        _exit(0);
}

static void abroad_done(Abroad *a) {
        (void) close(a->link);
        if (a->pid > 0)
                (void) waitpid(a->pid, NULL, 0);
}

static Abroad abroad_new(const char *path) {
        int links[2];
        Abroad a = { .pid = -1, .link = -1 };

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, links) < 0)
                return a;
        (void) fflush(stdout);
        a = (Abroad){ .pid = fork(), .link = links[0] };
        if (a.pid == 0) {
                (void) close(links[0]);
                live_abroad(links[1], path);
        }
        (void) close(links[1]);
        return a;
}

static bool abroad(Abroad *a, char order) {
        char answer;

        return write(a->link, &order, 1) == 1 && read(a->link, &answer, 1) == 1 && answer == order;
}

TEST(a_listener_in_another_network_namespace_is_alive_until_it_is_closed) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "a.sock");
        _cleanup_(abroad_done) Abroad a = abroad_new(path);
        _cleanup_(socket_table_freep) SocketTable *t = table_now();
        SocketSighting s = { 0 };

        (void) signal(SIGPIPE, SIG_IGN);
        if (!abroad(&a, 'B')) {
                printf("     no network namespace to be had: not shown here\n");
                return;
        }
        s = look_after(t, path, &s);
        ASSERT_EQ(s.state, SOCKET_NO_LISTENER);
        ASSERT(s.is_out_of_sight);
        ASSERT(abroad(&a, 'L'));
        s = look_after(t, path, &s);
        ASSERT_EQ(s.state, SOCKET_ALIVE);
        ASSERT(s.is_out_of_sight && s.socket == 0);
        ASSERT(abroad(&a, 'A')); /* it was connected to once, … */
        s = look_after(t, path, &s);
        ASSERT_EQ(s.state, SOCKET_ALIVE);
        ASSERT(!abroad(&a, 'A')); /* … and not again while it stays the same */
        ASSERT(abroad(&a, 'C'));
        s = look_after(t, path, &s);
        ASSERT_EQ(s.state, SOCKET_NO_LISTENER);
        ASSERT(!s.is_out_of_sight);
}

enum { N_LISTENERS = 500 };

static const char *numbered(const char *folder, unsigned i) {
        char name[16];

        (void) snprintf(name, sizeof(name), "%u.sock", i);
        return in_folder(folder, name);
}

/* Under another name than the one bound: only the inode leads to them. */
static bool listen_five_hundred(const char *folder, int listeners[static N_LISTENERS]) {
        bool are_there = true;

        for (unsigned i = 0; i < N_LISTENERS; i++) {
                const char *bound = in_folder(folder, "bound");

                listeners[i] = listen_at(bound, 4);
                are_there = are_there && listeners[i] >= 0 && rename(bound, numbered(folder, i)) == 0;
        }
        return are_there;
}

static void close_all(int fds[static N_LISTENERS]) {
        for (unsigned i = 0; i < N_LISTENERS; i++)
                if (fds[i] >= 0)
                        (void) close(fds[i]);
}

TEST(five_hundred_listeners_are_each_found_and_none_is_connected_to) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_(socket_table_freep) SocketTable *t = NULL;
        unsigned n_right = 0, n_connected = 0;
        int listeners[N_LISTENERS];
        bool are_there;

        are_there = listen_five_hundred(folder, listeners);
        for (unsigned i = 0; i < N_LISTENERS; i += 2)
                (void) close(TAKE_FD(listeners[i]));
        t = table_now();
        for (unsigned i = 0; t && i < N_LISTENERS; i++) {
                SocketState state = look(t, numbered(folder, i)).state;

                n_right += state == (i % 2 == 1 ? SOCKET_ALIVE : SOCKET_NO_LISTENER);
                n_connected += listeners[i] >= 0 && accept(listeners[i], NULL, NULL) >= 0;
        }
        close_all(listeners);
        ASSERT(are_there);
        ASSERT_EQ(n_right, N_LISTENERS);
        ASSERT(n_connected == 0 || !inodes_can_match(folder));
}

TEST(refreshing_five_hundred_listeners_allocates_nothing) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_(socket_table_freep) SocketTable *t = NULL;
        int listeners[N_LISTENERS];
        unsigned n_fds_before, n_fds_after;
        size_t bytes_before, bytes_after;
        bool are_there, changed;

        are_there = listen_five_hundred(folder, listeners);
        t = table_now();
        are_there = are_there && t && socket_table_refresh(t, &changed) == 0; /* the second of two pictures */
        n_fds_before = count_fds();
        bytes_before = mallinfo2().uordblks;
        for (unsigned i = 0; i < 50; i++)
                are_there = are_there && socket_table_refresh(t, &changed) == 0;
        bytes_after = mallinfo2().uordblks;
        n_fds_after = count_fds();
        close_all(listeners);
        ASSERT(are_there);
        ASSERT_EQ(bytes_after, bytes_before);
        ASSERT_EQ(n_fds_after, n_fds_before);
}

TEST(without_descriptors_nothing_is_called_dead) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "live.sock");
        _cleanup_close_ int listener = listen_at(path, 7);
        _cleanup_(socket_table_freep) SocketTable *t = NULL;
        struct rlimit before, none;
        SocketState state;
        bool changed = false;
        int r;

        ASSERT(listener >= 0 && socket_table_new(&t) == 0);
        ASSERT(getrlimit(RLIMIT_NOFILE, &before) == 0);
        none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
        ASSERT(setrlimit(RLIMIT_NOFILE, &none) == 0);
        r = socket_table_refresh(t, &changed);
        state = look(t, path).state;
        ASSERT(setrlimit(RLIMIT_NOFILE, &before) == 0);
        ASSERT_EQ(r, -EMFILE);
        ASSERT_EQ(state, SOCKET_UNKNOWN);

        ASSERT(socket_table_refresh(t, &changed) == 0 && changed); /* and it recovers */
        ASSERT_EQ(look(t, path).state, SOCKET_ALIVE);
}

TEST(without_descriptors_what_was_alive_is_so_while_the_picture_says_it) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "live.sock");
        _cleanup_close_ int listener = listen_at(path, 7);
        _cleanup_(socket_table_freep) SocketTable *t = table_now();
        struct rlimit before, none;
        SocketSighting first, second, stranger, third;
        bool changed;
        int r;

        ASSERT(listener >= 0 && t && inodes_can_match(folder));
        first = look(t, path);
        ASSERT(getrlimit(RLIMIT_NOFILE, &before) == 0);
        none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
        ASSERT(setrlimit(RLIMIT_NOFILE, &none) == 0);
        second = look_after(t, path, &first);
        stranger = look(t, path);
        (void) close(TAKE_FD(listener));
        r = socket_table_refresh(t, &changed);
        third = look_after(t, path, &second);
        ASSERT(setrlimit(RLIMIT_NOFILE, &before) == 0);
        ASSERT_EQ(r, 0);
        ASSERT_EQ(first.state, SOCKET_ALIVE);
        ASSERT_EQ(second.state, SOCKET_ALIVE);
        ASSERT_EQ(stranger.state, SOCKET_UNKNOWN); /* of one that was not seen before there is nothing to go by */
        ASSERT_EQ(third.state, SOCKET_UNKNOWN);
}

TEST(states_have_words) {
        ASSERT_STREQ(socket_state_to_string(SOCKET_NO_LISTENER), "no-listener");
        ASSERT_STREQ(socket_state_to_string(SOCKET_NOT_ACCEPTING), "not-accepting");
        ASSERT_EQ(socket_state_from_string("foreign"), SOCKET_FOREIGN);
}
