/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "boundary/unit_cgroup.h"
#include "unit_sockets.h"

/* Two real cgroups, test.service and a part of it, which go with the test; and a process in one of them. */
typedef struct Unit {
        int root;
        char path[64], below[80];
        pid_t pid;
} Unit;

static bool enter(int root, const char *cgroup, pid_t pid) {
        _cleanup_close_ int folder = openat(root, cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC), procs = -1;
        char number[16];

        if (folder >= 0)
                procs = openat(folder, "cgroup.procs", O_WRONLY | O_CLOEXEC);
        (void) snprintf(number, sizeof(number), "%d", (int) pid);
        return procs >= 0 && write(procs, number, strlen(number)) > 0;
}

static void unit_end(Unit *u) {
        if (u->pid > 0) {
                (void) kill(u->pid, SIGKILL);
                (void) waitpid(u->pid, NULL, 0);
        }
        u->pid = -1;
}

static void unit_done(Unit *u) {
        unit_end(u);
        if (u->root < 0)
                return;
        for (unsigned i = 0; i < 500 && unlinkat(u->root, u->below, AT_REMOVEDIR) < 0 && errno == EBUSY; i++)
                (void) usleep(10000); /* the kernel has not let go of the process yet */
        for (unsigned i = 0; i < 500 && unlinkat(u->root, u->path, AT_REMOVEDIR) < 0 && errno == EBUSY; i++)
                (void) usleep(10000);
        (void) close(u->root);
}

#define _cleanup_unit_ _cleanup_(unit_done)

/* False where this machine has no cgroup that we may write to. */
static bool unit_make(Unit *u) {
        *u = (Unit){ .root = cgroup_root_open(), .pid = -1 };
        (void) snprintf(u->path, sizeof(u->path), "hero_test_%d.service", (int) getpid());
        (void) snprintf(u->below, sizeof(u->below), "%s/part", u->path);
        if (u->root >= 0 && mkdirat(u->root, u->path, 0755) == 0 && mkdirat(u->root, u->below, 0755) == 0)
                return true;
        printf("     no cgroup can be made: not shown here\n");
        return false;
}

/* A process that holds `socket` among others and lives in `cgroup`. */
static bool unit_run(Unit *u, const char *cgroup, int socket) {
        (void) fflush(stdout);
        u->pid = fork();
        if (u->pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (socket >= 0)
                        (void) dup2(socket, 200);
                for (;;)
                        (void) pause();
        }
        return u->pid > 0 && enter(u->root, cgroup, u->pid);
}

static uint32_t number_of(int fd) {
        struct stat st;

        return fstat(fd, &st) == 0 ? (uint32_t) st.st_ino : 0;
}

TEST(a_process_of_the_unit_that_has_the_socket_is_found) {
        _cleanup_unit_ Unit u = { .root = -1 };
        _cleanup_close_ int held = -1, other = -1;
        pid_t found = 0;

        if (!unit_make(&u))
                return;
        held = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ASSERT(unit_run(&u, u.path, held));
        other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); /* which we have, and it has not */
        ASSERT_EQ(unit_cgroup_find_holder(u.pid, u.path, number_of(held), &found), 1);
        ASSERT_EQ(found, u.pid);
        ASSERT_EQ(unit_cgroup_find_holder(u.pid, u.path, number_of(other), &found), 0);
}

TEST(a_process_in_a_cgroup_below_the_units_counts_as_one_of_it) {
        _cleanup_unit_ Unit u = { .root = -1 };
        _cleanup_close_ int held = -1;
        pid_t found = 0;

        if (!unit_make(&u))
                return;
        held = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ASSERT(unit_run(&u, u.below, held));
        ASSERT_EQ(unit_cgroup_find_holder(u.pid, u.path, number_of(held), &found), 1);
        ASSERT_EQ(found, u.pid);
}

TEST(without_a_member_nothing_can_be_told) {
        _cleanup_unit_ Unit u = { .root = -1 };
        pid_t gone, found = 0;

        if (!unit_make(&u))
                return;
        ASSERT(unit_run(&u, u.path, -1));
        ASSERT_EQ(unit_cgroup_find_holder(getpid(), u.path, 1, &found), -ESRCH);
        ASSERT_EQ(unit_cgroup_find_holder(u.pid, "test.service", 1, &found), -ESRCH); /* its name only ends so */
        gone = u.pid;
        unit_end(&u);
        ASSERT_EQ(unit_cgroup_find_holder(gone, u.path, 1, &found), -ESRCH);
}
