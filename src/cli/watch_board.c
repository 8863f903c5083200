/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/watch_board.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "boundary/cgroup_usage.h"
#include "cli/terminal_keys.h"
#include "cli/watch_state.h"
#include "core/json_tree.h"

#define RECONNECT_PAUSE_USEC (1 * USEC_PER_SEC)
/* The rest of a key's bytes comes at once, even over a slow line; a lone escape is followed by nothing. */
#define ESCAPE_PAUSE_USEC (50 * USEC_PER_MSEC)

static int on_redraw(sd_event_source *source, uint64_t usec _unused_, void *userdata) {
        WatchBoard *b = userdata;
        int r = watch_draw(b);

        (void) source;
        return r < 0 ? sd_event_exit(b->event, r) : 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        watch_redraw_soon(userdata);
        (void) sd_event_source_set_time(source, usec_add(usec, USAGE_PERIOD_USEC));
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* -- the server -- */

void watch_ask_why(WatchBoard *b) {
        char *message = NULL;
        int r;

        b->why_again = true; /* as soon as it can be */
        if (b->why_sent || !b->session->connection || !service_view_is_live(b->view))
                return;
        b->why_again = false;
        b->why_answered = false;
        b->why = (PendingCall){ .answered = &b->why_answered };
        r = hero_proc_client_send_why(b->session->connection, b->selected_name, &b->why, &message);
        b->why_sent = r == 0;
        free(message);
}

void watch_forget_why(WatchBoard *b) {
        pending_call_done(&b->why);
        b->why_sent = b->why_answered = b->why_again = false;
        json_object_put(TAKE_PTR(b->why_json));
}

static void take_why(WatchBoard *b) {
        _cleanup_free_ char *text = NULL, *message = NULL;
        struct json_object *json = NULL;
        int r;

        if (!b->why_answered)
                return;
        r = hero_proc_client_read_why(&b->why, &text, &message);
        if (r == 0)
                r = json_tree_parse(text, &json);
        if (r == 0) {
                json_object_put(b->why_json);
                b->why_json = json;
        }
        b->why_again = b->why_again || r == -ENOMEM;
        pending_call_done(&b->why);
        b->why_sent = b->why_answered = false;
        watch_redraw_soon(b);
}

static void on_event(const ViewEvent *e, void *userdata) {
        WatchBoard *b = userdata;

        if (e->kind == VIEW_SERVICE_REMOVED)
                usage_samples_forget(&b->usage, e->service->name);
        if (e->kind == VIEW_SERVER_GONE)
                watch_forget_why(b);
        if (b->mode == MODE_DETAILS && e->kind == VIEW_SERVICE_CHANGED &&
            strcmp(e->service->name, b->selected_name) == 0)
                b->why_again = true;
        if (b->event)
                watch_redraw_soon(b);
}

static void on_lost(void *userdata) {
        WatchBoard *b = userdata;

        (void) sd_event_source_set_time_relative(b->reconnect, 0);
        (void) sd_event_source_set_enabled(b->reconnect, SD_EVENT_ONESHOT);
}

static int attach_event(WatchBoard *b) {
        return hero_proc_connection_attach_event(b->session->connection, b->event, on_lost, b);
}

/* The connection that was lost is given up, and where nobody has to be asked for a password a new one is tried until
 * there is one: no signal tells that a bus has come up. */
static int on_reconnect(sd_event_source *source, uint64_t usec _unused_, void *userdata) {
        WatchBoard *b = userdata;
        const HeroProcTarget *target = &b->session->line->target;
        char *message = NULL;
        int r;

        watch_forget_why(b);
        service_view_detach(b->view, "the connection to the bus is lost");
        b->session->connection = hero_proc_connection_free(b->session->connection);
        watch_redraw_soon(b);
        if (target->host || target->machine)
                return sd_event_exit(b->event, EX_SERVER_UNREACHABLE);
        r = hero_proc_connection_open(target, &b->session->connection, &message);
        if (r == 0)
                r = attach_event(b);
        if (r == 0)
                r = service_view_attach(b->view, b->session->connection, &message);
        free(message);
        if (r == 0)
                return 0;
        (void) sd_event_source_set_time_relative(source, RECONNECT_PAUSE_USEC);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* -- keys -- */

static void decode_keys(WatchBoard *b, bool is_all) {
        size_t taken = 0, n;
        TerminalKey key;

        while (taken < b->n_keys && (n = terminal_keys_decode(b->keys + taken, b->n_keys - taken, is_all, &key)) > 0) {
                taken += n;
                watch_take_key(b, (int) key);
        }
        b->n_keys -= taken;
        memmove(b->keys, b->keys + taken, b->n_keys);
        if (b->n_keys == 0)
                return;
        (void) sd_event_source_set_time_relative(b->escape, ESCAPE_PAUSE_USEC);
        (void) sd_event_source_set_enabled(b->escape, SD_EVENT_ONESHOT);
}

static int on_escape(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        decode_keys(userdata, true);
        return 0;
}

static int on_input(sd_event_source *source _unused_, int fd, uint32_t revents _unused_, void *userdata) {
        WatchBoard *b = userdata;
        ssize_t n = read(fd, b->keys + b->n_keys, sizeof b->keys - b->n_keys);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0) /* the terminal is gone */
                return sd_event_exit(b->event, EX_FAILED);
        b->n_keys += (size_t) n;
        /* A key of more bytes than there is room for is none. */
        decode_keys(b, b->n_keys == sizeof b->keys);
        return 0;
}

/* -- signals -- */

static int enter_screen(WatchBoard *b) {
        int r = terminal_screen_enter(&b->screen, STDIN_FILENO, STDOUT_FILENO);

        watch_redraw_soon(b);
        return r;
}

/* Stops as whoever asked for it expects, with the terminal as it was, and goes on when told to. */
static void suspend(WatchBoard *b) {
        terminal_screen_leave(&b->screen);
        (void) raise(SIGTSTP);
        (void) sigprocmask(SIG_SETMASK, &b->signals_before, NULL); /* and here it stops */
        (void) sigprocmask(SIG_BLOCK, &b->signals, NULL);
}

static int on_signal(sd_event_source *source _unused_, const struct signalfd_siginfo *info, void *userdata) {
        WatchBoard *b = userdata;

        switch ((int) info->ssi_signo) {
        case SIGWINCH:
                terminal_screen_forget(&b->screen);
                watch_redraw_soon(b);
                return 0;
        case SIGTSTP:
                suspend(b);
                return enter_screen(b);
        case SIGCONT: /* also after a SIGSTOP, which left no time to tidy up */
                terminal_screen_leave(&b->screen);
                return enter_screen(b);
        default:
                b->signal = (int) info->ssi_signo;
                return sd_event_exit(b->event, EX_FAILED);
        }
}

/* -- life -- */

static int add_sources(WatchBoard *b) {
        static const int signals[] = { SIGWINCH, SIGTSTP, SIGCONT, SIGINT, SIGTERM, SIGHUP, SIGQUIT };
        int r = sd_event_add_io(b->event, NULL, STDIN_FILENO, EPOLLIN, on_input, b);

        if (r >= 0)
                r = sd_event_add_time(b->event, &b->redraw, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_redraw, b);
        if (r >= 0)
                r = sd_event_add_time_relative(b->event, &b->tick, CLOCK_MONOTONIC, USAGE_PERIOD_USEC,
                                               100 * USEC_PER_MSEC, on_tick, b);
        if (r >= 0)
                r = sd_event_add_time(b->event, &b->reconnect, CLOCK_MONOTONIC, 0, 0, on_reconnect, b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->reconnect, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(b->event, &b->escape, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_escape, b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->escape, SD_EVENT_OFF);
        (void) sigemptyset(&b->signals);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&b->signals, signals[i]);
        (void) sigprocmask(SIG_BLOCK, &b->signals, &b->signals_before);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(signals); i++)
                r = sd_event_add_signal(b->event, NULL, signals[i], on_signal, b);
        return r;
}

/* Before the screen is taken: ssh may want a password, and a board without services would only flash up. An exit code.
 */
static int await_first_answer(WatchBoard *b) {
        const HeroProcTarget *target = &b->session->line->target;
        const char *text;
        char *message = NULL;
        int r = service_view_attach(b->view, b->session->connection, &message);

        while (r == 0 && !service_view_is_live(b->view) && service_view_error(b->view, &text) == 0)
                r = hero_proc_connection_wait(b->session->connection, USEC_NEVER, &message);
        if (r == 0 && (target->host || target->machine)) {
                r = service_view_error(b->view, &text);
                message = r != 0 ? strdup(text) : NULL;
        }
        return r != 0 ? session_fail(b->session, r, NULL, message) : EX_DONE;
}

static int run(WatchBoard *b) {
        const char *text;
        int r = sd_event_new(&b->event);

        if (r >= 0)
                r = add_sources(b);
        if (r >= 0)
                r = attach_event(b);
        if (r >= 0)
                r = enter_screen(b);
        while (r >= 0 && sd_event_get_state(b->event) != SD_EVENT_FINISHED) {
                r = sd_event_run(b->event, UINT64_MAX);
                if (r >= 0 && service_view_error(b->view, &text) == -ENOMEM)
                        r = -ENOMEM; /* nothing would tell it what it does not know now */
                take_why(b);
                if (b->why_again && !b->why_sent)
                        watch_ask_why(b);
        }
        terminal_screen_leave(&b->screen);
        if (r >= 0)
                (void) sd_event_get_exit_code(b->event, &r);
        return r;
}

static void done(WatchBoard *b) {
        sd_event_source_disable_unref(b->redraw);
        sd_event_source_disable_unref(b->tick);
        sd_event_source_disable_unref(b->reconnect);
        sd_event_source_disable_unref(b->escape);
        watch_forget_why(b);
        service_view_free(b->view);
        b->session->connection = hero_proc_connection_free(b->session->connection);
        sd_event_unref(b->event);
        usage_samples_done(&b->usage);
        free(b->rows);
}

int watch_board_run(Session *s) {
        WatchBoard b = { .session = s };
        char root[PATH_MAX];
        const HeroProcTarget *t = &s->line->target;
        bool is_here = !t->host && !t->machine;
        int code, r;

        (void) sigprocmask(SIG_SETMASK, NULL, &b.signals_before);
        usage_samples_init(&b.usage, is_here && cgroup_usage_find_root(t->is_user, root, sizeof root) ? root : NULL);
        r = service_view_new(NULL, on_event, &b, &b.view);
        code = r < 0 ? session_fail(s, r, NULL, NULL) : await_first_answer(&b);
        if (code == EX_DONE) {
                r = run(&b);
                code = r < 0 ? session_fail(s, r, NULL, NULL) : r;
                if (r == EX_SERVER_UNREACHABLE)
                        session_say(s, "lost the connection to the bus");
        }
        done(&b);
        (void) sigprocmask(SIG_SETMASK, &b.signals_before, NULL);
        if (b.signal != 0)
                (void) raise(b.signal);
        return code;
}
