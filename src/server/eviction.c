/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/eviction.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "boundary/hands.h"
#include "boundary/process_end.h"
#include "server/contest.h"
#include "server/supervisor.h"

enum {
        DESCRIPTORS_AT_ONCE = 2000, /* about as many microseconds */
        ROUNDS_MAX = 3,             /* a master may have put another worker in the place of one that was ended */
};
#define SEARCH_PAUSE_USEC (2 * USEC_PER_MSEC)
#define TERM_PATIENCE_USEC (5 * USEC_PER_SEC)
#define KILL_PATIENCE_USEC (2 * USEC_PER_SEC)
/* A server that ends in good order closes its listener first; there is no event for that. */
#define LOOK_AGAIN_USEC (50 * USEC_PER_MSEC)

typedef struct Victim {
        Eviction *eviction;
        SocketHolder holder;
        int pidfd; /* -1: it is gone, or has let go of the socket */
        sd_event_source *gone;
        HandsCall *call; /* it is being signalled */
        char name[160];  /* "PID 12 (nc) of x.scope" */
} Victim;

struct Eviction {
        Action *action;
        Contested contested[CONTESTED_MAX];
        size_t n_contested;
        HolderSearch *search; /* NULL: not searching */
        Victim *victims;
        size_t n_victims, n_left;
        sd_event_source *timer;
        uint64_t patience_usec; /* monotonic: until when the last signal has time to work */
        bool killed;            /* SIGKILL was sent */
        bool is_over;
        unsigned n_rounds;
};

static Supervisor *supervisor_of(const Eviction *e) {
        return e->action->service->supervisor;
}

static const char *service_name(const Eviction *e) {
        return e->action->service->definition->name;
}

static void drop_victims(Eviction *e) {
        for (size_t i = 0; i < e->n_victims; i++) {
                sd_event_source_disable_unref(e->victims[i].gone);
                hands_call_free(e->victims[i].call);
                cleanup_close(&e->victims[i].pidfd);
        }
        free(e->victims);
        e->victims = NULL;
        e->n_victims = e->n_left = 0;
}

static Eviction *eviction_free(Eviction *e) {
        if (!e)
                return NULL;
        drop_victims(e);
        holder_search_free(e->search);
        sd_event_source_disable_unref(e->timer);
        free(e);
        return NULL;
}

void eviction_drop(Action *a) {
        a->eviction = eviction_free(a->eviction);
}

/* What became of it, for the journal and for `why`: the last word of it stands. */
static void tell(Eviction *e, int level, const char *format, ...) _printf_(3, 4);

static void tell(Eviction *e, int level, const char *format, ...) {
        char *text;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        va_end(ap);
        free(e->action->evicted);
        e->action->evicted = text;
        log_line(level, "%s: %s (kill_others)", service_name(e), text ? text : "out of memory");
}

static void end(Eviction *e) {
        drop_victims(e);
        e->search = holder_search_free(e->search);
        e->timer = sd_event_source_disable_unref(e->timer);
        e->is_over = true;
        supervisor_mark(e->action->service);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

static bool wake_after(Eviction *e, uint64_t delay_usec) {
        int r;

        e->timer = sd_event_source_disable_unref(e->timer);
        r = sd_event_add_time_relative(supervisor_event(supervisor_of(e)), &e->timer, CLOCK_MONOTONIC, delay_usec,
                                       USEC_PER_MSEC, on_timer, e);
        if (r < 0)
                log_error("%s: cannot wait for those who hold its sockets: %s", service_name(e), strerror(-r));
        return r >= 0;
}

/* -- who has them -- */

static const char *name_of(const Eviction *e, uint32_t socket) {
        for (size_t i = 0; i < e->n_contested; i++)
                if (e->contested[i].socket == socket)
                        return e->contested[i].name;
        return "";
}

static void describe(pid_t pid, const char *unit, char *ret, size_t size) {
        char command[PROCESS_COMMAND_MAX];

        process_command_of(pid, command);
        (void) snprintf(ret, size, "PID %d (%s) of %.100s", (int) pid, command, unit[0] ? unit : "no unit");
}

/* A socket is free when its last holder is gone: where one is spared, the others would die for nothing. */
static bool is_to_be_freed(Eviction *e, const Contested *c, const SocketHolder *holders, size_t n) {
        bool is_user = supervisor_options(supervisor_of(e))->is_user, seen = false;

        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *unit = NULL;
                const char *why;
                char name[160];

                if (holders[i].socket != c->socket || process_unit_of(holders[i].pid, is_user, &unit) < 0)
                        continue;
                seen = true;
                why = contest_spares(e->action, &holders[i], unit);
                if (!why)
                        continue;
                describe(holders[i].pid, unit, name, sizeof name);
                if (why[0])
                        tell(e, LOG_WARNING, "%s is left to %s, %s", c->name, name, why);
                return false;
        }
        if (!seen)
                tell(e, LOG_WARNING, "%s is held by a process that cannot be seen from here, and is left to it",
                     c->name);
        return seen;
}

/* -- ending them -- */

static void begin_round(Eviction *e);

static void let_go(Victim *v) {
        v->gone = sd_event_source_disable_unref(v->gone);
        v->call = hands_call_free(v->call);
        cleanup_close(&v->pidfd);
        v->pidfd = -1;
}

static void finish_with(Victim *v, const char *how) {
        log_notice("%s: %s has %s (kill_others)", service_name(v->eviction), v->name, how);
        let_go(v);
        v->eviction->n_left--;
}

static void tell_of_immortal(const Victim *v, int error) {
        tell(v->eviction, LOG_WARNING, "%s is held by %s, which cannot be ended: %s",
             name_of(v->eviction, v->holder.socket), v->name, strerror(-error));
}

static void on_signalled(void *userdata, int r) {
        Victim *v = userdata;
        Eviction *e = v->eviction;

        v->call = hands_call_free(v->call);
        if (r >= 0 || r == -ESRCH)
                return; /* on_gone() */
        tell_of_immortal(v, r);
        let_go(v);
        if (--e->n_left == 0)
                end(e);
}

static int send_signal(Victim *v, int number) {
        v->call = hands_call_free(v->call);
        return hands_signal(supervisor_hands(supervisor_of(v->eviction)), v->pidfd, number, on_signalled, v, &v->call);
}

static int on_gone(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Victim *v = userdata;
        Eviction *e = v->eviction;

        (void) source;
        (void) fd;
        (void) events;
        finish_with(v, "ended");
        if (e->n_left == 0)
                begin_round(e);
        return 0;
}

static void add_victim(Eviction *e, const SocketHolder *holder) {
        bool is_user = supervisor_options(supervisor_of(e))->is_user;
        _cleanup_free_ char *unit = NULL;
        Victim *v = &e->victims[e->n_victims];
        int r;

        for (size_t i = 0; i < e->n_victims; i++)
                if (e->victims[i].holder.pid == holder->pid)
                        return;
        *v = (Victim){ .eviction = e, .holder = *holder, .pidfd = process_hold(holder) };
        /* Where it lives is looked at again too, now that it cannot be mistaken. */
        if (v->pidfd < 0 || process_unit_of(holder->pid, is_user, &unit) < 0 ||
            contest_spares(e->action, holder, unit)) {
                cleanup_close(&v->pidfd);
                return;
        }
        describe(holder->pid, unit, v->name, sizeof v->name);
        r = sd_event_add_io(supervisor_event(supervisor_of(e)), &v->gone, v->pidfd, EPOLLIN, on_gone, v);
        if (r >= 0)
                r = send_signal(v, SIGTERM);
        if (r < 0 && r != -ESRCH) {
                tell_of_immortal(v, r);
                let_go(v);
                return;
        }
        tell(e, LOG_NOTICE, "%s was held by %s, which was told to end", name_of(e, holder->socket), v->name);
        e->n_victims++;
        e->n_left++;
}

static void end_holders(Eviction *e) {
        size_t n;
        const SocketHolder *holders = holder_search_found(e->search, &n);

        drop_victims(e);
        e->victims = calloc(n + 1, sizeof *e->victims);
        for (size_t i = 0; e->victims && i < e->n_contested; i++)
                if (is_to_be_freed(e, &e->contested[i], holders, n))
                        for (size_t j = 0; j < n; j++)
                                if (holders[j].socket == e->contested[i].socket)
                                        add_victim(e, &holders[j]);
        e->search = holder_search_free(e->search);
        e->killed = false;
        e->patience_usec = clock_monotonic_usec() + TERM_PATIENCE_USEC;
        if (e->n_left == 0 || !wake_after(e, LOOK_AGAIN_USEC))
                end(e);
}

static void kill_those_left(Eviction *e) {
        for (size_t i = 0; i < e->n_victims; i++) {
                Victim *v = &e->victims[i];

                if (v->pidfd >= 0 && send_signal(v, SIGKILL) >= 0)
                        log_notice("%s: %s was killed, as it still had the socket %d s after SIGTERM (kill_others)",
                                   service_name(e), v->name, (int) (TERM_PATIENCE_USEC / USEC_PER_SEC));
        }
        e->killed = true;
        e->patience_usec = clock_monotonic_usec() + KILL_PATIENCE_USEC;
}

/* Who has let go of the socket is in nobody's way, and may end in his own time. */
static void wait_on(Eviction *e) {
        bool is_late = clock_monotonic_usec() >= e->patience_usec;

        for (size_t i = 0; i < e->n_victims; i++)
                if (e->victims[i].pidfd >= 0 && !socket_holder_is_true(&e->victims[i].holder))
                        finish_with(&e->victims[i], "let go of it");
        if (e->n_left == 0) {
                begin_round(e);
                return;
        }
        if (is_late && e->killed) {
                tell(e, LOG_ERR, "%zu of those who hold its sockets could not be ended, even by SIGKILL", e->n_left);
                end(e);
                return;
        }
        if (is_late)
                kill_those_left(e);
        if (!wake_after(e, LOOK_AGAIN_USEC))
                end(e);
}

static void search(Eviction *e) {
        int r = holder_search_step(e->search, DESCRIPTORS_AT_ONCE);

        if (r > 0) {
                end_holders(e);
        } else if (r < 0) {
                tell(e, LOG_WARNING, "who holds its sockets cannot be found out: %s", strerror(-r));
                end(e);
        } else if (!wake_after(e, SEARCH_PAUSE_USEC)) {
                end(e);
        }
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Eviction *e = userdata;

        (void) source;
        (void) usec;
        if (e->search)
                search(e);
        else
                wait_on(e);
        return 0;
}

/* Those that are left to whoever has them are told of, and looked at no more. */
static void find_contested(Eviction *e) {
        size_t n = contest_find(e->action, e->contested);

        e->n_contested = 0;
        for (size_t i = 0; i < n; i++)
                if (e->contested[i].left)
                        tell(e, LOG_WARNING, "%s %s", e->contested[i].name, e->contested[i].left);
                else
                        e->contested[e->n_contested++] = e->contested[i];
}

static void begin_round(Eviction *e) {
        uint32_t sockets[CONTESTED_MAX];
        int r;

        e->n_contested = 0;
        if (e->n_rounds++ < ROUNDS_MAX)
                find_contested(e);
        if (e->n_contested == 0) {
                end(e);
                return;
        }
        for (size_t i = 0; i < e->n_contested; i++)
                sockets[i] = e->contested[i].socket;
        r = holder_search_new(sockets, e->n_contested, -1, &e->search);
        if (r < 0) {
                tell(e, LOG_WARNING, "who holds its sockets cannot be found out: %s", strerror(-r));
                end(e);
        } else {
                search(e);
        }
}

/* NULL: there is nothing to wait for. */
static Eviction *begin(Action *a) {
        Eviction *e = calloc(1, sizeof *e);

        if (!e)
                return NULL; /* the start says what is in its way */
        e->action = a;
        free(a->evicted);
        a->evicted = NULL;
        begin_round(e);
        return e->is_over ? eviction_free(e) : e;
}

bool eviction_is_over(Action *a) {
        if (!a->definition->kill_others)
                return true;
        if (!a->eviction)
                a->eviction = begin(a);
        return !a->eviction || a->eviction->is_over;
}

void eviction_follow(Action *a) {
        bool waits = a->wanted && action_judge(a, clock_monotonic_usec()).phase == ACTION_BACKOFF;

        if (!a->definition->kill_others)
                return;
        /* It goes on while systemd tries and tries again, in vain: who does not go by himself takes longer than that.
         */
        if (a->eviction && (a->eviction->is_over || !a->wanted))
                eviction_drop(a);
        /* Once for each death: who could not be ended then will not be now. */
        if (waits && !a->eviction && a->evicted_for_usec != a->facts.exec_main_exit_usec) {
                a->evicted_for_usec = a->facts.exec_main_exit_usec;
                a->eviction = begin(a);
        }
}
