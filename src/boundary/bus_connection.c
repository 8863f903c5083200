/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/bus_connection.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

#define RETRY_FIRST_USEC (20 * USEC_PER_MSEC)
#define RETRY_MAX_USEC (1 * USEC_PER_SEC)

struct BusConnection {
        sd_event *event;
        sd_bus *bus;
        sd_bus_slot *disconnected;
        sd_event_source *retry;
        uint64_t delay_usec;
        bool is_user, complained;
        bus_connection_changed_t changed;
        bus_connection_failed_t failed;
        void *userdata;
};

static void drop(BusConnection *c) {
        if (!c->bus)
                return;
        (void) c->changed(NULL, c->userdata);
        c->disconnected = sd_bus_slot_unref(c->disconnected);
        (void) sd_bus_detach_event(c->bus);
        sd_bus_close(c->bus);
        c->bus = sd_bus_unref(c->bus);
}

static void try_later(BusConnection *c) {
        (void) sd_event_source_set_time_relative(c->retry, c->delay_usec);
        (void) sd_event_source_set_enabled(c->retry, SD_EVENT_ONESHOT);
        c->delay_usec = 2 * c->delay_usec < RETRY_MAX_USEC ? 2 * c->delay_usec : RETRY_MAX_USEC;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BusConnection *c = userdata;

        (void) m;
        (void) error;
        c->failed(-ECONNRESET, c->userdata);
        /* Not from inside its own dispatch: the timer does it. */
        c->delay_usec = RETRY_FIRST_USEC;
        try_later(c);
        return 0;
}

static int set_up(BusConnection *c) {
        int r = sd_bus_set_exit_on_disconnect(c->bus, 0);

        if (r >= 0)
                r = sd_bus_match_signal_async(c->bus, &c->disconnected, "org.freedesktop.DBus.Local",
                                              "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                              "Disconnected", on_disconnected, NULL, c);
        if (r >= 0)
                r = sd_bus_attach_event(c->bus, c->event, SD_EVENT_PRIORITY_NORMAL);
        return r < 0 ? r : c->changed(c->bus, c->userdata);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        BusConnection *c = userdata;
        int r;

        (void) source;
        (void) usec;
        drop(c);
        r = c->is_user ? sd_bus_open_user(&c->bus) : sd_bus_open_system(&c->bus);
        if (r >= 0)
                r = set_up(c);
        if (r >= 0) {
                c->complained = false;
                return 0;
        }
        if (!c->complained)
                c->failed(r, c->userdata);
        c->complained = true;
        drop(c);
        try_later(c);
        return 0;
}

int bus_connection_new(sd_event *event, bool is_user, bus_connection_changed_t changed, bus_connection_failed_t failed,
                       void *userdata, BusConnection **ret) {
        BusConnection *c = calloc(1, sizeof *c);
        int r;

        if (!c)
                return -ENOMEM;
        *c = (BusConnection){ .event = event,
                              .is_user = is_user,
                              .changed = changed,
                              .failed = failed,
                              .userdata = userdata,
                              .delay_usec = RETRY_FIRST_USEC };
        r = sd_event_add_time_relative(event, &c->retry, CLOCK_MONOTONIC, 0, 0, on_retry, c);
        if (r < 0) {
                free(c);
                return r;
        }
        *ret = c;
        return 0;
}

BusConnection *bus_connection_free(BusConnection *c) {
        if (!c)
                return NULL;
        if (c->bus)
                (void) sd_bus_flush(c->bus);
        drop(c);
        sd_event_source_disable_unref(c->retry);
        free(c);
        return NULL;
}
