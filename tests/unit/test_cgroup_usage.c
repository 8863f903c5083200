/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "boundary/cgroup_usage.h"

/* A folder with the files that a kernel would have there. */
typedef struct Tree {
        char root[32], slice[80];
} Tree;

static void tree_init(Tree *t, const char *slice) {
        char path[64];

        (void) snprintf(t->root, sizeof t->root, "/tmp/cgroup_usage.XXXXXX");
        if (!mkdtemp(t->root))
                abort();
        (void) snprintf(path, sizeof path, "%s/hero.slice", t->root);
        (void) mkdir(path, 0700);
        (void) snprintf(t->slice, sizeof t->slice, "%s/%s", path, slice);
        (void) mkdir(t->slice, 0700);
}

static void tree_write(const Tree *t, const char *name, const char *text) {
        char path[128];
        FILE *f;

        (void) snprintf(path, sizeof path, "%s/%s", t->slice, name);
        f = fopen(path, "we");
        if (!f || fputs(text, f) < 0 || fclose(f) != 0)
                abort();
}

static void tree_done(Tree *t) {
        static const char *const files[] = { "memory.current", "cpu.stat" };
        char path[128];

        for (size_t i = 0; i < 2; i++) {
                (void) snprintf(path, sizeof path, "%s/%s", t->slice, files[i]);
                (void) unlink(path);
        }
        (void) rmdir(t->slice);
        (void) snprintf(path, sizeof path, "%s/hero.slice", t->root);
        (void) rmdir(path);
        (void) rmdir(t->root);
}

TEST(memory_and_time_of_a_slice_are_read) {
        Tree t __attribute__((cleanup(tree_done)));
        CgroupUsage usage;

        tree_init(&t, "hero-my\\x2dapp.slice");
        tree_write(&t, "memory.current", "22439526\n");
        tree_write(&t, "cpu.stat", "usage_usec 3343558\nuser_usec 3320338\nsystem_usec 23219\n");
        cgroup_usage_read(t.root, "my-app", &usage);
        ASSERT_EQ(usage.memory_bytes, 22439526);
        ASSERT_EQ(usage.cpu_usec, 3343558);
}

TEST(what_is_not_there_or_no_number_is_not_known) {
        Tree t __attribute__((cleanup(tree_done)));
        CgroupUsage usage;

        tree_init(&t, "hero-a.slice");
        tree_write(&t, "cpu.stat", "user_usec 3\n");
        cgroup_usage_read(t.root, "a", &usage);
        ASSERT(usage.memory_bytes == UINT64_MAX && usage.cpu_usec == UINT64_MAX);
        tree_write(&t, "memory.current", "max\n");
        tree_write(&t, "cpu.stat", "");
        cgroup_usage_read(t.root, "a", &usage);
        ASSERT(usage.memory_bytes == UINT64_MAX && usage.cpu_usec == UINT64_MAX);
        cgroup_usage_read(t.root, "nobody", &usage);
        ASSERT(usage.memory_bytes == UINT64_MAX && usage.cpu_usec == UINT64_MAX);
        cgroup_usage_read(t.root, "../a", &usage);
        ASSERT(usage.memory_bytes == UINT64_MAX);
}

TEST(a_users_slices_are_below_the_users_manager) {
        char root[256], expected[64];

        if (!cgroup_usage_find_root(true, root, sizeof root))
                return; /* no cgroup v2 here */
        (void) snprintf(expected, sizeof expected, "/user.slice/user-%u.slice/user@%u.service", (unsigned) getuid(),
                        (unsigned) getuid());
        ASSERT(strstr(root, expected));
        ASSERT(!cgroup_usage_find_root(true, root, 20));
}
