/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <sched.h>
#include <sys/wait.h>

#include "boundary/socket_watch.h"
#include "unit_sockets.h"

/* What was called, as "folder/name", or "folder!" for a NULL name, in a row. */
typedef struct Calls {
        sd_event *event;
        SocketWatch *watch;
        char text[8192];
        unsigned n;
        const char *remove_at_call; /* a folder to be removed by the next call */
} Calls;

static void note_call(const char *directory, const char *name, void *userdata) {
        Calls *c = userdata;
        const char *slash = strrchr(directory, '/');
        size_t n = strlen(c->text);

        c->n++;
        (void) snprintf(c->text + n, sizeof(c->text) - n, "%s%s%s;", slash + 1, name ? "/" : "!", name ? name : "");
        if (c->remove_at_call)
                socket_watch_remove(c->watch, c->remove_at_call);
        c->remove_at_call = NULL;
}

static void calls_done(Calls *c) {
        (void) socket_watch_free(c->watch);
        (void) sd_event_unref(c->event);
}

static bool calls_init(Calls *c) {
        *c = (Calls){ 0 };
        return sd_event_new(&c->event) >= 0 && socket_watch_new(c->event, note_call, c, &c->watch) == 0;
}

/* The kernel queues an event before the call that made it returns: what is not there now will not come. */
static const char *take_calls(Calls *c) {
        static char text[sizeof(c->text)];

        while (sd_event_run(c->event, 0) > 0)
                ;
        strcpy(text, c->text);
        c->text[0] = '\0';
        c->n = 0;
        return text;
}

static bool touch(const char *path) {
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

        return fd >= 0 && close(fd) == 0;
}

/* How many watches the inotify descriptor holds, as the kernel counts them. */
static unsigned count_watches(void) {
        unsigned n = 0;

        for (int fd = 0; fd < 64; fd++) {
                _cleanup_fclose_ FILE *f = NULL;
                char path[64], line[256];

                (void) snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
                f = fopen(path, "re");
                while (f && fgets(line, sizeof(line), f))
                        n += strncmp(line, "inotify wd:", 11) == 0;
        }
        return n;
}

#define _cleanup_calls_ _cleanup_(calls_done)

TEST(what_comes_goes_or_is_renamed_in_a_folder_is_told) {
        _cleanup_folder_ char *folder = folder_new();
        const char *dir = in_folder(folder, "s"), *a = in_folder(folder, "s/a.sock"),
                   *b = in_folder(folder, "s/b.sock");
        _cleanup_close_ int listener = -1;
        _cleanup_calls_ Calls c = { 0 };

        ASSERT(calls_init(&c) && mkdir(dir, 0700) == 0);
        ASSERT_EQ(socket_watch_add(c.watch, dir), 0);
        ASSERT_STREQ(take_calls(&c), "");
        listener = listen_at(a, 1);
        ASSERT(listener >= 0);
        ASSERT_STREQ(take_calls(&c), "s/a.sock;");
        ASSERT(rename(a, b) == 0);
        ASSERT_STREQ(take_calls(&c), "s/a.sock;s/b.sock;");
        ASSERT(unlink(b) == 0);
        ASSERT_STREQ(take_calls(&c), "s/b.sock;");
}

TEST(the_same_file_many_times_is_told_once_a_batch) {
        _cleanup_folder_ char *folder = folder_new();
        const char *dir = in_folder(folder, "s"), *a = in_folder(folder, "s/a"), *b = in_folder(folder, "s/b");
        _cleanup_calls_ Calls c = { 0 };

        ASSERT(calls_init(&c) && mkdir(dir, 0700) == 0 && socket_watch_add(c.watch, dir) == 0);
        for (unsigned i = 0; i < 50; i++)
                ASSERT(touch(a) && touch(b) && unlink(a) == 0 && unlink(b) == 0);
        ASSERT_STREQ(take_calls(&c), "s/a;s/b;");
}

TEST(a_folder_that_does_not_exist_yet_is_told_of_when_it_comes) {
        _cleanup_folder_ char *folder = folder_new();
        const char *x = in_folder(folder, "x"), *y = in_folder(folder, "x/y"), *dir = in_folder(folder, "x/y/s");
        _cleanup_calls_ Calls c = { 0 };

        ASSERT(calls_init(&c));
        ASSERT_EQ(socket_watch_add(c.watch, dir), 0);
        ASSERT(touch(in_folder(folder, "noise")) && mkdir(x, 0700) == 0);
        ASSERT_STREQ(take_calls(&c), "");
        ASSERT(touch(in_folder(folder, "x/noise")) && mkdir(y, 0700) == 0);
        ASSERT_STREQ(take_calls(&c), "");
        ASSERT(mkdir(dir, 0700) == 0);
        ASSERT_STREQ(take_calls(&c), "s!;");
        ASSERT(touch(in_folder(folder, "x/y/s/a")));
        ASSERT_STREQ(take_calls(&c), "s/a;");
}

TEST(a_folder_that_comes_with_all_its_ancestors_at_once_is_told_of) {
        _cleanup_folder_ char *folder = folder_new();
        const char *dir = in_folder(folder, "x/y/s");
        _cleanup_calls_ Calls c = { 0 };

        ASSERT(calls_init(&c) && socket_watch_add(c.watch, dir) == 0);
        ASSERT(mkdir(in_folder(folder, "x"), 0700) == 0 && mkdir(in_folder(folder, "x/y"), 0700) == 0);
        ASSERT(mkdir(dir, 0700) == 0 && touch(in_folder(folder, "x/y/s/early")));
        ASSERT_STREQ(take_calls(&c), "s!;");
        ASSERT(touch(in_folder(folder, "x/y/s/late")));
        ASSERT_STREQ(take_calls(&c), "s/late;");
}

TEST(a_folder_removed_and_made_anew_is_watched_again) {
        _cleanup_folder_ char *folder = folder_new();
        const char *dir = in_folder(folder, "s"), *a = in_folder(folder, "s/a");
        _cleanup_calls_ Calls c = { 0 };

        ASSERT(calls_init(&c) && mkdir(dir, 0700) == 0 && socket_watch_add(c.watch, dir) == 0);
        for (unsigned i = 0; i < 3; i++) {
                ASSERT(rmdir(dir) == 0);
                ASSERT_STREQ(take_calls(&c), "s!;");
                ASSERT(mkdir(dir, 0700) == 0);
                ASSERT_STREQ(take_calls(&c), "s!;");
                ASSERT(rmdir(dir) == 0 && mkdir(dir, 0700) == 0); /* between two turns of the loop */
                ASSERT_STREQ(take_calls(&c), "s!;");
                ASSERT(touch(a) && unlink(a) == 0);
                ASSERT_STREQ(take_calls(&c), "s/a;");
        }
        ASSERT_EQ(count_watches(), 2);
}

/* The folder's own watch stays silent then: its inode lives on until the descriptor is closed. */
TEST(a_folder_removed_while_somebody_is_in_it_is_told_of_at_once) {
        _cleanup_folder_ char *folder = folder_new();
        const char *dir = in_folder(folder, "s");
        _cleanup_close_ int held = -1;
        _cleanup_calls_ Calls c = { 0 };

        ASSERT(calls_init(&c) && mkdir(dir, 0700) == 0 && socket_watch_add(c.watch, dir) == 0);
        held = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT(held >= 0 && rmdir(dir) == 0);
        ASSERT_STREQ(take_calls(&c), "s!;");
        ASSERT(mkdir(dir, 0700) == 0);
        ASSERT_STREQ(take_calls(&c), "s!;");
        ASSERT(touch(in_folder(folder, "s/a")));
        ASSERT_STREQ(take_calls(&c), "s/a;");
}

TEST(a_folder_renamed_away_is_not_taken_for_the_old_one) {
        _cleanup_folder_ char *folder = folder_new();
        const char *dir = in_folder(folder, "s");
        _cleanup_calls_ Calls c = { 0 };

        ASSERT(calls_init(&c) && mkdir(dir, 0700) == 0 && socket_watch_add(c.watch, dir) == 0);
        ASSERT(rename(dir, in_folder(folder, "away")) == 0);
        ASSERT_STREQ(take_calls(&c), "s!;");
        ASSERT(touch(in_folder(folder, "away/a")));
        ASSERT_STREQ(take_calls(&c), "");
        ASSERT(rename(in_folder(folder, "away"), dir) == 0);
        ASSERT_STREQ(take_calls(&c), "s!;");
        ASSERT(touch(in_folder(folder, "s/b")));
        ASSERT_STREQ(take_calls(&c), "s/b;");
}

TEST(adds_are_counted_and_the_last_remove_gives_the_watches_back) {
        _cleanup_folder_ char *folder = folder_new();
        const char *dir = in_folder(folder, "s"), *other = in_folder(folder, "t");
        _cleanup_calls_ Calls c = { 0 };

        ASSERT(calls_init(&c) && mkdir(dir, 0700) == 0 && mkdir(other, 0700) == 0);
        ASSERT_EQ(socket_watch_add(c.watch, dir), 0);
        ASSERT_EQ(socket_watch_add(c.watch, dir), 0);
        ASSERT_EQ(socket_watch_add(c.watch, other), 0);
        ASSERT_EQ(count_watches(), 3); /* both, and the parent they share */

        socket_watch_remove(c.watch, dir);
        ASSERT(touch(in_folder(folder, "s/a")));
        ASSERT_STREQ(take_calls(&c), "s/a;");
        socket_watch_remove(c.watch, dir);
        ASSERT_EQ(count_watches(), 2);
        ASSERT(touch(in_folder(folder, "s/b")));
        ASSERT_STREQ(take_calls(&c), "");
        socket_watch_remove(c.watch, other);
        socket_watch_remove(c.watch, "/never/added");
        ASSERT_EQ(count_watches(), 0);
}

TEST(two_names_of_one_folder_are_both_told) {
        _cleanup_folder_ char *folder = folder_new();
        const char *dir = in_folder(folder, "s"), *link = in_folder(folder, "link");
        _cleanup_calls_ Calls c = { 0 };

        ASSERT(calls_init(&c) && mkdir(dir, 0700) == 0 && symlink("s", link) == 0);
        ASSERT(socket_watch_add(c.watch, dir) == 0 && socket_watch_add(c.watch, link) == 0);
        ASSERT(touch(in_folder(folder, "s/a")));
        ASSERT_STREQ(take_calls(&c), "link/a;s/a;");
}

TEST(a_folder_may_be_removed_by_the_call_that_tells_of_it) {
        _cleanup_folder_ char *folder = folder_new();
        const char *dir = in_folder(folder, "s");
        _cleanup_calls_ Calls c = { 0 };

        ASSERT(calls_init(&c) && mkdir(dir, 0700) == 0 && socket_watch_add(c.watch, dir) == 0);
        ASSERT(touch(in_folder(folder, "s/a")) && touch(in_folder(folder, "s/b")));
        c.remove_at_call = dir;
        ASSERT_STREQ(take_calls(&c), "s/a;");
        ASSERT_EQ(count_watches(), 0);
        ASSERT_EQ(socket_watch_add(c.watch, dir), 0);
        ASSERT(touch(in_folder(folder, "s/c")));
        ASSERT_STREQ(take_calls(&c), "s/c;");
}

TEST(only_absolute_folders_can_be_watched) {
        _cleanup_calls_ Calls c = { 0 };

        ASSERT(calls_init(&c));
        ASSERT_EQ(socket_watch_add(c.watch, "relative"), -EINVAL);
        ASSERT_EQ(socket_watch_add(c.watch, ""), -EINVAL);
        ASSERT_EQ(count_watches(), 0);
}

TEST(slashes_too_many_and_the_root_itself_do_no_harm) {
        _cleanup_folder_ char *folder = folder_new();
        const char *dir = in_folder(folder, "/s//");
        _cleanup_calls_ Calls c = { 0 };

        ASSERT(calls_init(&c));
        ASSERT_EQ(socket_watch_add(c.watch, "/"), 0);
        socket_watch_remove(c.watch, "/");
        ASSERT_EQ(count_watches(), 0);
        ASSERT_EQ(socket_watch_add(c.watch, dir), 0);
        ASSERT(mkdir(in_folder(folder, "s"), 0700) == 0);
        ASSERT_STREQ(take_calls(&c), "!;");
        ASSERT(touch(in_folder(folder, "s/a")));
        ASSERT_STREQ(take_calls(&c), "/a;");
}

static unsigned queue_limit(void) {
        _cleanup_fclose_ FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
        unsigned n = 0;

        return f && fscanf(f, "%u", &n) == 1 ? n : 0;
}

TEST(when_the_kernels_queue_overflows_every_folder_is_told) {
        _cleanup_folder_ char *folder = folder_new();
        const char *dir = in_folder(folder, "s"), *other = in_folder(folder, "t");
        const char *a = in_folder(folder, "s/a"), *b = in_folder(folder, "s/b");
        unsigned n = queue_limit();
        _cleanup_calls_ Calls c = { 0 };
        bool is_told = false;

        if (n == 0 || n > 100000)
                return;
        ASSERT(calls_init(&c) && mkdir(dir, 0700) == 0 && mkdir(other, 0700) == 0);
        ASSERT(socket_watch_add(c.watch, dir) == 0 && socket_watch_add(c.watch, other) == 0);
        ASSERT(touch(a));
        for (unsigned i = 0; i <= n / 2; i++) /* two events each */
                ASSERT(rename(i % 2 ? b : a, i % 2 ? a : b) == 0);
        while (sd_event_run(c.event, 0) > 0) {
                is_told = is_told || (strstr(c.text, "s!;") && strstr(c.text, "t!;"));
                c.text[0] = '\0';
        }
        ASSERT(is_told);
        ASSERT(touch(in_folder(folder, "t/x")));
        ASSERT_STREQ(take_calls(&c), "t/x;");
}

static bool limit_watches(const char *n) {
        _cleanup_close_ int fd = open("/proc/sys/user/max_inotify_watches", O_WRONLY | O_CLOEXEC);

        return fd >= 0 && write(fd, n, 1) == 1;
}

static int without_watches(const char *folder) {
        _cleanup_calls_ Calls c = { 0 };

        if (unshare(CLONE_NEWUSER) < 0 || !calls_init(&c) || !limit_watches("2"))
                return 77;
        if (socket_watch_add(c.watch, folder) != 0 || socket_watch_add(c.watch, "/usr/lib") != -ENOSPC)
                return 1;
        return count_watches() == 2 && touch(in_folder(folder, "a")) && strstr(take_calls(&c), "/a;") ? 0 : 1;
}

static int without_watches_when_made_anew(const char *folder) {
        const char *dir = in_folder(folder, "s");
        _cleanup_calls_ Calls c = { 0 };

        if (unshare(CLONE_NEWUSER) < 0 || !calls_init(&c))
                return 77;
        if (mkdir(dir, 0700) < 0 || socket_watch_add(c.watch, dir) != 0 || rmdir(dir) < 0 || !*take_calls(&c))
                return 1;
        if (!limit_watches("1"))
                return 77;
        if (mkdir(dir, 0700) < 0 || !strstr(take_calls(&c), "s!;") || socket_watch_error(c.watch, dir) != -ENOSPC)
                return 2;
        if (!limit_watches("9"))
                return 77;
        if (rmdir(dir) < 0 || mkdir(dir, 0700) < 0 || !strstr(take_calls(&c), "s!;") ||
            socket_watch_error(c.watch, dir) != 0)
                return 3;
        return touch(in_folder(folder, "s/a")) && strstr(take_calls(&c), "s/a;") ? 0 : 4;
}

/* In a user namespace of its own, where the limit can be set for itself alone: 0 as it should be, 77 cannot be, else
 * what was not. */
static int in_user_namespace(int (*show)(const char *folder)) {
        _cleanup_folder_ char *folder = folder_new();
        int status = -1;
        pid_t pid;

        (void) fflush(stdout);
        pid = fork();
        if (pid == 0)
                _exit(show(folder));
        if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                return -1;
        if (WEXITSTATUS(status) != 77)
                return WEXITSTATUS(status);
        printf("     no user namespace to be had: not shown here\n");
        return 0;
}

TEST(a_folder_beyond_the_users_watches_is_refused_and_the_others_stay) {
        ASSERT_EQ(in_user_namespace(without_watches), 0);
}

TEST(a_folder_made_anew_beyond_the_users_watches_is_told_as_unwatched_until_it_can_be_watched_again) {
        ASSERT_EQ(in_user_namespace(without_watches_when_made_anew), 0);
}
