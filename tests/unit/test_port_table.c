/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "boundary/port_table.h"

/* Listens on `address`, "::" for both families, on `port` or one that is free. -1 where it cannot be done. */
static int listen_on(const char *address, uint16_t port, bool v6only, int backlog) {
        struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
        bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
        _cleanup_close_ int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int only = v6only, share = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &share, sizeof(share)) < 0)
                return -1;
        if (!is_v4 && (inet_pton(AF_INET6, address, &v6.sin6_addr) != 1 ||
                       setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0))
                return -1;
        if (bind(fd, is_v4 ? (void *) &v4 : (void *) &v6, is_v4 ? sizeof(v4) : sizeof(v6)) < 0 ||
            listen(fd, backlog) < 0)
                return -1;
        return TAKE_FD(fd);
}

static uint16_t port_of(int fd) {
        struct sockaddr_in6 address = { 0 };
        socklen_t n = sizeof(address);

        return getsockname(fd, (struct sockaddr *) &address, &n) == 0 ? ntohs(address.sin6_port) : 0;
}

static uint32_t inode_of(int fd) {
        struct stat st;

        return fstat(fd, &st) == 0 ? (uint32_t) st.st_ino : 0;
}

/* What is said of the one listener on a port of `fd`; a port of 0 where there is not exactly one. */
static PortListener seen_of(int fd) {
        _cleanup_(port_table_freep) PortTable *t = NULL;
        const PortListener *found;
        bool changed;
        size_t n;

        if (fd < 0 || port_table_new(&t) < 0)
                return (PortListener){ 0 };
        port_table_declare(t, port_of(fd));
        if (port_table_refresh(t, &changed) < 0)
                return (PortListener){ 0 };
        found = port_table_find(t, port_of(fd), &n);
        return n == 1 ? *found : (PortListener){ 0 };
}

TEST(a_listener_is_found_with_its_socket_queue_and_maker) {
        _cleanup_close_ int fd = listen_on("127.0.0.1", 0, false, 5);
        PortListener seen = seen_of(fd);

        ASSERT(fd >= 0);
        ASSERT_EQ(seen.port, port_of(fd));
        ASSERT_EQ(seen.socket, inode_of(fd));
        ASSERT_EQ(seen.backlog, 0);
        ASSERT_EQ(seen.backlog_max, 5);
        ASSERT_EQ(seen.uid, getuid());
        ASSERT(seen.cgroup > 0);
}

TEST(how_near_a_listener_is_follows_from_its_address) {
        static const struct {
                const char *address;
                bool v6only;
                PortReach reach;
                const char *loopback;
        } cases[] = {
                { "127.0.0.1", false, PORT_LOOPBACK_4, "::ffff:127.0.0.1" },
                { "0.0.0.0", false, PORT_WILDCARD, "::ffff:127.0.0.1" },
                { "::", false, PORT_WILDCARD, "::ffff:127.0.0.1" },
                { "::", true, PORT_LOOPBACK_6, "::1" },
                { "::1", false, PORT_LOOPBACK_6, "::1" },
                { "::1", true, PORT_LOOPBACK_6, "::1" },
                { "127.0.0.2", false, PORT_ELSEWHERE, "::ffff:127.0.0.2" },
                { "::ffff:127.0.0.1", false, PORT_LOOPBACK_4, "::ffff:127.0.0.1" },
                { "::ffff:127.1.2.3", false, PORT_ELSEWHERE, "::ffff:127.1.2.3" },
        };
        char loopback[INET6_ADDRSTRLEN];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_close_ int fd = listen_on(cases[i].address, 0, cases[i].v6only, 5);
                PortListener seen = seen_of(fd);

                (void) inet_ntop(AF_INET6, &seen.loopback, loopback, sizeof(loopback));
                if (fd < 0 || seen.port == 0 || seen.reach != cases[i].reach ||
                    strcmp(loopback, cases[i].loopback) != 0)
                        FAIL("%s is seen as %d, %s", cases[i].address, (int) seen.reach, loopback);
        }
}

/* Our own network, as one sees it from another: the kernel's two ways of telling agree. */
TEST(another_network_is_read_from_its_files) {
        static const char *const addresses[] = { "127.0.0.1", "0.0.0.0", "::", "::1", "127.0.0.2", "::ffff:127.0.0.1" };

        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                _cleanup_close_ int fd = listen_on(addresses[i], 0, false, 5);
                _cleanup_(port_table_freep) PortTable *t = NULL;
                PortListener seen = seen_of(fd);
                const PortListener *found;
                bool changed;
                size_t n;

                ASSERT_EQ(port_table_new_of(getpid(), &t), 0);
                port_table_declare(t, port_of(fd));
                for (int turn = 0; turn < 3; turn++)
                        ASSERT_EQ(port_table_refresh(t, &changed), 0);
                ASSERT(!changed);
                found = port_table_find(t, port_of(fd), &n);
                ASSERT_EQ(n, 1);
                ASSERT_EQ(found->socket, seen.socket);
                ASSERT_EQ(found->reach, seen.reach);
                ASSERT(IN6_ARE_ADDR_EQUAL(&found->loopback, &seen.loopback));
                ASSERT_EQ(found->uid, seen.uid);
                ASSERT_EQ(found->backlog, 0);
                ASSERT(!port_listener_is_full(found));
                (void) close(TAKE_FD(fd));
                ASSERT_EQ(port_table_refresh(t, &changed), 0);
                ASSERT(changed && !port_table_find(t, seen.port, &n));
        }
}

/* Else whoever listens there by IPv6 would be missing for as long as the table lives. */
TEST(another_network_is_not_opened_by_halves) {
        _cleanup_(port_table_freep) PortTable *t = NULL;
        struct rlimit before, one_more;
        int fd = dup(STDIN_FILENO), r;

        ASSERT(fd >= 0 && getrlimit(RLIMIT_NOFILE, &before) == 0);
        (void) close(fd);
        one_more = (struct rlimit){ (rlim_t) fd + 1, before.rlim_max };
        ASSERT(setrlimit(RLIMIT_NOFILE, &one_more) == 0);
        r = port_table_new_of(getpid(), &t);
        ASSERT(setrlimit(RLIMIT_NOFILE, &before) == 0);
        ASSERT_EQ(r, -EMFILE);
        ASSERT_EQ(dup(STDIN_FILENO), fd);
        ASSERT_EQ(port_table_new_of(getpid(), &t), 0);
        (void) close(fd);
}

TEST(of_several_on_one_port_the_nearest_comes_first) {
        _cleanup_close_ int far = listen_on("127.0.0.2", 0, false, 5);
        uint16_t port = port_of(far);
        _cleanup_close_ int v6 = listen_on("::1", port, true, 5), near = listen_on("127.0.0.1", port, false, 5),
                            shared = listen_on("127.0.0.1", port, false, 5);
        _cleanup_(port_table_freep) PortTable *t = NULL;
        const PortListener *found;
        bool changed;
        size_t n;

        ASSERT(far >= 0 && v6 >= 0 && near >= 0 && shared >= 0);
        ASSERT_EQ(port_table_new(&t), 0);
        port_table_declare(t, port);
        ASSERT_EQ(port_table_refresh(t, &changed), 0);
        found = port_table_find(t, port, &n);
        ASSERT_EQ(n, 4);
        ASSERT(found[0].reach == PORT_LOOPBACK_4 && found[1].reach == PORT_LOOPBACK_4);
        ASSERT_EQ(found[2].socket, inode_of(v6));
        ASSERT_EQ(found[3].socket, inode_of(far));
        ASSERT(port_table_has_socket(t, inode_of(near)) && port_table_has_socket(t, inode_of(shared)));
}

TEST(what_is_not_declared_is_not_looked_for) {
        _cleanup_close_ int fd = listen_on("127.0.0.1", 0, false, 5), other = listen_on("127.0.0.1", 0, false, 5);
        _cleanup_(port_table_freep) PortTable *t = NULL;
        bool changed;
        size_t n;

        ASSERT(fd >= 0 && other >= 0);
        ASSERT_EQ(port_table_new(&t), 0);
        port_table_declare(t, port_of(fd));
        ASSERT_EQ(port_table_refresh(t, &changed), 0);
        ASSERT(!port_table_find(t, port_of(other), &n));
        ASSERT(port_table_find(t, port_of(fd), &n));
        port_table_declare_none(t);
        ASSERT_EQ(port_table_refresh(t, &changed), 0);
        ASSERT(!port_table_find(t, port_of(fd), &n) && n == 0);
        ASSERT(port_table_is_good(t));
}

static bool has_changed(PortTable *t) {
        bool changed = false;

        return port_table_refresh(t, &changed) < 0 || changed;
}

static int knock(uint16_t port) {
        struct sockaddr_in a = { .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0 || (connect(fd, (struct sockaddr *) &a, sizeof(a)) < 0 && errno != EINPROGRESS))
                return -1;
        return TAKE_FD(fd);
}

TEST(a_refresh_tells_whether_listeners_came_went_or_filled_up) {
        int fd = listen_on("127.0.0.1", 0, false, 0);
        _cleanup_(port_table_freep) PortTable *t = NULL;
        uint16_t port = port_of(fd);
        const PortListener *found;
        size_t n;

        ASSERT(fd >= 0);
        ASSERT_EQ(port_table_new(&t), 0);
        ASSERT(!port_table_is_good(t));
        port_table_declare(t, port);
        ASSERT(has_changed(t) && !has_changed(t));
        {
                _cleanup_close_ int a = knock(port), b = knock(port);

                ASSERT(a >= 0 && b >= 0);
                ASSERT(has_changed(t) && !has_changed(t));
                found = port_table_find(t, port, &n);
                ASSERT(n == 1 && port_listener_is_full(found));
        }
        (void) close(fd);
        ASSERT(has_changed(t) && !has_changed(t));
        fd = listen_on("127.0.0.1", port, false, 5);
        ASSERT(fd >= 0 && has_changed(t));
        ASSERT_EQ(close(fd), 0);
}

TEST(more_listeners_than_can_be_kept_are_an_error_and_not_a_part_of_the_truth) {
        enum { N = PORT_TABLE_LISTENERS_MAX + 1 };
        static int fds[N];
        _cleanup_(port_table_freep) PortTable *t = NULL;
        bool changed;
        size_t n = 1;
        int r = 0;

        ASSERT_EQ(port_table_new(&t), 0);
        fds[0] = listen_on("127.0.0.1", 0, false, 1);
        for (; n < N && fds[n - 1] >= 0; n++)
                fds[n] = listen_on("127.0.0.1", port_of(fds[0]), false, 1);
        port_table_declare(t, port_of(fds[0]));
        r = port_table_refresh(t, &changed);
        for (size_t i = 0; i < n; i++)
                (void) close(fds[i]);
        ASSERT_EQ(n, N);
        ASSERT_EQ(r, -E2BIG);
        ASSERT(!port_table_is_good(t));
        ASSERT_EQ(port_table_refresh(t, &changed), 0);
        ASSERT(changed && port_table_is_good(t));
}

TEST(five_hundred_listeners_are_read_quickly_and_without_allocating) {
        enum { N = 500 };
        int fds[N];
        _cleanup_(port_table_freep) PortTable *t = NULL;
        struct mallinfo2 before, after;
        uint64_t began_usec;
        bool changed;

        ASSERT_EQ(port_table_new(&t), 0);
        for (size_t i = 0; i < N; i++) {
                fds[i] = listen_on(i % 2 ? "127.0.0.1" : "::1", 0, false, 1);
                port_table_declare(t, port_of(fds[i]));
        }
        ASSERT(has_changed(t));
        before = mallinfo2();
        began_usec = clock_monotonic_usec();
        for (size_t i = 0; i < 100; i++)
                ASSERT_EQ(port_table_refresh(t, &changed), 0);
        printf("     %" PRIu64 " us for %d listeners\n", (clock_monotonic_usec() - began_usec) / 100, (int) N);
        after = mallinfo2();
        for (size_t i = 0; i < N; i++)
                (void) close(fds[i]);
        ASSERT_EQ(after.uordblks, before.uordblks);
}
