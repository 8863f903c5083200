/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/bus_name.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "server/service.h"

#define API_NAME "org.hero.Proc1"

/* From a request for which there was no memory to the next one. */
#define ASK_AGAIN_USEC (100 * USEC_PER_MSEC)

struct BusName {
        sd_bus *bus; /* borrowed; NULL: none */
        sd_bus_slot *request;
        sd_event_source *ask_again;             /* made at once: where asking fails, a timer would as well */
        void (*claimed)(int r, void *userdata); /* NULL: it is not to be asked for yet */
        void *userdata;
};

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const BusName *n = userdata;
        uint32_t answer = 0;
        int r;

        (void) error;
        if (!n->bus || sd_bus_is_open(n->bus) <= 0)
                return 0; /* the connection is lost, and this is no answer of the bus's */
        r = -sd_bus_message_get_errno(m);
        if (r == 0)
                r = sd_bus_message_read(m, "u", &answer);
        /* DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER, _ALREADY_OWNER */
        n->claimed(r < 0 ? r : answer == 1 || answer == 4, n->userdata);
        return 0;
}

/* What fails for want of memory is asked again; what fails with the connection, by the next one. */
static int ask(BusName *n) {
        int r;

        n->request = sd_bus_slot_unref(n->request);
        r = sd_bus_request_name_async(n->bus, &n->request, API_NAME, 0, on_answer, n);
        if (!service_step_may_pass(r))
                return r;
        (void) sd_event_source_set_time_relative(n->ask_again, ASK_AGAIN_USEC);
        (void) sd_event_source_set_enabled(n->ask_again, SD_EVENT_ONESHOT);
        return 0;
}

static int on_ask_again(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source;
        (void) usec;
        (void) ask(userdata);
        return 0;
}

int bus_name_set_bus(BusName *n, sd_bus *bus) {
        n->request = sd_bus_slot_unref(n->request);
        (void) sd_event_source_set_enabled(n->ask_again, SD_EVENT_OFF);
        n->bus = bus;
        return bus && n->claimed ? ask(n) : 0;
}

void bus_name_claim(BusName *n, void (*claimed)(int r, void *userdata), void *userdata) {
        bool is_first = !n->claimed;

        n->claimed = claimed;
        n->userdata = userdata;
        if (is_first && n->bus)
                (void) ask(n);
}

int bus_name_new(sd_event *event, BusName **ret) {
        _cleanup_(bus_name_freep) BusName *n = calloc(1, sizeof *n);
        int r;

        if (!n)
                return -ENOMEM;
        r = sd_event_add_time(event, &n->ask_again, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_ask_again, n);
        if (r >= 0)
                r = sd_event_source_set_enabled(n->ask_again, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(n);
        return 0;
}

BusName *bus_name_free(BusName *n) {
        if (!n)
                return NULL;
        sd_bus_slot_unref(n->request);
        sd_event_source_disable_unref(n->ask_again);
        free(n);
        return NULL;
}
