/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#include "boundary/errand.h"
#include "boundary/hands.h"
#include "boundary/hands_work.h"
#include "boundary/port_connection.h"
#include "forked_process.h"
#include "unit_sockets.h"

static const struct in6_addr v4 = { .s6_addr = { [10] = 0xff, 0xff, 127, 0, 0, 1 } };

/* -1000: no answer within five seconds. */
static int answer_of(int asked, int *ret_error, int *ret_fd) {
        struct pollfd p = { .fd = asked, .events = POLLIN };

        *ret_error = *ret_fd = -1;
        if (asked < 0)
                return asked;
        return poll(&p, 1, 5000) == 1 ? errand_read_answer(asked, ret_error, ret_fd) : -1000;
}

static int listen_on_port(uint16_t *ret_port) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t n = sizeof(address);

        if (fd < 0 || bind(fd, (struct sockaddr *) &address, n) < 0 || listen(fd, 4) < 0 ||
            getsockname(fd, (struct sockaddr *) &address, &n) < 0)
                return -1;
        *ret_port = ntohs(address.sin_port);
        return TAKE_FD(fd);
}

TEST(a_connection_that_the_dialer_makes_leads_to_the_port) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "dialer");
        _cleanup_process_ pid_t dialer = forked_process_serve(path, port_connection_serve);
        uint16_t port = 0;
        _cleanup_close_ int listener = listen_on_port(&port), asked = port_connection_ask(path, &v4, port), fd = -1,
                            accepted = -1;
        int error;
        char byte = 0;

        ASSERT(dialer > 0 && listener >= 0 && asked >= 0);
        ASSERT_EQ(answer_of(asked, &error, &fd), 0);
        ASSERT_EQ(error, 0);
        ASSERT(fd >= 0);
        accepted = accept(listener, NULL, NULL);
        ASSERT(accepted >= 0 && write(fd, "x", 1) == 1 && read(accepted, &byte, 1) == 1);
        ASSERT_EQ(byte, 'x');
}

static bool is_in_call(pid_t pid, long call) {
        char path[64];
        long number = -1;
        FILE *f;

        (void) snprintf(path, sizeof(path), "/proc/%d/syscall", (int) pid);
        f = fopen(path, "re");
        if (!f)
                return false;
        if (fscanf(f, "%ld", &number) != 1)
                number = -1;
        (void) fclose(f);
        return number == call;
}

/* A socket with a time-out is one of the few that SIGCONT lets return with EINTR. */
TEST(who_is_stopped_while_he_waits_for_a_question_hears_it_all_the_same) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "hands");
        _cleanup_process_ pid_t hands = forked_process_serve(path, hands_serve);
        _cleanup_close_ int asker = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), fd = -1;
        const HandsQuestion question = { HANDS_GIVE_FOLDER, 0, 0 };
        struct sockaddr_un address = address_of(path);
        int error, status;

        ASSERT(hands > 0 && connect(asker, (struct sockaddr *) &address, sizeof(address)) == 0);
        while (!is_in_call(hands, SYS_recvmsg))
                (void) sched_yield();
        ASSERT(kill(hands, SIGSTOP) == 0 && waitpid(hands, &status, WUNTRACED) == hands && WIFSTOPPED(status));
        ASSERT_EQ(kill(hands, SIGCONT), 0);
        ASSERT_EQ(waitpid(hands, &status, WCONTINUED), hands);
        while (!is_in_call(hands, SYS_recvmsg) && !is_in_call(hands, SYS_accept4))
                (void) sched_yield();
        ASSERT_EQ(send(asker, &question, sizeof(question), MSG_NOSIGNAL), (ssize_t) sizeof(question));
        ASSERT_EQ(answer_of(asker, &error, &fd), 0);
        ASSERT_EQ(error, EBADF);
}

TEST(who_is_asked_what_makes_no_sense_says_so_or_nothing_and_goes_on) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "dialer");
        _cleanup_process_ pid_t dialer = forked_process_serve(path, port_connection_serve);
        _cleanup_close_ int none = port_connection_ask(path, &v4, 0), fd = -1, unwanted = -1;
        _cleanup_close_ int longer = errand_ask(path, "four", 4, -1), mute = -1;
        int error;

        ASSERT(dialer > 0 && none >= 0 && longer >= 0);
        ASSERT_EQ(answer_of(none, &error, &fd), 0);
        ASSERT_EQ(error, EINVAL);
        ASSERT_EQ(fd, -1);
        ASSERT_EQ(answer_of(longer, &error, &unwanted), -ECONNRESET);
        /* Who connects and says nothing holds up the next one for a second, and not for ever. */
        mute = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = address_of(path);
        ASSERT_EQ(connect(mute, (struct sockaddr *) &address, sizeof(address)), 0);
        (void) close(none);
        none = port_connection_ask(path, &v4, 0);
        ASSERT_EQ(answer_of(none, &error, &fd), 0);
        ASSERT_EQ(error, EINVAL);
}

TEST(no_connection_leads_off_this_machine) {
        static const struct in6_addr elsewhere[] = {
                { .s6_addr = { [10] = 0xff, 0xff, 10, 0, 0, 1 } },
                { .s6_addr = { [10] = 0xff, 0xff, 0, 0, 0, 0 } },
                { .s6_addr = { [0] = 0xfd, [15] = 1 } },
                { .s6_addr = { [12] = 127, 0, 0, 1 } },
                IN6ADDR_ANY_INIT,
        };
        static const struct in6_addr v6 = IN6ADDR_LOOPBACK_INIT;
        uint16_t port = 0;
        _cleanup_close_ int listener = listen_on_port(&port), fd = -1, other = -1;

        ASSERT(listener >= 0);
        for (size_t i = 0; i < ELEMENTSOF(elsewhere); i++)
                ASSERT_EQ(port_connection_open(&elsewhere[i], port), -EINVAL);
        fd = port_connection_open(&v4, port);
        ASSERT(fd >= 0);
        other = port_connection_open(&v6, port); /* nobody is there, or there is no IPv6 */
        ASSERT(other >= 0 || (other != -EINVAL && other < 0));
}

TEST(nobody_there_is_no_answer) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "dialer");
        int error, fd;

        ASSERT_EQ(port_connection_ask(path, &v4, 80), -ENOENT);
        ASSERT(make_dead_socket(path));
        ASSERT(port_connection_ask(path, &v4, 80) < 0);
        ASSERT_EQ(errand_read_answer(-1, &error, &fd), -EBADF);
}

TEST(another_user_is_asked_nothing_and_told_nothing) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "dialer");
        _cleanup_process_ pid_t dialer = forked_process_serve(path, port_connection_serve);
        int status = -1;
        pid_t pid;

        if (getuid() != 0)
                return; /* only root can be somebody else */
        ASSERT(dialer > 0 && chmod(path, 0777) == 0 && chmod(folder, 0755) == 0);
        (void) fflush(stdout);
        pid = fork();
        if (pid == 0) {
                int error, fd;

                _exit(setresuid(1, 1, 1) == 0 ? -answer_of(port_connection_ask(path, &v4, 80), &error, &fd) : 0);
        }
        ASSERT(pid > 0 && waitpid(pid, &status, 0) == pid);
        /* As it is hung up on before or after it has asked. */
        ASSERT(WIFEXITED(status) && (WEXITSTATUS(status) == ECONNRESET || WEXITSTATUS(status) == EPIPE));
}

TEST(hands_do_what_they_are_for_and_nothing_else) {
        _cleanup_folder_ char *folder = folder_new();
        _cleanup_close_ int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int file = open(in_folder(folder, "file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        ASSERT(directory >= 0 && file >= 0);
        ASSERT_EQ(hands_do(&(HandsQuestion){ HANDS_GIVE_FOLDER, getuid(), getgid() }, directory), 0);
        ASSERT_EQ(hands_do(&(HandsQuestion){ HANDS_GIVE_FOLDER, getuid(), (uint32_t) -1 }, directory), 0);
        ASSERT_EQ(hands_do(&(HandsQuestion){ HANDS_GIVE_FOLDER, (uint32_t) -1, getgid() }, directory), -EINVAL);
        ASSERT_EQ(hands_do(&(HandsQuestion){ HANDS_GIVE_FOLDER, getuid(), getgid() }, file), -ENOTDIR);
        ASSERT_EQ(hands_do(&(HandsQuestion){ HANDS_GIVE_FOLDER, getuid(), getgid() }, -1), -EBADF);
        ASSERT_EQ(hands_do(&(HandsQuestion){ HANDS_SIGNAL, SIGSTOP, 0 }, directory), -EPERM);
        ASSERT_EQ(hands_do(&(HandsQuestion){ HANDS_SIGNAL, SIGTERM, 0 }, directory), -EBADF);
        ASSERT_EQ(hands_do(&(HandsQuestion){ 3, 0, 0 }, directory), -EOPNOTSUPP);
}

static void note(void *userdata, int r) {
        *(int *) userdata = r;
}

static int wait_for(sd_event *event, const int *r) {
        while (*r == 1 && sd_event_run(event, 5000000) > 0)
                ;
        return *r;
}

TEST(what_hands_say_comes_by_the_event_loop) {
        _cleanup_folder_ char *folder = folder_new();
        const char *path = in_folder(folder, "hands");
        _cleanup_process_ pid_t server = forked_process_serve(path, hands_serve);
        _cleanup_close_ int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(hands_call_freep) HandsCall *call = NULL;
        int r = 1;

        ASSERT(server > 0 && sd_event_new(&event) >= 0);
        const Hands hands = { event, path }, own = { event, NULL };
        ASSERT_EQ(hands_give_folder(&hands, directory, getuid(), getgid(), note, &r, &call), 1);
        ASSERT_EQ(wait_for(event, &r), 0);
        call = hands_call_free(call);
        r = 1;
        ASSERT_EQ(hands_give_folder(&hands, directory, (uid_t) -1, getgid(), note, &r, &call), 1);
        ASSERT_EQ(wait_for(event, &r), -EINVAL);
        call = hands_call_free(call);
        /* It hangs, as far as can be seen from here. */
        r = 1;
        ASSERT(kill(server, SIGSTOP) == 0);
        ASSERT_EQ(hands_give_folder(&hands, directory, getuid(), getgid(), note, &r, &call), 1);
        ASSERT_EQ(wait_for(event, &r), -ETIMEDOUT);
        call = hands_call_free(call);
        ASSERT_EQ(hands_give_folder(&own, directory, getuid(), getgid(), note, &r, &call), 0);
}
