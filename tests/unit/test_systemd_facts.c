/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <sys/socket.h>

#include "base/cleanup.h"
#include "boundary/systemd_facts.h"

typedef struct Fixture {
        sd_bus *bus;
        sd_bus_message *properties;
        UnitFacts facts;
} Fixture;

static void fixture_done(Fixture *f) {
        unit_facts_forget(&f->facts, UNIT_NOT_LOADED);
        sd_bus_message_unref(f->properties);
        sd_bus_close_unref(f->bus);
}

static bool new_message(Fixture *f, sd_bus_message **ret) {
        return sd_bus_message_new_signal(f->bus, ret, "/", "a.b", "C") >= 0;
}

/* What systemd says of a unit whose service has set that status. */
static bool fixture_init(Fixture *f, const char *status) {
        int fds[2];

        *f = (Fixture){ 0 };
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 || sd_bus_new(&f->bus) < 0 ||
            sd_bus_set_fd(f->bus, fds[0], fds[0]) < 0 || sd_bus_start(f->bus) < 0)
                return false;
        (void) close(fds[1]);
        return new_message(f, &f->properties) &&
               sd_bus_message_append(f->properties, "a{sv}", 1, "StatusText", "s", status) >= 0 &&
               sd_bus_message_seal(f->properties, 1, 0) >= 0 && sd_bus_message_rewind(f->properties, 1) >= 0 &&
               systemd_facts_read(f->properties, &f->facts) >= 0;
}

TEST(a_status_that_is_too_long_is_cut_so_that_sd_bus_takes_it) {
        static const char *const characters[] = { "ü", "€", "😀" };

        for (size_t i = 0; i < ELEMENTSOF(characters); i++)
                for (size_t offset = 0; offset < strlen(characters[i]); offset++) {
                        Fixture f _cleanup_(fixture_done);
                        _cleanup_(sd_bus_message_unrefp) sd_bus_message *told = NULL;
                        char status[512] = "";
                        const char *kept;

                        memset(status, 'x', offset);
                        while (strlen(status) < 200)
                                strcat(status, characters[i]);
                        ASSERT(fixture_init(&f, status));
                        kept = rare_text_get(&f.facts.status_text);
                        ASSERT(new_message(&f, &told));
                        ASSERT(sd_bus_message_append(told, "s", kept) >= 0);
                        ASSERT(strlen(kept) > 100 && strlen(kept) < 128);
                        ASSERT_EQ(strncmp(kept, status, strlen(kept) - strlen("…")), 0);
                        ASSERT_STREQ(kept + strlen(kept) - strlen("…"), "…");
                }
}

TEST(a_status_that_fits_is_kept_whole) {
        Fixture f _cleanup_(fixture_done);

        ASSERT(fixture_init(&f, "grüße: 12 €"));
        ASSERT_STREQ(rare_text_get(&f.facts.status_text), "grüße: 12 €");
}
