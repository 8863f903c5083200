/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/hero_proc_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/outcome.h"

#define PROC1_MANAGER "org.hero.Proc1.Manager"

enum {
        /* For calls that the server answers from what it knows. */
        PROMPT_TIMEOUT_SEC = 25,
};

#define _cleanup_message_ _cleanup_(sd_bus_message_unrefp)

struct HeroProcConnection {
        sd_bus *bus;
        uint64_t patience_usec;
        bool was_through;              /* the bus has greeted us */
        sd_event_source *alarm_source; /* NULL: whoever waits sees to the alarm */
        uint64_t alarm_usec;           /* USEC_NEVER: none */
        void (*alarm)(void *userdata);
        void *alarm_userdata;
        sd_bus_slot *lost_slot;
        void (*lost)(void *userdata);
        void *lost_userdata;
};

/* Connection */

int hero_proc_connection_attach(sd_bus *bus, HeroProcConnection **ret) {
        HeroProcConnection *c = calloc(1, sizeof *c);

        if (!c)
                return -ENOMEM;
        c->bus = sd_bus_ref(bus);
        c->patience_usec = PROMPT_TIMEOUT_SEC * USEC_PER_SEC;
        c->alarm_usec = USEC_NEVER;
        *ret = c;
        return 0;
}

static int bus_open(const HeroProcTarget *target, sd_bus **ret) {
        if (target->host)
                return sd_bus_open_system_remote(ret, target->host);
        if (target->machine)
                return target->is_user ? sd_bus_open_user_machine(ret, target->machine)
                                       : sd_bus_open_system_machine(ret, target->machine);
        return target->is_user ? sd_bus_open_user(ret) : sd_bus_open_system(ret);
}

/* sd-bus has meanings of its own for some errors. */
static const char *open_error_text(const HeroProcTarget *target, int r) {
        if (r == -ENOMEDIUM)
                return "$DBUS_SESSION_BUS_ADDRESS and $XDG_RUNTIME_DIR are not set";
        if (target->machine && r == -EHOSTDOWN)
                return "no container of that name is running";
        if (target->machine && r == -EINVAL)
                return "no container can have that name";
        return strerror(-r);
}

int hero_proc_connection_open(const HeroProcTarget *target, HeroProcConnection **ret, char **reterr_message) {
        sd_bus *bus = NULL;
        int r;

        r = bus_open(target, &bus);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                if (asprintf(reterr_message, "cannot connect to the %s bus%s%s: %s",
                             target->is_user ? "user" : "system", target->machine ? " of " : "",
                             target->machine ? target->machine : "", open_error_text(target, r)) < 0)
                        return -ENOMEM;
                return HERO_E_SERVER_UNREACHABLE;
        }
        r = hero_proc_connection_attach(bus, ret);
        sd_bus_unref(bus);
        return r;
}

int hero_proc_connection_open_fd(int fd, HeroProcConnection **ret) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r = sd_bus_new(&bus);

        if (r >= 0)
                r = sd_bus_set_fd(bus, fd, fd);
        if (r < 0) {
                (void) close(fd);
                return r;
        }
        r = sd_bus_set_bus_client(bus, 1);
        if (r >= 0)
                r = sd_bus_start(bus);
        return r < 0 ? r : hero_proc_connection_attach(bus, ret);
}

static int on_lost(sd_bus_message *m, void *userdata, sd_bus_error *reterr _unused_) {
        HeroProcConnection *c = userdata;

        (void) m;
        c->lost(c->lost_userdata);
        return 0;
}

static void sound_alarm(HeroProcConnection *c) {
        c->alarm_usec = USEC_NEVER;
        c->alarm(c->alarm_userdata);
}

static int on_alarm(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source;
        (void) usec;
        sound_alarm(userdata);
        return 0;
}

int hero_proc_connection_attach_event(HeroProcConnection *c, sd_event *event, void (*lost)(void *userdata),
                                      void *userdata) {
        int r;

        c->lost = lost;
        c->lost_userdata = userdata;
        /* sd-bus makes this signal itself. */
        r = sd_bus_match_signal(c->bus, &c->lost_slot, NULL, "/org/freedesktop/DBus/Local",
                                "org.freedesktop.DBus.Local", "Disconnected", on_lost, c);
        /* Made at once: where there is need of it there may be no memory. */
        if (r >= 0)
                r = sd_event_add_time(event, &c->alarm_source, CLOCK_MONOTONIC, c->alarm_usec, USEC_PER_MSEC, on_alarm,
                                      c);
        return r < 0 ? r : sd_bus_attach_event(c->bus, event, SD_EVENT_PRIORITY_NORMAL);
}

void hero_proc_connection_set_alarm(HeroProcConnection *c, uint64_t delay_usec, void (*alarm)(void *userdata),
                                    void *userdata) {
        c->alarm_usec = alarm ? usec_add(clock_monotonic_usec(), delay_usec) : USEC_NEVER;
        c->alarm = alarm;
        c->alarm_userdata = userdata;
        if (!c->alarm_source)
                return;
        (void) sd_event_source_set_time(c->alarm_source, c->alarm_usec);
        (void) sd_event_source_set_enabled(c->alarm_source, SD_EVENT_ONESHOT);
}

sd_bus *hero_proc_connection_bus(HeroProcConnection *c) {
        return c->bus;
}

HeroProcConnection *hero_proc_connection_free(HeroProcConnection *c) {
        if (!c)
                return NULL;
        sd_bus_slot_unref(c->lost_slot);
        sd_event_source_disable_unref(c->alarm_source);
        /* What is not through yet has nothing to be written, and may never be: to flush would wait for it. */
        if (sd_bus_is_ready(c->bus) > 0)
                (void) sd_bus_flush(c->bus);
        sd_bus_close_unref(c->bus);
        free(c);
        return NULL;
}

bool hero_proc_connection_was_through(const HeroProcConnection *c) {
        return c->was_through;
}

void hero_proc_connection_allow_interaction(HeroProcConnection *c) {
        (void) sd_bus_set_allow_interactive_authorization(c->bus, 1);
}

void hero_proc_connection_set_patience(HeroProcConnection *c, uint64_t usec) {
        c->patience_usec = usec;
}

uint64_t hero_proc_connection_patience_usec(const HeroProcConnection *c) {
        return c->patience_usec;
}

/* Errors */

int hero_proc_connection_fail(int r, const char *text, char **reterr_message) {
        char *copy = strdup(text);

        if (!copy)
                return -ENOMEM;
        *reterr_message = copy;
        return r;
}

static bool starts_with(const char *s, const char *prefix) {
        return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* The bus starts the server on demand, with systemd's help. What either has to say when that fails bears its own name.
 */
static bool is_activation_failure(const char *name) {
        return starts_with(name, "org.freedesktop.DBus.Error.Spawn.") ||
               strcmp(name, "org.freedesktop.DBus.Error.TimedOut") == 0 ||
               (starts_with(name, "org.freedesktop.") && !starts_with(name, "org.freedesktop.DBus."));
}

bool hero_proc_connection_error_is_absence(const sd_bus_error *e) {
        return sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
               sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER) || is_activation_failure(e->name);
}

int hero_proc_connection_fail_with_error(const sd_bus_error *e, char **reterr_message) {
        const char *text = e->message && *e->message ? e->message : e->name;
        int outcome = outcome_from_dbus_name(e->name);

        if (hero_proc_connection_error_is_absence(e))
                return hero_proc_connection_fail(HERO_E_SERVER_UNREACHABLE, "hero_proc_server is not running",
                                                 reterr_message);
        if (outcome == HERO_E_SERVER_UNREACHABLE)
                return hero_proc_connection_fail(outcome, "hero_proc_server left without an answer", reterr_message);
        return hero_proc_connection_fail(outcome > 0 ? outcome : -EIO, text, reterr_message);
}

int hero_proc_connection_fail_with_bad_reply(char **reterr_message) {
        return hero_proc_connection_fail(
                -EBADMSG, "hero_proc_server gave an answer of an unknown form; is it of another version?",
                reterr_message);
}

/* A negative errno of sd-bus itself: mostly a connection that broke. */
int hero_proc_connection_fail_with_errno(int r, char **reterr_message) {
        if (r == -ENOMEM)
                return r;
        if (r == -ETIMEDOUT)
                return hero_proc_connection_fail(r, "timed out", reterr_message);
        if (r == -ENOTCONN || r == -ECONNRESET || r == -EPIPE || r == -ESHUTDOWN || r == -ECONNREFUSED || r == -ENOENT)
                return hero_proc_connection_fail(HERO_E_SERVER_UNREACHABLE, "lost the connection to the bus",
                                                 reterr_message);
        return hero_proc_connection_fail(r, strerror(-r), reterr_message);
}

/* Calls: always asynchronous underneath, so that signals get through while an answer is awaited. */

void pending_call_done(PendingCall *p) {
        p->slot = sd_bus_slot_unref(p->slot);
        p->reply = sd_bus_message_unref(p->reply);
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *reterr _unused_) {
        PendingCall *p = userdata;

        p->reply = sd_bus_message_ref(reply);
        *p->answered = true;
        return 1;
}

int hero_proc_connection_send(HeroProcConnection *c, sd_bus_message *call, PendingCall *p) {
        /* UINT64_MAX: deadlines are kept here, where a time-out can be told from a server that left. */
        return sd_bus_call_async(c->bus, &p->slot, call, on_reply, p, UINT64_MAX);
}

int hero_proc_connection_turn(HeroProcConnection *c, uint64_t deadline_usec) {
        uint64_t now, until_usec;
        int r;

        c->was_through = c->was_through || sd_bus_is_ready(c->bus) > 0;
        r = sd_bus_process(c->bus, NULL);
        if (r != 0)
                return r < 0 ? r : 0;
        now = clock_monotonic_usec();
        if (!c->alarm_source && now >= c->alarm_usec) {
                sound_alarm(c);
                return 0;
        }
        if (now >= deadline_usec)
                return -ETIMEDOUT;
        until_usec = !c->alarm_source && c->alarm_usec < deadline_usec ? c->alarm_usec : deadline_usec;
        r = sd_bus_wait(c->bus, until_usec == USEC_NEVER ? UINT64_MAX : until_usec - now);
        return r < 0 && r != -EINTR ? r : 0;
}

int hero_proc_connection_call(HeroProcConnection *c, sd_bus_message *call, uint64_t timeout_usec,
                              sd_bus_message **ret_reply, char **reterr_message) {
        uint64_t deadline = usec_add(clock_monotonic_usec(), timeout_usec);
        bool answered = false;
        PendingCall p _cleanup_(pending_call_done) = { .answered = &answered };
        int r;

        r = hero_proc_connection_send(c, call, &p);
        while (r >= 0 && !answered)
                r = hero_proc_connection_turn(c, deadline);
        if (r == -ENOMEM)
                return r;
        if (!c->was_through && sd_bus_is_open(c->bus) <= 0) /* sd-bus answers then, or fails */
                return hero_proc_connection_fail(HERO_E_SERVER_UNREACHABLE, "the bus cannot be reached",
                                                 reterr_message);
        if (!answered)
                return hero_proc_connection_fail_with_errno(r, reterr_message);
        if (sd_bus_message_is_method_error(p.reply, NULL))
                return hero_proc_connection_fail_with_error(sd_bus_message_get_error(p.reply), reterr_message);
        *ret_reply = TAKE_PTR(p.reply);
        return 0;
}

int hero_proc_connection_call_promptly(HeroProcConnection *c, sd_bus_message *call, sd_bus_message **ret_reply,
                                       char **reterr_message) {
        int r;

        r = hero_proc_connection_call(c, call, c->patience_usec, ret_reply, reterr_message);
        if (r != -ETIMEDOUT)
                return r;
        free(*reterr_message);
        return hero_proc_connection_fail(
                HERO_E_SERVER_UNREACHABLE,
                c->was_through ? "hero_proc_server does not answer" : "the bus does not answer", reterr_message);
}

int hero_proc_connection_new_object_call(HeroProcConnection *c, const char *path, const char *interface,
                                         const char *member, sd_bus_message **ret) {
        return sd_bus_message_new_method_call(c->bus, ret, HERO_PROC_NAME, path, interface, member);
}

int hero_proc_connection_new_call(HeroProcConnection *c, const char *member, sd_bus_message **ret) {
        return hero_proc_connection_new_object_call(c, HERO_PROC_PATH, PROC1_MANAGER, member, ret);
}

int hero_proc_connection_wait(HeroProcConnection *c, uint64_t deadline_usec, char **reterr_message) {
        int r = hero_proc_connection_turn(c, deadline_usec);

        return r < 0 ? hero_proc_connection_fail_with_errno(r, reterr_message) : 0;
}
