/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The shim with each of its allocations and system calls failing in turn, in its own process, the one between and the
 * relay. Whatever fails, there are three ways that it may go: the service runs with its exact arguments and is ready
 * when it says so; or it was never executed, and the shim ended with one of its exit statuses and a line that says why;
 * or it runs, and the relay that cannot tell systemd says that, so that systemd's start timeout finds it not ready.
 * Never is it said to be ready before it is, and what passes (EINTR, a short read) is never the end of anything.
 *
 * With $FAULTS=all also with all failing from the n-th on, or some in a row. */

#define SHIM_PROGRAM "fixture/faulty_hero_proc_notify"
#include "shim_frame.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "faults/fault_plan.h"

enum {
        ANSWER_MSEC = 10 * 1000,
        LOOK_MSEC = 100, /* how often it is looked whether the relay has said why it goes on looking */
        FINDINGS_MAX = 8,
        N_MAX = 2000, /* a shim that makes so many calls never ends */
};

typedef struct Scenario {
        const char *name, *ready;
        const char *const *arguments;
        bool fails_to_execute, dies_before_ready, has_dead_socket, has_no_systemd, is_by_hand;
} Scenario;

typedef struct Tally {
        const Scenario *scenario;
        FaultKind kind;
        uint64_t n, span;
        unsigned n_injected, n_findings, n_not_run, n_not_told;
} Tally;

static const char *const kinds[_FAULT_KIND_MAX] = {
        [FAULT_ALLOCATION] = "no memory",
        [FAULT_ERROR] = "error",
        [FAULT_INTERRUPTED] = "EINTR",
        [FAULT_SHORT] = "short",
};

static FaultPlan *plan;
static char plan_assignment[96];

static bool tries_all(void) {
        const char *which = getenv("FAULTS");

        return which && strcmp(which, "all") == 0;
}

static bool make_plan(void) {
        char path[80];
        void *shared;
        int fd;

        if (plan)
                return true;
        snprintf(path, sizeof path, "%s/plan", folder);
        snprintf(plan_assignment, sizeof plan_assignment, "FAULT_PLAN=%s", path);
        putenv(plan_assignment);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || ftruncate(fd, sizeof *plan) < 0)
                return false;
        shared = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        plan = shared != MAP_FAILED ? shared : NULL;
        return plan;
}

static void find(Tally *t, const char *what) {
        char said[512] = "";
        _cleanup_fclose_ FILE *f = fopen(message_path, "re");

        if (f)
                said[fread(said, 1, sizeof said - 1, f)] = '\0';
        if (++t->n_findings <= FINDINGS_MAX)
                printf("     %s, %s at %llu%s: %s; it said: %s\n", t->scenario->name, kinds[t->kind],
                       (unsigned long long) t->n, t->span > 1 ? " and on" : "", what, said);
}

static bool passes(FaultKind kind) {
        return kind == FAULT_INTERRUPTED || kind == FAULT_SHORT || kind == FAULT_NONE;
}

static bool has_relay(const Scenario *s) {
        return !s->has_no_systemd && strcmp(s->ready, "none") != 0 && strcmp(s->ready, "notify") != 0;
}

/* ---- what is seen of one try ---- */

/* The report without what differs from run to run. */
static void blank_pid(char *report) {
        char *pid = strstr(report, "\npid ");

        for (pid = pid ? pid + 5 : NULL; pid && *pid >= '0' && *pid <= '9'; pid++)
                *pid = '0';
}

/* "pid 123" and "pid 1234" are of different length: what stands behind is compared from the word on. */
static bool same_report(Run *run, const Run *expected) {
        const char *ours, *theirs;

        if (!expected->report)
                return true;
        blank_pid(run->report);
        ours = strstr(run->report, "\narguments\n");
        theirs = strstr(expected->report, "\narguments\n");
        return ours && theirs && ours - run->report <= theirs - expected->report + 8 &&
               strncmp(run->report, expected->report,
                       (size_t) (strstr(expected->report, "\npid ") - expected->report)) == 0 &&
               run->report + run->report_size - ours == expected->report + expected->report_size - theirs &&
               memcmp(ours, theirs, (size_t) (run->report + run->report_size - ours)) == 0;
}

typedef enum Heard {
        HEARD_GONE,    /* the relay has left */
        HEARD_READY,   /* … or told that the service is ready */
        HEARD_TROUBLE, /* … or said why it cannot see it, and looks again and again */
        HEARD_NOTHING,
        HEARD_STRANGE,
} Heard;

/* Takes notifications, and answers barriers, until one of these; *ret_status is for the first. */
static Heard hear_from(pid_t relay, bool until_ready, unsigned *n_ready, int *ret_status) {
        _cleanup_close_ int relay_fd = (int) syscall(SYS_pidfd_open, relay, 0);

        for (int waited_msec = 0;;) {
                struct pollfd p[] = { { .fd = notify_fd, .events = POLLIN }, { .fd = relay_fd, .events = POLLIN } };
                const char *text;

                if (poll(p, 2, LOOK_MSEC) == 0) {
                        if (until_ready && message_holds("cannot look for"))
                                return HEARD_TROUBLE;
                        if ((waited_msec += LOOK_MSEC) >= ANSWER_MSEC)
                                return HEARD_NOTHING;
                } else if (p[0].revents) {
                        text = notification(0, NULL, NULL);
                        if (text && strcmp(text, "READY=1") == 0) {
                                ++*n_ready;
                                if (until_ready)
                                        return HEARD_READY;
                        } else if (!text || strcmp(text, "BARRIER=1") != 0)
                                return HEARD_STRANGE;
                } else if (p[1].revents) {
                        *ret_status = wait_exit(relay);
                        return HEARD_GONE;
                }
        }
}

static void judge_relay(Tally *t, int status, bool is_told) {
        if (status >= 1000)
                find(t, "the relay crashed");
        else if (is_told || t->scenario->dies_before_ready)
                return;
        else if (passes(t->kind))
                find(t, "the relay gave up for what passes");
        else if (status != 1 || !message_holds("hero_proc_notify: "))
                find(t, "the relay left without a word, and the service is never ready");
        else
                t->n_not_told++;
}

static void judge_not_run(Tally *t, const Run *run) {
        int status = wait_exit(run->pid), other;
        bool fails_anyway = t->scenario->fails_to_execute;

        while (waitpid(-1, &other, 0) > 0)
                if (WIFSIGNALED(other))
                        find(t, "the relay crashed");
        if (status != 202 && status != 203 && status != 245)
                find(t,
                     status >= 1000 ? "the shim crashed" : "the shim ended with an exit status that it does not have");
        else if (!message_holds("hero_proc_notify: "))
                find(t, "the shim ended without a word");
        else if (passes(t->kind) && !(fails_anyway && status == 203))
                find(t, "the service does not run for what passes");
        /* That a byte cannot be written into an empty pipe is the one thing that the relay cannot know. */
        if (!no_notification() && !(fails_anyway && t->kind == FAULT_ERROR))
                find(t, "ready was said of a service that was never executed");
        t->n_not_run++;
}

static void say_ready(Run *run, const Scenario *s) {
        if (strcmp(s->ready, "fd3") == 0)
                (void) run_order(run, 'n'); /* may end it, where the relay is gone */
        else if (strcmp(s->ready, "file") == 0)
                close(open(ready_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void judge_relayed(Tally *t, Run *run, pid_t relay) {
        unsigned n_ready = 0;
        int status = -1;
        Heard heard, end;

        if (strcmp(t->scenario->ready, "exec") != 0 && !no_notification())
                find(t, "it was said to be ready before it was");
        if (t->scenario->dies_before_ready)
                (void) kill(run->pid, SIGKILL);
        else
                say_ready(run, t->scenario);
        heard = end = hear_from(relay, !t->scenario->dies_before_ready, &n_ready, &status);
        if (heard == HEARD_READY || heard == HEARD_TROUBLE) {
                (void) run_order(run, '0');
                end = hear_from(relay, false, &n_ready, &status);
        }
        if (end != HEARD_GONE)
                find(t, end == HEARD_NOTHING ? "the relay neither tells nor leaves"
                                             : "systemd was told something strange");
        else if (heard == HEARD_TROUBLE)
                t->n_not_told++;
        else
                judge_relay(t, status, n_ready > 0);
        if (n_ready > (t->scenario->dies_before_ready ? 0 : 1))
                find(t, "ready was said too often");
}

static void judge_run(Tally *t, Run *run, const Run *expected) {
        pid_t relay = relay_of(run);

        if (t->scenario->fails_to_execute)
                find(t, "what cannot be executed runs");
        if (!same_report(run, expected))
                find(t, "the service has not what was ordered");
        if (has_relay(t->scenario)) {
                if (relay > 0)
                        judge_relayed(t, run, relay);
                else
                        find(t, "the service runs, and nobody is there to tell when it is ready");
        } else if (relay > 0 || !no_notification())
                find(t, "there is a relay that nobody asked for");
        (void) run_order(run, '0');
        (void) wait_exit(run->pid);
}

/* ---- all tries ---- */

static void leave_dead_socket(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void) unlink(socket_path);
        strcpy(address.sun_path, socket_path);
        if (bind(fd, (struct sockaddr *) &address, sizeof address) < 0)
                abort();
}

/* Returns whether something was there to fail. */
static bool try_once(Tally *t, const Run *expected) {
        const Scenario *s = t->scenario;
        Run down = { .ready = s->ready,
                     .notify = s->has_no_systemd ? NULL : notify_path,
                     .sockets = s->has_dead_socket ? LIST(socket_path) : NONE,
                     .arguments = s->arguments };

        if (s->has_dead_socket)
                leave_dead_socket();
        plan->n = t->n;
        plan->span = t->span;
        plan->n_seen = plan->n_failed = 0;
        plan->kind = (uint64_t) t->kind;
        run_shim(&down);
        _cleanup_(run_done) Run run = down;
        if (run_is_up(&run))
                judge_run(t, &run, expected);
        else
                judge_not_run(t, &run);
        plan->kind = FAULT_NONE;
        return plan->n_failed > 0;
}

static bool learn(const Scenario *s, Run *ret_expected) {
        Run down = { .ready = s->ready,
                     .notify = s->has_no_systemd ? NULL : notify_path,
                     .sockets = NONE,
                     .arguments = s->arguments };

        plan->kind = FAULT_NONE;
        run_shim(&down);
        _cleanup_(run_done) Run run = down;
        if (!run_is_up(&run))
                return s->fails_to_execute;
        blank_pid(run.report);
        *ret_expected = (Run){ .report = TAKE_PTR(run.report), .report_size = run.report_size };
        return true;
}

/* By hand, in a service that is to speak itself: 0 is said only where systemd has heard it. */
static bool try_by_hand(Tally *t) {
        unsigned n_ready = 0;
        int status = -1;

        plan->n = t->n;
        plan->span = t->span;
        plan->n_seen = plan->n_failed = 0;
        plan->kind = (uint64_t) t->kind;
        if (hear_from(run_by_hand(notify_path, LIST(shim, "--ready")), false, &n_ready, &status) != HEARD_GONE)
                find(t, "it neither tells nor ends");
        plan->kind = FAULT_NONE;
        if (status == 0 ? n_ready != 1 : status != 1)
                find(t, "its exit status is not what came of it");
        else if (status == 1 && !message_holds("hero_proc_notify: "))
                find(t, "it failed without a word");
        else if (status == 1 && passes(t->kind))
                find(t, "it gave up for what passes");
        t->n_not_told += status == 1;
        return plan->n_failed > 0;
}

static bool try_all(const Scenario *s, FaultKind kind, uint64_t span) {
        Tally t = { .scenario = s, .kind = kind, .span = span };
        Run expected = {};
        bool is_learnt = s->is_by_hand || learn(s, &expected);

        do {
                t.n++;
                if (!(s->is_by_hand ? try_by_hand(&t) : try_once(&t, &expected)))
                        break;
                t.n_injected++;
        } while (t.n < N_MAX && t.n_findings < FINDINGS_MAX);
        free(expected.report);
        printf("     %-28s %-10s %-6s n reached %4llu, injected %4u, not run and said so %4u, not told and said so "
               "%2u, "
               "findings %u\n",
               s->name, kinds[kind], span > 1 ? "and on" : "once", (unsigned long long) t.n, t.n_injected, t.n_not_run,
               t.n_not_told, t.n_findings);
        return is_learnt && t.n_findings == 0 && t.n < N_MAX;
}

static bool fault_all_ways(const Scenario *s) {
        bool well = make_plan();

        alarm(15 * HANG_SECONDS);
        (void) signal(SIGPIPE, SIG_IGN); /* a service may end while it is told to */
        for (FaultKind kind = FAULT_ALLOCATION; plan && kind < _FAULT_KIND_MAX; kind++) {
                well = try_all(s, kind, 1) && well;
                if (tries_all())
                        well = try_all(s, kind, kind == FAULT_INTERRUPTED ? 4 : FAULT_FOR_EVER) && well;
        }
        return well;
}

/* clang-format off */
static const char *const exact[] = { self, "", " ", "a;b", "$HOME", "%n", "\n", "\xff\xfe", "grüß", "{\"a\": \"b\"}", NULL };
/* clang-format on */

TEST(a_service_by_exec_runs_or_is_said_not_to) {
        ASSERT(fault_all_ways(&(Scenario){ "exec", "exec", exact }));
}

TEST(a_service_by_fd3_is_ready_when_it_says_so_and_never_before) {
        ASSERT(fault_all_ways(&(Scenario){ "fd3", "fd3", exact }));
}

TEST(a_service_by_file_is_ready_when_it_says_so_and_never_before) {
        ASSERT(fault_all_ways(&(Scenario){ "file", "file", exact }));
}

TEST(a_service_that_speaks_itself_runs_or_is_said_not_to) {
        ASSERT(fault_all_ways(&(Scenario){ "notify", "notify", exact }));
        ASSERT(fault_all_ways(&(Scenario){ "fd3 without systemd", "fd3", exact, .has_no_systemd = true }));
}

TEST(a_service_that_dies_before_it_is_ready_is_never_said_to_be) {
        ASSERT(fault_all_ways(&(Scenario){ "fd3, dies before", "fd3", SERVICE, .dies_before_ready = true }));
        ASSERT(fault_all_ways(&(Scenario){ "file, dies before", "file", SERVICE, .dies_before_ready = true }));
}

TEST(what_cannot_be_executed_is_never_said_to_be_ready) {
        ASSERT(fault_all_ways(
                &(Scenario){ "exec of nothing", "exec", LIST("/nonexistent/x"), .fails_to_execute = true }));
        ASSERT(fault_all_ways(
                &(Scenario){ "fd3 of nothing", "fd3", LIST("/nonexistent/x"), .fails_to_execute = true }));
}

TEST(a_dead_socket_in_the_way_stops_no_service) {
        ASSERT(fault_all_ways(&(Scenario){ "dead socket", "exec", SERVICE, .has_dead_socket = true }));
}

TEST(ready_by_hand_ends_with_0_only_where_systemd_has_heard_it) {
        ASSERT(fault_all_ways(&(Scenario){ .name = "--ready", .is_by_hand = true }));
}
