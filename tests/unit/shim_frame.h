/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The frame of test_hero_proc_notify.c: runs the real shim, which must lie beside the test program. The test stands in
 * for systemd: it owns $NOTIFY_SOCKET, and as subreaper it is who orphans fall to, so that waitpid() tells when the
 * relay is gone. The service is the test program again, told what to do by bytes on its standard input. */

#include "unit_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "boundary/exec_file.h"

#ifndef SHIM_PROGRAM
#define SHIM_PROGRAM "hero_proc_notify"
#endif

enum { HANG_SECONDS = 60, BULK_BYTES = 1024 * 1024 };

static char self[PATH_MAX], shim[PATH_MAX], folder[] = "/tmp/test_shim.XXXXXX";
static char orders_path[64], notify_path[64], run_path[64], ready_path[64], socket_path[64], message_path[64];
static int notify_fd = -1;

/* ---- the service ---- */

static void report_fds(FILE *report) {
        fputs("fds", report);
        for (int fd = 0; fd < 64; fd++)
                if (fcntl(fd, F_GETFD) >= 0)
                        fprintf(report, " %d", fd);
        fputc('\n', report);
}

static void report_signals(FILE *report) {
        char line[256];
        FILE *status = fopen("/proc/self/status", "re");

        while (status && fgets(line, sizeof line, status))
                if (strncmp(line, "SigBlk", 6) == 0 || strncmp(line, "SigIgn", 6) == 0)
                        fputs(line, report);
        cleanup_fclose(&status);
}

static void send_report(int argc, char **argv) {
        char *text = NULL;
        size_t size = 0;
        FILE *report = open_memstream(&text, &size);

        report_fds(report);
        report_signals(report);
        fprintf(report, "notify %s\npid %d\narguments\n", getenv("NOTIFY_SOCKET") ?: "none", getpid());
        for (int i = 0; i < argc; i++)
                fwrite(argv[i], 1, strlen(argv[i]) + 1, report);
        fclose(report);
        if (write(STDOUT_FILENO, &size, sizeof size) < 0 || write(STDOUT_FILENO, text, size) != (ssize_t) size)
                _exit(99);
        free(text);
}

static void obey(char order) {
        static char bulk[BULK_BYTES];
        const char *text = order == 'r' ? "READY=1\n" : order == 'j' ? "not READY=1\n" : "\n";

        switch (order) {
        case 'n':
        case 'r':
        case 'j':
                if (write(3, text, strlen(text)) < 0)
                        _exit(98);
                break;
        case 'p': /* the half of a line */
                (void) !write(3, "REA", 3);
                break;
        case 'q':
                (void) !write(3, "DY=1\n", 5);
                break;
        case 'b': /* more than the pipe holds, in one line */
                memset(bulk, 'x', sizeof bulk);
                if (write(3, bulk, sizeof bulk) != sizeof bulk)
                        _exit(97);
                break;
        case 'c':
                close(3);
                break;
        case 'k': /* a child that keeps fd 3 open until the test is over */
                if (fork() == 0)
                        (void) pause();
                break;
        default:
                _exit(order - '0');
        }
        if (write(STDOUT_FILENO, &order, 1) < 0) /* done */
                _exit(96);
}

__attribute__((constructor(101))) static void act_as_service(int argc, char **argv) {
        char order;

        if (!getenv("ACT_AS_SERVICE"))
                return;
        alarm(HANG_SECONDS);
        send_report(argc, argv);
        while (read(STDIN_FILENO, &order, 1) == 1)
                obey(order);
        _exit(0);
}

/* ---- the frame ---- */

static int notify_listen(const struct sockaddr_un *address, socklen_t size) {
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;
        struct timeval patience = { .tv_sec = 10 }; /* then a missing message is a failed assertion */

        if (fd < 0 || bind(fd, (const struct sockaddr *) address, size) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof one) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
                abort();
        return fd;
}

__attribute__((constructor)) static void frame_make(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
        char *slash = n < 0 ? NULL : strrchr(self, '/');

        if (!slash || !mkdtemp(folder))
                abort();
        snprintf(shim, sizeof shim, "%.*s/" SHIM_PROGRAM, (int) (slash - self), self);
        snprintf(orders_path, sizeof orders_path, "%s/orders", folder);
        snprintf(notify_path, sizeof notify_path, "%s/notify", folder);
        snprintf(run_path, sizeof run_path, "%s/run", folder);
        snprintf(ready_path, sizeof ready_path, "%s/run/.ready", folder);
        snprintf(socket_path, sizeof socket_path, "%s/rpc.sock", folder);
        snprintf(message_path, sizeof message_path, "%s/messages", folder);
        strcpy(address.sun_path, notify_path);
        notify_fd = notify_listen(&address, sizeof address);
        if (mkdir(run_path, 0700) < 0)
                abort();
        (void) prctl(PR_SET_CHILD_SUBREAPER, 1);
        alarm(HANG_SECONDS);
}

__attribute__((destructor)) static void frame_remove(void) {
        char command[128];

        snprintf(command, sizeof command, "rm -r %s", folder);
        if (notify_fd >= 0 && system(command) != 0)
                abort();
}

typedef struct Run {
        const char *ready, *notify; /* notify: NULL for none */
        const char *const *sockets, *const *arguments;
        const char *extra_environment; /* "NAME=value" or NULL */
        bool passes_fd;                /* besides the standard ones, as a socket passed by systemd would be */
        bool lacks_inotify;            /* as where the user has used up all instances that the kernel grants */
        pid_t pid;
        int control;
        char *report;
        size_t report_size;
} Run;

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NONE ((const char *const[]){ NULL })
#define SERVICE LIST(self)

/* In a user namespace, whose limits are its own: the machine's other programs notice nothing. */
static void use_up_inotify(void) {
        int fd = -1;

        if (unshare(CLONE_NEWUSER) < 0 ||
            (fd = open("/proc/sys/user/max_inotify_instances", O_WRONLY | O_CLOEXEC)) < 0 || write(fd, "0", 1) != 1)
                _exit(126);
        close(fd);
}

static void become_shim(const Run *run, int control) {
        int messages = open(message_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        (void) dup2(control, STDIN_FILENO);
        (void) dup2(control, STDOUT_FILENO);
        (void) dup2(messages, STDERR_FILENO);
        /* As systemd does, whatever the test was started with: a shell has its background jobs ignore SIGINT. */
        (void) close_range(3, UINT_MAX, 0);
        for (int signo = 1; signo < NSIG; signo++)
                (void) signal(signo, SIG_DFL);
        (void) signal(SIGPIPE, SIG_IGN);
        if (run->passes_fd)
                (void) dup2(STDIN_FILENO, 7);
        if (run->lacks_inotify)
                use_up_inotify();
        setenv("ACT_AS_SERVICE", "1", 1);
        if (run->notify)
                setenv("NOTIFY_SOCKET", run->notify, 1);
        else
                unsetenv("NOTIFY_SOCKET");
        if (run->extra_environment)
                putenv((char *) run->extra_environment);
        execl(shim, "hero_proc_notify", "--exec", orders_path, NULL);
        _exit(127);
}

static void run_shim(Run *run) {
        ExecFile orders = { (char *) run->ready, strcmp(run->ready, "file") == 0 ? ready_path : (char *) "",
                            (char **) run->sockets, (char **) run->arguments, NULL };
        int pair[2];

        if (exec_file_write(orders_path, &orders) < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                abort();
        run->pid = fork();
        if (run->pid == 0)
                become_shim(run, pair[1]);
        close(pair[1]);
        run->control = pair[0];
}

static bool read_all(int fd, void *p, size_t size) {
        for (size_t n = 0; n < size;) {
                ssize_t r = read(fd, (char *) p + n, size - n);

                if (r <= 0)
                        return false;
                n += (size_t) r;
        }
        return true;
}

static bool run_is_up(Run *run) {
        if (!read_all(run->control, &run->report_size, sizeof run->report_size))
                return false;
        run->report = calloc(1, run->report_size + 1);
        return run->report && read_all(run->control, run->report, run->report_size);
}

/* The shim with a command line of its own, in no service. */
static pid_t run_by_hand(const char *notify, const char *const *arguments) {
        pid_t pid = fork();

        if (pid == 0) {
                int messages = open(message_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

                (void) dup2(messages, STDOUT_FILENO);
                (void) dup2(messages, STDERR_FILENO);
                if (notify)
                        setenv("NOTIFY_SOCKET", notify, 1);
                else
                        unsetenv("NOTIFY_SOCKET");
                execv(shim, (char *const *) (uintptr_t) arguments);
                _exit(127);
        }
        return pid;
}

/* Gives one order and waits until it is carried out; '0' to '9' mean exit, which is waited for elsewhere. */
static bool run_order(Run *run, char order) {
        char done;

        if (write(run->control, &order, 1) != 1)
                return false;
        return (order >= '0' && order <= '9') || (read(run->control, &done, 1) == 1 && done == order);
}

static int wait_exit(pid_t pid) {
        int status;

        if (waitpid(pid, &status, 0) != pid)
                return -errno;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* One notification; a barrier is answered by closing what came with it, unless `ret_barrier` takes it. */
static const char *notification(int flags, pid_t *ret_pid, int *ret_barrier) {
        static char text[512];
        union {
                char buffer[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
                struct cmsghdr header;
        } control;
        struct iovec part = { text, sizeof text - 1 };
        struct msghdr message = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
        };
        ssize_t n = recvmsg(notify_fd, &message, MSG_CMSG_CLOEXEC | flags);
        int fd = -1;

        if (n < 0)
                return NULL;
        text[n] = '\0';
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
                if (c->cmsg_type == SCM_RIGHTS)
                        memcpy(&fd, CMSG_DATA(c), sizeof fd);
                if (c->cmsg_type == SCM_CREDENTIALS && ret_pid)
                        *ret_pid = ((struct ucred *) (void *) CMSG_DATA(c))->pid;
        }
        if (ret_barrier)
                *ret_barrier = fd;
        else
                cleanup_close(&fd);
        return text;
}

static bool no_notification(void) {
        return !notification(MSG_DONTWAIT, NULL, NULL) && errno == EAGAIN;
}

/* A process whose parent is `parent`, a zombie too, other than `but`; 0 for none. */
static pid_t child_of(pid_t parent, pid_t but) {
        DIR *proc = opendir("/proc");
        pid_t found = 0, pid, ppid;
        char path[64];

        for (struct dirent *d; proc && !found && (d = readdir(proc));) {
                snprintf(path, sizeof path, "/proc/%.20s/stat", d->d_name);
                FILE *f = fopen(path, "re");
                if (f && fscanf(f, "%d (%*[^)]) %*c %d", &pid, &ppid) == 2 && ppid == parent && pid != but)
                        found = pid;
                cleanup_fclose(&f);
        }
        if (proc)
                closedir(proc);
        return found;
}

static pid_t relay_of(const Run *run) {
        return child_of(getpid(), run->pid);
}

static bool message_holds(const char *text) {
        char all[4096] = "";
        _cleanup_fclose_ FILE *f = fopen(message_path, "re");

        return f && fread(all, 1, sizeof all - 1, f) > 0 && strstr(all, text);
}

static void run_done(Run *run) {
        cleanup_close(&run->control);
        free(run->report);
        /* Also the relay, which would give an unanswered barrier some time. */
        for (pid_t pid; (pid = child_of(getpid(), 0)) > 0;) {
                (void) kill(pid, SIGKILL);
                (void) waitpid(pid, NULL, 0);
        }
        while (notification(MSG_DONTWAIT, NULL, NULL))
                ;
        (void) unlink(ready_path);
}
#define _run_ _cleanup_(run_done)
