/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/fleet_inquiry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "boundary/hero_proc_client.h"
#include "boundary/ssh_bridge.h"

typedef struct Member {
        FleetAnswer *answer;
        HeroProcConnection *connection;
        PendingCall call;
        SshBridge ssh; /* pid 0: none */
        sd_event_source *words_source, *end_source;
        bool answered, lost, ssh_ended, done;
} Member;

typedef struct Fleet {
        sd_event *event;
        Member *members;
        size_t n, n_done;
        uint64_t timeout_usec;
} Fleet;

void fleet_answer_done(FleetAnswer *a) {
        free(a->json);
        free(a->text);
        *a = (FleetAnswer){ 0 };
}

/* -- one member's end -- */

static void finish(Fleet *f, Member *m, int r) {
        m->answer->r = r;
        m->done = true;
        f->n_done++;
}

static void finish_unreachable(Fleet *f, Member *m, const char *text) {
        m->answer->text = strdup(text);
        finish(f, m, HERO_E_SERVER_UNREACHABLE);
}

static void finish_answered(Fleet *f, Member *m) {
        finish(f, m, hero_proc_client_read_status(&m->call, &m->answer->json, &m->answer->text));
}

/* What ssh said is the best reason: nothing else knows why it did not get through, or what ended it. */
static void finish_lost(Fleet *f, Member *m) {
        char words[256] = "";

        if (m->ssh.pid > 0) {
                (void) ssh_bridge_listen(&m->ssh);
                ssh_bridge_last_words(&m->ssh, words, sizeof words);
        }
        finish_unreachable(f, m, *words ? words : "lost the connection to the bus");
}

static void finish_late(Fleet *f, Member *m) {
        bool is_through = m->connection && sd_bus_is_ready(hero_proc_connection_bus(m->connection)) > 0;
        const char *who = is_through ? "hero_proc_server" : m->ssh.pid > 0 ? "ssh" : "the bus";
        char text[64];

        (void) snprintf(text, sizeof text, "no answer from %s within %.3g s", who,
                        (double) f->timeout_usec / (double) USEC_PER_SEC);
        finish_unreachable(f, m, text);
}

/* sd-bus answers what it cannot ask any more itself; nobody on the other side has said that. */
static bool has_real_answer(const Member *m) {
        return m->answered && (!sd_bus_message_is_method_error(m->call.reply, NULL) ||
                               sd_bus_is_open(hero_proc_connection_bus(m->connection)) > 0);
}

/* After each turn of the loop. ssh is gone a moment after its side of the connection, and only then has said
 * everything.
 */
static void look_at(Fleet *f, Member *m) {
        if (m->done)
                return;
        if (has_real_answer(m))
                finish_answered(f, m);
        else if ((m->lost || m->answered) && (m->ssh.pid == 0 || m->ssh_ended))
                finish_lost(f, m);
}

/* -- what happens -- */

static void on_lost(void *userdata) {
        Member *m = userdata;

        m->lost = true;
}

static int on_words(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Member *m = userdata;

        (void) fd;
        (void) events;
        return ssh_bridge_listen(&m->ssh) ? 0 : sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static int on_ssh_end(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Member *m = userdata;

        (void) fd;
        (void) events;
        m->ssh_ended = true;
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

/* -- one member's beginning -- */

static int open_by_ssh(Fleet *f, Member *m, const char *host) {
        _cleanup_close_ int fd = -1;
        int r = ssh_bridge_start(host, f->timeout_usec, &m->ssh, &fd);

        if (r >= 0)
                r = sd_event_add_io(f->event, &m->words_source, m->ssh.words_fd, EPOLLIN, on_words, m);
        if (r >= 0)
                r = sd_event_add_io(f->event, &m->end_source, m->ssh.pidfd, EPOLLIN, on_ssh_end, m);
        return r < 0 ? r : hero_proc_connection_open_fd(TAKE_FD(fd), &m->connection);
}

static void begin(Fleet *f, Member *m, const HeroProcTarget *target) {
        char *text = NULL;
        int r;

        if (target->host)
                r = open_by_ssh(f, m, target->host);
        else
                r = hero_proc_connection_open(target, &m->connection, &text);
        if (r == 0)
                r = hero_proc_connection_attach_event(m->connection, f->event, on_lost, m);
        m->call.answered = &m->answered;
        if (r == 0)
                r = hero_proc_client_send_status(m->connection, &m->call, &text);
        if (r == -ENOMEM) {
                free(text);
                finish(f, m, r);
        } else if (r != 0 && m->ssh.pid > 0) {
                /* It may have ended before a word could be written to it. Why, it says itself: see look_at(). */
                m->lost = true;
                free(text);
        } else if (r != 0) {
                m->answer->text = text ? text : r < 0 ? strdup(strerror(-r)) : NULL;
                finish(f, m, r);
        }
}

static void member_done(Member *m) {
        pending_call_done(&m->call);
        m->connection = hero_proc_connection_free(m->connection);
        sd_event_source_disable_unref(m->words_source);
        sd_event_source_disable_unref(m->end_source);
        ssh_bridge_stop(&m->ssh);
}

/* -- all -- */

static int run_until(Fleet *f, uint64_t deadline_usec) {
        int r = 0;

        while (r >= 0 && f->n_done < f->n) {
                uint64_t now = clock_monotonic_usec();

                if (now >= deadline_usec)
                        break;
                r = sd_event_run(f->event, deadline_usec == USEC_NEVER ? UINT64_MAX : deadline_usec - now);
                for (size_t i = 0; i < f->n; i++)
                        look_at(f, &f->members[i]);
        }
        for (size_t i = 0; r >= 0 && i < f->n; i++)
                if (!f->members[i].done)
                        finish_late(f, &f->members[i]);
        return r < 0 ? r : 0;
}

int fleet_inquiry_run(const HeroProcTarget *targets, size_t n, uint64_t timeout_usec, FleetAnswer *answers) {
        Fleet f = { .n = n, .timeout_usec = timeout_usec };
        int r = sd_event_new(&f.event);

        f.members = calloc(n, sizeof *f.members);
        if (r >= 0 && !f.members)
                r = -ENOMEM;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                f.members[i] = (Member){ .answer = &answers[i], .ssh = { .pidfd = -1, .words_fd = -1 } };
                begin(&f, &f.members[i], &targets[i]);
        }
        if (r >= 0)
                r = run_until(&f, usec_add(clock_monotonic_usec(), timeout_usec));
        for (size_t i = 0; f.members && i < n; i++)
                member_done(&f.members[i]);
        free(f.members);
        sd_event_unref(f.event);
        return r;
}
