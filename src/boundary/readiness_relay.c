/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/readiness_relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

enum {
        /* How often a file is looked for without an event: the folder may have been replaced, or not do inotify. */
        FILE_RECHECK_MSEC = 1000,
        /* … and how often where there will be none. */
        FILE_CLOCK_MSEC = 100,
        /* How long systemd may take to hear of a service that is dead already. */
        LAST_WORD_MSEC = 1000,
};

static void close_fd(int *fd) {
        cleanup_close(fd);
        *fd = -1;
}

/* ---- the file ---- */

/* Watches the file's folder. Called again and again: for the same folder that changes nothing. */
static int watch_folder(int inotify_fd, const char *file) {
        const char *slash = strrchr(file, '/');
        char folder[PATH_MAX];
        size_t length;

        if (!slash)
                return -EINVAL;
        length = slash == file ? 1 : (size_t) (slash - file);
        if (length >= sizeof folder)
                return -ENAMETOOLONG;
        memcpy(folder, file, length);
        folder[length] = '\0';
        if (inotify_add_watch(inotify_fd, folder, IN_CREATE | IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR) < 0)
                return -errno;
        return 0;
}

static bool is_regular_file(const char *path, int *ret_error) {
        struct stat st;

        *ret_error = lstat(path, &st) < 0 ? errno : 0;
        return *ret_error == 0 && S_ISREG(st.st_mode);
}

/* It may pass, and is looked again; but a service that nobody can see to be ready must not be a riddle. */
static void say_what_hides_file(ReadinessRelay *relay, int error) {
        if (error == 0 || error == ENOENT || relay->file_error == error)
                return;
        relay->file_error = error;
        log_warning("hero_proc_notify: cannot look for %s: %s", relay->ready_file, strerror(error));
}

static void relay_look_for_file(ReadinessRelay *relay) {
        char events[4096];
        int error;

        /* Which event it was does not matter: armed first and looked after, no order of things can be missed. */
        while (read(relay->watch_fd, events, sizeof events) > 0)
                ;
        (void) watch_folder(relay->watch_fd, relay->ready_file);
        if (!is_regular_file(relay->ready_file, &error)) {
                say_what_hides_file(relay, error);
                return;
        }
        relay->is_ready = true;
        close_fd(&relay->watch_fd);
}

/* ---- the pipes ---- */

static ssize_t read_pipe(ReadinessRelay *relay, char *bytes, size_t size) {
        ssize_t n;

        do
                n = read(relay->watch_fd, bytes, size);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                relay->watch_error = -errno;
        return n;
}

/* Longer lines than the one we know are cut, never stored. */
static void relay_take_byte(ReadinessRelay *relay, char c) {
        static const char ready[] = "READY=1";

        if (c != '\n') {
                if (relay->line_length < sizeof relay->line)
                        relay->line[relay->line_length++] = c;
                return;
        }
        if (relay->line_length == 0 ||
            (relay->line_length == strlen(ready) && memcmp(relay->line, ready, strlen(ready)) == 0))
                relay->is_ready = true;
        relay->line_length = 0;
}

static void relay_read_lines(ReadinessRelay *relay) {
        char bytes[4096];
        ssize_t n;

        n = read_pipe(relay, bytes, sizeof bytes);
        if (n <= 0) {
                close_fd(&relay->watch_fd);
                return;
        }
        for (ssize_t i = 0; i < n && !relay->is_ready; i++)
                relay_take_byte(relay, bytes[i]);
}

/* Closed without a byte, the exec has happened. A main process killed just before it looks the same, and the READY sent
 * then is harmless: systemd takes it only from a unit that is still starting, and hears of the death right after. Not
 * to send it when main is dead would be worse: a program that does its work in a millisecond would count as never
 * started. */
static void relay_read_exec(ReadinessRelay *relay) {
        char failed;

        relay->is_ready = read_pipe(relay, &failed, 1) == 0;
        close_fd(&relay->watch_fd);
}

/* ---- the relay ---- */

/* Wakes the relay like a watch of the folder that always has news. The kernel grants a user few inotify instances (128
 * mostly): a service must not fail because others have them all. */
static int clock_open(void) {
        const struct timespec pause = { .tv_nsec = FILE_CLOCK_MSEC * 1000000L };
        _cleanup_close_ int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

        if (fd < 0 || timerfd_settime(fd, 0, &(struct itimerspec){ pause, pause }, NULL) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int watch_open_file(const char *ready_file) {
        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        int r;

        if (fd < 0)
                return errno == EMFILE ? clock_open() : -errno;
        r = watch_folder(fd, ready_file);
        if (r == -ENOSPC) /* there is a limit to watches, too */
                return clock_open();
        return r < 0 ? r : TAKE_FD(fd);
}

static int watch_open(RelayKind kind, const char *ready_file, int *ret_watch_fd, int *ret_fd) {
        int fds[2], r;

        if (kind != RELAY_FILE) {
                if (pipe2(fds, O_CLOEXEC) < 0)
                        return -errno;
                *ret_watch_fd = fds[0];
                *ret_fd = fds[1];
                return 0;
        }

        r = watch_open_file(ready_file);
        if (r < 0)
                return r;
        *ret_watch_fd = r;
        *ret_fd = -1;
        return 0;
}

int readiness_relay_init(ReadinessRelay *relay, RelayKind kind, const char *ready_file, const NotifySocket *notify,
                         int *ret_fd) {
        _cleanup_close_ int main_fd = -1;
        int watch_fd = -1, r;

        /* Taken by main of itself, so that it cannot mean a later process of the same number. */
        main_fd = (int) syscall(SYS_pidfd_open, getpid(), 0);
        if (main_fd < 0 || fcntl(main_fd, F_SETFD, FD_CLOEXEC) < 0)
                return -errno;
        r = watch_open(kind, ready_file, &watch_fd, ret_fd);
        if (r < 0)
                return r;

        *relay = (ReadinessRelay){
                .kind = kind,
                .ready_file = ready_file,
                .notify = notify,
                .watch_fd = watch_fd,
                .main_fd = TAKE_FD(main_fd),
                .barrier_fd = -1,
        };
        return 0;
}

void readiness_relay_done(ReadinessRelay *relay) {
        close_fd(&relay->watch_fd);
        close_fd(&relay->main_fd);
        close_fd(&relay->barrier_fd);
}

static int relay_tell_systemd(ReadinessRelay *relay) {
        int r;

        r = notify_socket_send(relay->notify, "READY=1");
        if (r < 0)
                return r;
        return notify_socket_send_barrier(relay->notify, &relay->barrier_fd);
}

static void relay_look(ReadinessRelay *relay) {
        switch (relay->kind) {
        case RELAY_EXEC:
                relay_read_exec(relay);
                break;
        case RELAY_FD3:
                relay_read_lines(relay);
                break;
        case RELAY_FILE:
                relay_look_for_file(relay);
                break;
        }
}

static bool relay_has_more_to_do(const ReadinessRelay *relay) {
        return relay->watch_fd >= 0 || relay->barrier_fd >= 0;
}

/* Waits, and takes up what has come. Returns false when that was nothing within the time. */
static bool relay_turn(ReadinessRelay *relay, int timeout_msec) {
        /* A negative descriptor is no descriptor to poll(). */
        struct pollfd p[] = {
                { .fd = relay->watch_fd, .events = POLLIN },
                { .fd = relay->main_fd, .events = POLLIN },
                { .fd = relay->barrier_fd },
        };
        int n;

        n = poll(p, ELEMENTSOF(p), timeout_msec);
        if (relay->watch_fd >= 0 && (p[0].revents || relay->kind == RELAY_FILE))
                relay_look(relay);
        /* After that look, since main may have said ready with its last breath. A child of it that still holds the pipe
         * must not keep the relay, and with it the unit, alive. */
        if (p[1].revents) {
                close_fd(&relay->main_fd);
                close_fd(&relay->watch_fd);
        }
        if (p[2].revents)
                close_fd(&relay->barrier_fd);
        return n != 0;
}

int readiness_relay_run(ReadinessRelay *relay) {
        bool told = false;
        int r;

        if (relay->kind == RELAY_FILE)
                relay_look_for_file(relay);
        for (;;) {
                if (relay->is_ready && !told) {
                        r = relay_tell_systemd(relay);
                        if (r < 0)
                                return r;
                        told = true;
                }
                if (!relay_has_more_to_do(relay))
                        return told ? 0 : relay->watch_error;

                bool is_dead = relay->main_fd < 0, looks_for_file = relay->kind == RELAY_FILE && relay->watch_fd >= 0;
                if (!relay_turn(relay, is_dead ? LAST_WORD_MSEC : looks_for_file ? FILE_RECHECK_MSEC : -1) && is_dead)
                        return 0;
        }
}
