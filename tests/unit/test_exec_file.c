/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "boundary/exec_file.h"

static char folder[] = "/tmp/test_exec_file.XXXXXX", path[64], temporary[80];

__attribute__((constructor)) static void folder_make(void) {
        if (!mkdtemp(folder))
                abort();
        snprintf(path, sizeof path, "%s/main", folder);
        snprintf(temporary, sizeof temporary, "%s.new", path);
}

__attribute__((destructor)) static void folder_remove(void) {
        (void) unlink(path);
        (void) unlink(temporary);
        (void) rmdir(folder);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NONE ((const char *const[]){ NULL })

/* An ExecFile built by hand; its fields are not const for the sake of the reading side. */
static ExecFile orders(const char *ready, const char *ready_file, const char *const *sockets,
                       const char *const *arguments) {
        return (ExecFile){ (char *) ready, (char *) ready_file, (char **) sockets, (char **) arguments, NULL };
}

/* What a reader makes of exactly these bytes. */
static int read_bytes(const char *bytes, size_t size) {
        _cleanup_(exec_file_done) ExecFile f = {};
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        if (fd < 0 || write(fd, bytes, size) != (ssize_t) size)
                abort();
        return exec_file_read(path, &f);
}
#define READ(literal) read_bytes(literal, sizeof(literal) - 1)

#define HEAD "hero_proc-exec-1\0"

TEST(every_byte_but_nul_comes_back_unchanged) {
        char all[256];
        const char *const sockets[] = { "/run/hero/a/rpc.sock", "/x y;$\n\xff", NULL };
        const char *const arguments[] = {
                "/bin/x", "", all, "a;b", "$HOME", "${X}", "%n", "\"'\\", "\n", "grüß", NULL
        };
        ExecFile f = orders("file", "/run/hero/a/.ready", sockets, arguments);
        _cleanup_(exec_file_done) ExecFile got = {};

        for (int i = 1; i < 256; i++)
                all[i - 1] = (char) i;
        all[255] = '\0';

        ASSERT_EQ(exec_file_write(path, &f), 0);
        ASSERT_EQ(exec_file_read(path, &got), 0);
        ASSERT_STREQ(got.ready, "file");
        ASSERT_STREQ(got.ready_file, "/run/hero/a/.ready");
        for (size_t i = 0; i < ELEMENTSOF(sockets); i++)
                ASSERT_STREQ(got.sockets[i], sockets[i]);
        for (size_t i = 0; i < ELEMENTSOF(arguments); i++)
                ASSERT_STREQ(got.arguments[i], arguments[i]);
}

TEST(a_written_file_can_be_read_by_everybody_whatever_the_umask) {
        ExecFile f = orders("exec", "", NONE, LIST("/bin/true"));
        mode_t old = umask(0777);
        struct stat st;

        ASSERT_EQ(exec_file_write(path, &f), 0);
        umask(old);
        ASSERT_EQ(stat(path, &st), 0);
        ASSERT_EQ(st.st_mode & 07777, 0644);
        ASSERT_EQ(access(temporary, F_OK), -1);
}

TEST(a_leftover_of_a_killed_writer_is_no_obstacle) {
        ExecFile f = orders("exec", "", NONE, LIST("/bin/true"));

        ASSERT_EQ(symlink("/nonexistent/elsewhere", temporary), 0);
        ASSERT_EQ(exec_file_write(path, &f), 0);
        ASSERT_EQ(access(temporary, F_OK), -1);
}

TEST(what_a_reader_would_refuse_is_not_written) {
        ExecFile bad[] = {
                orders("soon", "", NONE, LIST("/bin/true")),
                orders("file", "", NONE, LIST("/bin/true")),
                orders("file", "run/.ready", NONE, LIST("/bin/true")),
                orders("exec", "", LIST("rpc.sock"), LIST("/bin/true")),
                orders("exec", "", NONE, NONE),
                orders("exec", "", NONE, LIST("")),
        };

        (void) unlink(path);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ASSERT_EQ(exec_file_write(path, &bad[i]), -EINVAL);
        ASSERT_EQ(access(path, F_OK), -1);
}

TEST(too_much_is_refused_by_writer_and_reader) {
        _cleanup_free_ char *big = malloc(EXEC_FILE_BYTES_MAX + 1);
        ExecFile f = orders("exec", "", NONE, LIST("/bin/true", big));

        ASSERT(big);
        memset(big, 'x', EXEC_FILE_BYTES_MAX);
        big[EXEC_FILE_BYTES_MAX] = '\0';
        ASSERT_EQ(exec_file_write(path, &f), -E2BIG);
        ASSERT_EQ(read_bytes(big, EXEC_FILE_BYTES_MAX + 1), -E2BIG);
}

/* The disk that takes only so many bytes is a file size limit, in a child since it cannot be lifted again. */
static int write_with_file_size_limit(const ExecFile *f, rlim_t bytes) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                (void) signal(SIGXFSZ, SIG_IGN);
                (void) setrlimit(RLIMIT_FSIZE, &(struct rlimit){ bytes, bytes });
                _exit(-exec_file_write(path, f));
        }
        return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

TEST(a_full_disk_leaves_the_old_file_and_no_other) {
        ExecFile old = orders("exec", "", NONE, LIST("/bin/old")), new = orders("exec", "", NONE, LIST("/bin/new"));
        _cleanup_(exec_file_done) ExecFile got = {};

        ASSERT_EQ(exec_file_write(path, &old), 0);
        ASSERT_EQ(write_with_file_size_limit(&new, 20), -EFBIG);
        ASSERT_EQ(exec_file_read(path, &got), 0);
        ASSERT_STREQ(got.arguments[0], "/bin/old");
        ASSERT_EQ(access(temporary, F_OK), -1);
}

TEST(no_prefix_of_a_file_is_taken_for_a_file) {
        static const char whole[] = HEAD "exec\0\0"
                                         "1\0/run/a.sock\0"
                                         "2\0/bin/echo\0hello";

        for (size_t size = 0; size < sizeof whole; size++)
                ASSERT_EQ(read_bytes(whole, size), -EBADMSG);
        ASSERT_EQ(read_bytes(whole, sizeof whole), 0);
}

TEST(damage_is_bad_message) {
        ASSERT_EQ(READ("hero_proc-exec-2\0exec\0\0"
                       "0\0"
                       "1\0/bin/true\0"),
                  -EBADMSG);
        ASSERT_EQ(READ(HEAD "exec\0\0"
                            "0\0"
                            "1\0/bin/true\0more\0"),
                  -EBADMSG);
        ASSERT_EQ(READ(HEAD "exec\0\0"
                            "-1\0"
                            "1\0/bin/true\0"),
                  -EBADMSG);
        ASSERT_EQ(READ(HEAD "exec\0\0"
                            "\0"
                            "1\0/bin/true\0"),
                  -EBADMSG);
        ASSERT_EQ(READ(HEAD "exec\0\0"
                            "0\0"
                            "0\0"),
                  -EBADMSG);
        ASSERT_EQ(READ(HEAD "exec\0\0"
                            "0\0"
                            "99999999999999999999999999\0/bin/true\0"),
                  -EBADMSG);
        ASSERT_EQ(READ(HEAD "maybe\0\0"
                            "0\0"
                            "1\0/bin/true\0"),
                  -EBADMSG);
        ASSERT_EQ(READ(HEAD "file\0\0"
                            "0\0"
                            "1\0/bin/true\0"),
                  -EBADMSG);
}

TEST(absent_and_strange_files_are_told_apart) {
        _cleanup_(exec_file_done) ExecFile f = {};

        ASSERT_EQ(exec_file_read("/nonexistent/main", &f), -ENOENT);
        ASSERT_EQ(exec_file_read(folder, &f), -EBADMSG);
        (void) unlink(path);
        ASSERT_EQ(mkfifo(path, 0600), 0);
        ASSERT_EQ(exec_file_read(path, &f), -EBADMSG);
        (void) unlink(path);
}
