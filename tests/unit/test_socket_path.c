/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "boundary/socket_path.h"
#include "unit_sockets.h"

#define NOBODY 65534

/* The inode that the path leads to; 0: none, *ret_error says why. */
static ino_t inode_at(int root, const char *path, int *ret_error) {
        _cleanup_close_ int fd = socket_path_open(root, path);
        struct stat st = { 0 };

        *ret_error = fd < 0 ? -fd : 0;
        return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static int error_at(const char *path) {
        int error;

        (void) inode_at(-1, path, &error);
        return error;
}

static bool is_same(const char *path, const char *other) {
        struct stat st;
        int error;

        return stat(other, &st) == 0 && inode_at(-1, path, &error) == st.st_ino;
}

static bool is_root(void) {
        if (geteuid() == 0)
                return true;
        printf("     only root can make links of root's: not shown here\n");
        return false;
}

/* real/s is a socket, link -> real is made by root. */
static bool make_link(const char *folder) {
        return mkdir(in_folder(folder, "real"), 0755) == 0 && make_dead_socket(in_folder(folder, "real/s")) &&
               chmod(folder, 0755) == 0 && symlink("real", in_folder(folder, "link")) == 0;
}

TEST(a_path_without_links_leads_to_its_file) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "s");

        ASSERT(make_dead_socket(path));
        ASSERT(is_same(path, path));
        ASSERT_EQ(error_at(in_folder(folder, "none")), ENOENT);
        ASSERT_EQ(error_at(in_folder(folder, "s/x")), ENOTDIR);
        ASSERT_EQ(error_at("relative/s"), EINVAL);
        ASSERT_EQ(error_at("/tmp/../etc/passwd"), EINVAL);
        ASSERT_EQ(error_at("/tmp/.."), EINVAL);
        ASSERT_EQ(error_at("/tmp/..none"), ENOENT);
}

TEST(a_link_in_the_last_place_is_not_followed_whoever_made_it) {
        _cleanup_folder_ char *folder = folder_new();
        const char *link = in_folder(folder, "l"), *dangling = in_folder(folder, "d");

        ASSERT(make_dead_socket(in_folder(folder, "s")) && chmod(folder, 0755) == 0);
        ASSERT(symlink("s", link) == 0 && symlink("/nonexistent", dangling) == 0);
        ASSERT_EQ(error_at(link), ELOOP);
        ASSERT_EQ(error_at(dangling), ELOOP);
}

TEST(a_link_that_only_root_could_make_is_followed_on_the_way) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_free_ char *real = strdup(in_folder(folder, "real/s"));

        if (!is_root())
                return;
        ASSERT(make_link(folder));
        ASSERT(is_same(in_folder(folder, "link/s"), real));
        ASSERT(symlink(in_folder(folder, "link"), in_folder(folder, "absolute")) == 0);
        ASSERT(symlink("../real", in_folder(folder, "real/up")) == 0);
        ASSERT(symlink(".//../real/../real/.", in_folder(folder, "real/odd")) == 0);
        ASSERT(is_same(in_folder(folder, "absolute/s"), real)); /* by way of the other link */
        ASSERT(is_same(in_folder(folder, "real/up/s"), real));
        ASSERT(is_same(in_folder(folder, "link/odd/up/s"), real));
        ASSERT_EQ(error_at(in_folder(folder, "link/none")), ENOENT);
}

TEST(a_link_of_a_user_is_not_followed_on_the_way) {
        _cleanup_folder_ char *folder = folder_new();
        const char *link = in_folder(folder, "link");

        ASSERT(make_link(folder));
        ASSERT(geteuid() != 0 || lchown(link, NOBODY, NOBODY) == 0);
        ASSERT_EQ(error_at(in_folder(folder, "link/s")), ELOOP);
}

/* Somebody else could have put it there: moved it from elsewhere, or linked it. */
TEST(a_link_of_root_in_a_folder_of_others_is_not_followed) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_free_ char *path = strdup(in_folder(folder, "link/s"));

        if (!is_root())
                return;
        ASSERT(make_link(folder));
        ASSERT(chmod(folder, 0775) == 0);
        ASSERT_EQ(error_at(path), ELOOP);
        ASSERT(chmod(folder, 0777) == 0);
        ASSERT_EQ(error_at(path), ELOOP);
        ASSERT(chmod(folder, 01777) == 0); /* as /tmp: nobody else can replace it there */
        ASSERT(is_same(path, in_folder(folder, "real/s")));
        ASSERT(chmod(folder, 0755) == 0 && chown(folder, NOBODY, NOBODY) == 0);
        ASSERT_EQ(error_at(path), ELOOP);
}

TEST(links_that_lead_to_each_other_end) {
        _cleanup_folder_ char *folder = folder_new();

        if (!is_root())
                return;
        ASSERT(chmod(folder, 0755) == 0);
        ASSERT(symlink("b", in_folder(folder, "a")) == 0 && symlink("a", in_folder(folder, "b")) == 0);
        ASSERT(symlink(".", in_folder(folder, "here")) == 0);
        ASSERT_EQ(error_at(in_folder(folder, "a/s")), ELOOP);
        ASSERT_EQ(error_at(in_folder(folder, "here/here/here/here/here/here/here/here/here/here/s")), ELOOP);
        ASSERT_EQ(error_at(in_folder(folder, "here/here/here/s")), ENOENT);
}

TEST(another_root_is_not_left_by_a_link) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_close_ int root = -1;
        struct stat st;
        int error;

        if (!is_root())
                return;
        ASSERT(make_link(folder));
        ASSERT(symlink("/real", in_folder(folder, "top")) == 0);
        ASSERT(symlink("../../../../real", in_folder(folder, "far")) == 0);
        root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        ASSERT(root >= 0 && stat(in_folder(folder, "real/s"), &st) == 0);
        ASSERT_EQ(inode_at(root, "/real/s", &error), st.st_ino);
        ASSERT_EQ(inode_at(root, "/top/s", &error), st.st_ino);
        ASSERT_EQ(inode_at(root, "/far/s", &error), st.st_ino);
        ASSERT_EQ(inode_at(root, "/etc/passwd", &error), 0);
        ASSERT_EQ(error, ENOENT);
}

static bool says(const char *path, const char *expected) {
        _cleanup_free_ char *text = socket_path_link_text(-1, path);

        if (text && strcmp(text, expected) == 0)
                return true;
        printf("     %s: \"%s\"\n", path, text ? text : "(null)");
        return false;
}

TEST(the_link_that_is_not_followed_is_told) {
        _cleanup_folder_ char *folder = folder_new();
        char expected[256];

        ASSERT(make_link(folder));
        ASSERT(symlink("/run/x/rpc.sock", in_folder(folder, "l")) == 0);
        ASSERT(symlink("a\033[31m\xff", in_folder(folder, "evil")) == 0);
        ASSERT(says(in_folder(folder, "l"), "is a symbolic link to /run/x/rpc.sock"));
        ASSERT(says(in_folder(folder, "evil"), "is a symbolic link to a?[31m?"));
        ASSERT(geteuid() != 0 || lchown(in_folder(folder, "link"), NOBODY, NOBODY) == 0);
        (void) snprintf(expected, sizeof(expected), "%s/link is a symbolic link to real", folder);
        ASSERT(says(in_folder(folder, "link/s"), expected));
        ASSERT(socket_path_link_text(-1, in_folder(folder, "real/s")) == NULL);
        ASSERT(socket_path_link_text(-1, in_folder(folder, "none")) == NULL);
}

TEST(the_folder_is_opened_by_the_same_rules) {
        _cleanup_folder_ char *folder = folder_new();
        const char *link = in_folder(folder, "link"), *name = NULL;
        _cleanup_close_ int real = -1, followed = -1;

        ASSERT(make_link(folder));
        real = socket_path_open_folder(-1, in_folder(folder, "real/gone.sock"), &name);
        ASSERT(real >= 0);
        ASSERT_STREQ(name, "gone.sock");
        if (geteuid() == 0) {
                followed = socket_path_open_folder(-1, in_folder(folder, "link/gone.sock"), &name);
                ASSERT(followed >= 0);
                ASSERT(lchown(link, NOBODY, NOBODY) == 0);
        }
        ASSERT_EQ(socket_path_open_folder(-1, in_folder(folder, "link/gone.sock"), &name), -ELOOP);
        ASSERT_EQ(socket_path_open_folder(-1, "/tmp/..", &name), -EINVAL);
        ASSERT_EQ(socket_path_open_folder(-1, "/tmp/", &name), -EINVAL);
        cleanup_close(&real);
        real = socket_path_open_folder(-1, "/x.sock", &name);
        ASSERT(real >= 0);
}

/* As a seccomp filter that cannot look into its argument does: RestrictSUIDSGID= in the server's own unit. */
static bool forbid_openat2(void) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { ELEMENTSOF(code), code };

        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(all_of_this_holds_where_openat2_is_forbidden) {
        int status = -1;
        pid_t pid;

        (void) fflush(stdout);
        pid = fork();
        if (pid == 0) {
                bool is_forbidden = forbid_openat2(), has_failed = false;

                for (UnitTest *t = unit_tests; is_forbidden && t->run != all_of_this_holds_where_openat2_is_forbidden;
                     t = t->next) {
                        unit_test_failed = false;
                        t->run();
                        has_failed = has_failed || unit_test_failed;
                }
                (void) fflush(stdout);
                _exit(is_forbidden && !has_failed ? 0 : 1);
        }
        ASSERT(waitpid(pid, &status, 0) == pid);
        ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
