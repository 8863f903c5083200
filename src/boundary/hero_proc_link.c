/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/hero_proc_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "boundary/bus_connection.h"
#include "boundary/hero_proc_connection.h"

#define PROC1_SERVICE "org.hero.Proc1"
#define PROC1_PATH "/org/hero/Proc1"
#define PROC1_SERVICE_PATH "/org/hero/Proc1/service"
#define PROC1_MANAGER "org.hero.Proc1.Manager"

#define PING_USEC (5 * USEC_PER_SEC)
#define AGAIN_USEC (200 * USEC_PER_MSEC)

typedef enum CallState {
        CALL_WAITING, /* for its turn */
        CALL_SENT,
        CALL_HELD, /* for the server's return */
} CallState;

struct HeroProcCall {
        HeroProcLink *link;
        const char *member, *signature;
        char **texts;
        size_t n_texts;
        uint64_t limit, flags;
        bool is_prompt, is_repeatable, awaits_server, is_repeated;
        CallState state;
        uint64_t sent_to; /* the server's number when it was sent */
        sd_bus_slot *slot;
        sd_event_source *deadline;
        hero_proc_answered_t answered;
        void *userdata;
        TAILQ_ENTRY(HeroProcCall) entry;
};

typedef TAILQ_HEAD(CallList, HeroProcCall) CallList;

struct HeroProcLink {
        sd_event *event;
        HeroProcLinkObserver observer;
        BusConnection *connection;
        sd_bus *bus; /* lent; NULL: none */
        sd_bus_slot *slots[8];
        size_t n_slots;
        sd_bus_slot *ping_slot;
        sd_event_source *ping, *turn, *again;
        CallList calls, waiting; /* waiting: those in state CALL_WAITING */
        size_t n_calls, n_sent;
        uint64_t server; /* counts servers seen: which one a call was sent to */
        bool present, silent;
        const char *absence; /* why it is not present; static */
};

/* -- calls -- */

static CallList *list_of(HeroProcCall *c) {
        return c->state == CALL_WAITING ? &c->link->waiting : &c->link->calls;
}

static void set_state(HeroProcCall *c, CallState state) {
        TAILQ_REMOVE(list_of(c), c, entry);
        c->link->n_sent -= c->state == CALL_SENT;
        c->state = state;
        c->link->n_sent += c->state == CALL_SENT;
        TAILQ_INSERT_TAIL(list_of(c), c, entry);
}

static void want_turn(HeroProcLink *l) {
        (void) sd_event_source_set_enabled(l->turn, SD_EVENT_ONESHOT);
}

HeroProcCall *hero_proc_call_cancel(HeroProcCall *c) {
        HeroProcLink *l;

        if (!c)
                return NULL;
        l = c->link;
        TAILQ_REMOVE(list_of(c), c, entry);
        l->n_calls--;
        l->n_sent -= c->state == CALL_SENT;
        sd_bus_slot_unref(c->slot);
        sd_event_source_disable_unref(c->deadline);
        for (size_t i = 0; i < c->n_texts; i++)
                free(c->texts[i]);
        free(c->texts);
        free(c);
        want_turn(l);
        return NULL;
}

static void finish(HeroProcCall *c, int r, const char *message, sd_bus_message *reply) {
        const HeroProcAnswer answer = { r, message, reply, c->sent_to > 0 };
        hero_proc_answered_t answered = c->answered;
        void *userdata = c->userdata;

        c->slot = sd_bus_slot_unref(c->slot);
        hero_proc_call_cancel(c);
        answered(&answer, userdata);
}

/* The server went away with the question. */
static void left_without_answer(HeroProcCall *c) {
        c->slot = sd_bus_slot_unref(c->slot);
        if (!c->is_repeatable) {
                finish(c, HERO_E_SERVER_UNREACHABLE, "hero_proc_server left without an answer", NULL);
                return;
        }
        c->awaits_server = c->is_repeated = true;
        /* Is there another already? Else it is asked when it comes. */
        set_state(c, c->link->present && c->sent_to != c->link->server ? CALL_WAITING : CALL_HELD);
        want_turn(c->link);
}

/* A server that has only come back is still looking at what there is. Whoever asked before that has no part in it. */
static void ask_again(HeroProcCall *c) {
        c->slot = sd_bus_slot_unref(c->slot);
        set_state(c, CALL_HELD);
        (void) sd_event_source_set_time_relative(c->link->again, AGAIN_USEC);
        (void) sd_event_source_set_enabled(c->link->again, SD_EVENT_ONESHOT);
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ignored) {
        _cleanup_free_ char *message = NULL;
        HeroProcCall *c = userdata;
        int r;

        (void) ignored;
        if (!sd_bus_message_is_method_error(reply, NULL)) {
                finish(c, 0, NULL, reply);
                return 0;
        }
        r = hero_proc_connection_fail_with_error(sd_bus_message_get_error(reply), &message);
        if (r == HERO_E_SERVER_UNREACHABLE)
                left_without_answer(c);
        else if (r == HERO_E_SYSTEMD_UNREACHABLE && c->is_repeated)
                ask_again(c);
        else
                finish(c, r, message ? message : "out of memory", NULL);
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        HeroProcCall *c = userdata;

        (void) source;
        (void) usec;
        if (c->state == CALL_HELD)
                finish(c, HERO_E_SERVER_UNREACHABLE, "hero_proc_server left without an answer", NULL);
        else if (c->is_prompt)
                finish(c, HERO_E_SERVER_UNREACHABLE, "hero_proc_server does not answer", NULL);
        else
                finish(c, -ETIMEDOUT, "timed out", NULL);
        return 0;
}

static int build(HeroProcCall *c, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(c->link->bus, &m, PROC1_SERVICE, PROC1_PATH, PROC1_MANAGER, c->member);

        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, 0);
        if (r >= 0 && strcmp(c->signature, "ast") == 0)
                r = sd_bus_message_append_strv(m, c->texts);
        else if (r >= 0 && c->signature[0] == 's')
                r = sd_bus_message_append(m, "s", c->n_texts > 0 ? c->texts[0] : "");
        if (r >= 0 && strcmp(c->signature, "stt") == 0)
                r = sd_bus_message_append(m, "t", c->limit);
        if (r >= 0 && c->signature[0])
                r = sd_bus_message_append(m, "t", c->flags);
        if (r >= 0)
                *ret = TAKE_PTR(m);
        return r;
}

static void send_now(HeroProcCall *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *message = NULL;
        int r = build(c, &m);

        if (r >= 0)
                r = sd_bus_call_async(c->link->bus, &c->slot, m, on_reply, c, UINT64_MAX);
        if (r == -EINVAL) {
                finish(c, HERO_E_INVALID_ARGUMENT, "a text that is not valid UTF-8", NULL);
                return;
        }
        if (r < 0) { /* a bus that is lost may not be known to be, yet */
                r = hero_proc_connection_fail_with_errno(r, &message);
                finish(c, r, message ? message : "out of memory", NULL);
                return;
        }
        c->sent_to = c->link->server;
        set_state(c, CALL_SENT);
}

/* Asks what waits for its turn, as far as there is room. */
static int on_turn(sd_event_source *source, void *userdata) {
        HeroProcLink *l = userdata;
        HeroProcCall *c;

        (void) source;
        while ((c = TAILQ_FIRST(&l->waiting)) && (!l->present || l->n_sent < HERO_PROC_LINK_IN_FLIGHT_MAX)) {
                if (l->present)
                        send_now(c);
                else if (c->awaits_server)
                        set_state(c, CALL_HELD);
                else
                        finish(c, HERO_E_SERVER_UNREACHABLE, l->absence, NULL);
        }
        return 0;
}

static int copy_texts(HeroProcCall *c, const HeroProcQuestion *q) {
        c->texts = calloc(q->n_texts + 1, sizeof *c->texts);
        for (size_t i = 0; c->texts && i < q->n_texts; i++) {
                c->texts[i] = strdup(q->texts[i]);
                if (!c->texts[i])
                        return -ENOMEM;
                c->n_texts++;
        }
        return c->texts ? 0 : -ENOMEM;
}

int hero_proc_link_ask(HeroProcLink *l, const HeroProcQuestion *q, hero_proc_answered_t answered, void *userdata,
                       HeroProcCall **ret) {
        HeroProcCall *c;
        int r;

        if (l->n_calls >= HERO_PROC_LINK_CALLS_MAX)
                return -ENOBUFS;
        c = calloc(1, sizeof *c);
        if (!c)
                return -ENOMEM;
        *c = (HeroProcCall){
                .link = l,
                .member = q->member,
                .signature = q->signature,
                .limit = q->limit,
                .flags = q->flags,
                .is_prompt = q->is_prompt,
                .is_repeatable = q->is_repeatable,
                .awaits_server = q->awaits_server,
                .answered = answered,
                .userdata = userdata,
        };
        TAILQ_INSERT_TAIL(&l->waiting, c, entry);
        l->n_calls++;
        r = copy_texts(c, q);
        if (r >= 0)
                r = sd_event_add_time_relative(l->event, &c->deadline, CLOCK_MONOTONIC, q->timeout_usec, 0, on_deadline,
                                               c);
        if (r < 0) {
                hero_proc_call_cancel(c);
                return r;
        }
        want_turn(l);
        if (ret)
                *ret = c;
        return 0;
}

/* -- the server's coming and going -- */

static void release_held(HeroProcLink *l) {
        HeroProcCall *next;

        for (HeroProcCall *c = TAILQ_FIRST(&l->calls); c; c = next) {
                next = TAILQ_NEXT(c, entry);
                if (c->state == CALL_HELD)
                        set_state(c, CALL_WAITING);
        }
        want_turn(l);
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata) {
        HeroProcLink *l = userdata;

        (void) source;
        (void) usec;
        if (l->present)
                release_held(l);
        return 0;
}

static void set_present(HeroProcLink *l, bool present, const char *text) {
        l->absence = text;
        if (present == l->present)
                return;
        l->present = present;
        if (present)
                release_held(l);
        want_turn(l);
        l->observer.presence(present, text, l->observer.userdata);
}

/* Also where it was not there before: the first word of a link is what it has found. */
static void tell_absence(HeroProcLink *l, const char *text) {
        l->absence = text;
        l->observer.presence(false, text, l->observer.userdata);
}

static void new_server(HeroProcLink *l) {
        l->server++;
        l->silent = false;
        set_present(l, true, NULL);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *ignored) {
        HeroProcLink *l = userdata;
        const char *old_owner, *new_owner;

        (void) ignored;
        if (sd_bus_message_read(m, "sss", NULL, &old_owner, &new_owner) < 0)
                return 0;
        if (*old_owner)
                set_present(l, false, "hero_proc_server is not running");
        if (*new_owner)
                new_server(l);
        return 0;
}

static int on_owner(sd_bus_message *reply, void *userdata, sd_bus_error *ignored) {
        HeroProcLink *l = userdata;

        (void) ignored;
        if (l->present)
                return 0;
        if (!sd_bus_message_is_method_error(reply, NULL))
                new_server(l);
        else
                tell_absence(l, "hero_proc_server is not running");
        return 0;
}

/* A server that is stopped or stuck keeps its name on the bus: who only listens would take its silence for calm. */
static int on_pong(sd_bus_message *reply, void *userdata, sd_bus_error *ignored) {
        HeroProcLink *l = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);

        (void) ignored;
        l->ping_slot = sd_bus_slot_unref(l->ping_slot);
        if (!e && l->silent) {
                l->silent = false;
                new_server(l); /* who held on to what it knew must ask anew */
        } else if (e && sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY) && l->present) {
                l->silent = true;
                set_present(l, false, "hero_proc_server does not answer");
        }
        return 0;
}

static int on_ping_due(sd_event_source *source, uint64_t usec, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        HeroProcLink *l = userdata;

        (void) usec;
        (void) sd_event_source_set_time_relative(source, PING_USEC);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        if (!l->bus || l->ping_slot || (!l->present && !l->silent))
                return 0;
        if (sd_bus_message_new_method_call(l->bus, &m, PROC1_SERVICE, PROC1_PATH, "org.freedesktop.DBus.Peer", "Ping") <
            0)
                return 0;
        (void) sd_bus_message_set_auto_start(m, 0);
        (void) sd_bus_call_async(l->bus, &l->ping_slot, m, on_pong, l, PING_USEC);
        return 0;
}

/* -- signals -- */

/* What could not be read for want of memory is lost: whoever listens has to ask anew, as of a new server. */
static void lost_signal(HeroProcLink *l, int r) {
        if (r == -ENOMEM && l->present)
                l->observer.presence(true, NULL, l->observer.userdata);
}

/* 1: the path is a service's. */
static int service_of_path(HeroProcLink *l, const char *path, char **ret) {
        int r = sd_bus_path_decode(path, PROC1_SERVICE_PATH, ret);

        lost_signal(l, r);
        return r;
}

static int on_state_changed(sd_bus_message *m, void *userdata, sd_bus_error *ignored) {
        HeroProcLink *l = userdata;
        const char *service, *state;

        (void) ignored;
        if (sd_bus_message_read(m, "ssss", &service, NULL, &state, NULL) >= 0)
                l->observer.state_changed(service, state, l->observer.userdata);
        return 0;
}

static int on_properties_changed(sd_bus_message *m, void *userdata, sd_bus_error *ignored) {
        HeroProcLink *l = userdata;
        _cleanup_free_ char *service = NULL;

        (void) ignored;
        if (service_of_path(l, sd_bus_message_get_path(m), &service) > 0)
                l->observer.properties_changed(service, l->observer.userdata);
        return 0;
}

static int on_object(sd_bus_message *m, void *userdata, sd_bus_error *ignored) {
        HeroProcLink *l = userdata;
        _cleanup_free_ char *service = NULL;
        const char *path;

        (void) ignored;
        if (sd_bus_message_read(m, "o", &path) < 0)
                return 0;
        if (service_of_path(l, path, &service) <= 0)
                return 0;
        if (strcmp(sd_bus_message_get_member(m), "InterfacesAdded") == 0)
                l->observer.added(service, l->observer.userdata);
        else
                l->observer.removed(service, l->observer.userdata);
        return 0;
}

#define FROM_SERVER "type='signal',sender='" PROC1_SERVICE "',"

static int listen_to_signals(HeroProcLink *l) {
        static const struct {
                const char *match;
                sd_bus_message_handler_t handler;
        } matches[] = {
                { "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                  "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" PROC1_SERVICE "'",
                  on_owner_changed },
                { FROM_SERVER "path='" PROC1_PATH "',interface='" PROC1_MANAGER "',member='StateChanged'",
                  on_state_changed },
                { FROM_SERVER "path_namespace='" PROC1_SERVICE_PATH "',interface='org.freedesktop.DBus.Properties',"
                              "member='PropertiesChanged'",
                  on_properties_changed },
                { FROM_SERVER "path='" PROC1_PATH "',interface='org.freedesktop.DBus.ObjectManager'", on_object },
        };

        for (size_t i = 0; i < ELEMENTSOF(matches); i++) {
                int r = sd_bus_add_match_async(l->bus, &l->slots[l->n_slots], matches[i].match, matches[i].handler,
                                               NULL, l);

                if (r < 0)
                        return r;
                l->n_slots++;
        }
        return 0;
}

/* -- the bus's coming and going -- */

static void drop_bus(HeroProcLink *l, const char *text) {
        while (l->n_slots > 0)
                sd_bus_slot_unref(l->slots[--l->n_slots]);
        l->ping_slot = sd_bus_slot_unref(l->ping_slot);
        l->bus = NULL;
        l->silent = false;
        set_present(l, false, text);
        /* From the start each time: whoever is told may ask or cancel. */
        for (HeroProcCall *c = TAILQ_FIRST(&l->calls); c;)
                if (c->state == CALL_SENT) {
                        left_without_answer(c);
                        c = TAILQ_FIRST(&l->calls);
                } else
                        c = TAILQ_NEXT(c, entry);
}

static int on_bus(sd_bus *bus, void *userdata) {
        HeroProcLink *l = userdata;
        int r;

        if (!bus) {
                drop_bus(l, "lost the connection to the bus");
                return 0;
        }
        l->bus = bus;
        r = listen_to_signals(l);
        if (r >= 0)
                r = sd_bus_call_method_async(bus, &l->slots[l->n_slots], "org.freedesktop.DBus",
                                             "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetNameOwner", on_owner,
                                             l, "s", PROC1_SERVICE);
        if (r >= 0)
                l->n_slots++;
        return r;
}

static void on_bus_failed(int error, void *userdata) {
        HeroProcLink *l = userdata;

        if (error != -ECONNRESET) /* that is told when the connection is dropped */
                tell_absence(l, "cannot connect to the bus");
}

/* -- life -- */

int hero_proc_link_new(sd_event *event, bool is_user, const HeroProcLinkObserver *observer, HeroProcLink **ret) {
        _cleanup_(hero_proc_link_freep) HeroProcLink *l = calloc(1, sizeof *l);
        int r;

        if (!l)
                return -ENOMEM;
        l->event = event;
        l->observer = *observer;
        l->absence = "not connected to the bus yet";
        TAILQ_INIT(&l->calls);
        TAILQ_INIT(&l->waiting);
        r = sd_event_add_time_relative(event, &l->ping, CLOCK_MONOTONIC, PING_USEC, 0, on_ping_due, l);
        if (r >= 0)
                r = sd_event_add_time(event, &l->again, CLOCK_MONOTONIC, USEC_NEVER, 0, on_again, l);
        if (r >= 0)
                r = sd_event_add_defer(event, &l->turn, on_turn, l);
        if (r >= 0)
                r = bus_connection_new(event, is_user, on_bus, on_bus_failed, l, &l->connection);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(l);
        return 0;
}

static void ignore_presence(bool present, const char *text, void *userdata) {
        (void) present;
        (void) text;
        (void) userdata;
}

HeroProcLink *hero_proc_link_free(HeroProcLink *l) {
        HeroProcCall *c;

        if (!l)
                return NULL;
        while ((c = TAILQ_FIRST(&l->waiting)) || (c = TAILQ_FIRST(&l->calls)))
                finish(c, HERO_E_SERVER_UNREACHABLE, "the connection to hero_proc_server is being closed", NULL);
        l->observer.presence = ignore_presence;
        bus_connection_free(l->connection);
        sd_event_source_disable_unref(l->ping);
        sd_event_source_disable_unref(l->again);
        sd_event_source_disable_unref(l->turn);
        free(l);
        return NULL;
}

bool hero_proc_link_is_present(const HeroProcLink *l) {
        return l->present;
}

uint64_t hero_proc_link_reconnects(const HeroProcLink *l) {
        return l->server > 0 ? l->server - 1 : 0;
}
