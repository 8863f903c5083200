/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/bus_arguments.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum {
        NAMES_MAX = 4096,  /* of one call */
        SUBJECTS_MAX = 16, /* that are told apart in a question to polkit, and shown in a prompt */
};

int bus_arguments_fail(sd_bus_error *reterr_error, Outcome outcome, const char *text) {
        return sd_bus_error_set(reterr_error, outcome_info(outcome)->dbus_name, text);
}

int bus_arguments_check_flags(uint64_t flags, uint64_t allowed, sd_bus_error *reterr_error) {
        if ((flags & ~allowed) == 0)
                return 0;
        return sd_bus_error_setf(reterr_error, SD_BUS_ERROR_INVALID_ARGS,
                                 "flags: %" PRIu64 ": this call takes no flags but %" PRIu64, flags, allowed);
}

int bus_arguments_check_reachable(const BusContext *c, sd_bus_error *reterr_error) {
        if (supervisor_is_synced(c->supervisor))
                return 0;
        return bus_arguments_fail(reterr_error, HERO_E_SYSTEMD_UNREACHABLE,
                                  "systemd cannot be asked at the moment: try again");
}

int bus_arguments_check_room(const BusContext *c, sd_bus_message *m, WaitFor what, sd_bus_error *reterr_error) {
        if (bus_waiters_check_room(c->waiters, m, what) == 0)
                return 0;
        return sd_bus_error_set(reterr_error, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many callers wait already");
}

int bus_arguments_find_service(const BusContext *c, const char *name, Service **ret, sd_bus_error *reterr_error) {
        const char *error_name = outcome_info(HERO_E_NO_SUCH_SERVICE)->dbus_name;
        size_t n = strlen(name);

        *ret = supervisor_find(c->supervisor, name);
        if (*ret)
                return 0;
        /* What a caller makes up is not sent back at any length. */
        if (n > DEFINITION_NAME_MAX)
                return sd_bus_error_setf(reterr_error, error_name, "a name of %zu bytes: no such service", n);
        return sd_bus_error_setf(reterr_error, error_name, "%s: no such service", name);
}

static bool is_among(Service *const *services, size_t n, const Service *s) {
        for (size_t i = 0; i < n; i++)
                if (services[i] == s)
                        return true;
        return false;
}

/* Name by name: the first one that is wrong ends it, and anybody can send a million of them. Each service counts once,
 * however often it is named: answers and restarts are one a service. */
static int read_names(const BusContext *c, sd_bus_message *m, Service **found, size_t *ret_n,
                      sd_bus_error *reterr_error) {
        const char *name;
        size_t n = 0, n_names = 0;
        int r = sd_bus_message_enter_container(m, 'a', "s");

        if (r < 0)
                return r;
        while ((r = sd_bus_message_read_basic(m, 's', &name)) > 0) {
                Service *s;

                if (++n_names > NAMES_MAX)
                        return sd_bus_error_setf(reterr_error, SD_BUS_ERROR_INVALID_ARGS,
                                                 "more than %d names: expected fewer, or none for all services",
                                                 NAMES_MAX);
                r = bus_arguments_find_service(c, name, &s, reterr_error);
                if (r < 0)
                        return r;
                if (!is_among(found, n, s))
                        found[n++] = s;
        }
        if (r < 0)
                return r;
        *ret_n = n;
        return sd_bus_message_exit_container(m);
}

int bus_arguments_read_services(const BusContext *c, sd_bus_message *m, Service ***ret, size_t *ret_n,
                                sd_bus_error *reterr_error) {
        size_t n = 0, n_all;
        Service *const *all = supervisor_services(c->supervisor, &n_all);
        _cleanup_free_ Service **found = calloc(n_all + 1, sizeof *found);
        int r = found ? read_names(c, m, found, &n, reterr_error) : -ENOMEM;

        if (r < 0)
                return r;
        if (n == 0 && n_all > 0)
                memcpy(found, all, n_all * sizeof *found);
        *ret = TAKE_PTR(found);
        *ret_n = n > 0 ? n : n_all;
        return 0;
}

int bus_arguments_read_subject(const BusContext *c, sd_bus_message *m, char **ret, sd_bus_error *reterr_error) {
        const char *name;
        Service *s;
        int r = sd_bus_message_read(m, "s", &name);

        if (r >= 0)
                r = bus_arguments_find_service(c, name, &s, reterr_error);
        if (r < 0)
                return r;
        *ret = strdup(name);
        return *ret ? 0 : -ENOMEM;
}

int bus_arguments_read_subjects(const BusContext *c, sd_bus_message *m, char **ret, sd_bus_error *reterr_error) {
        size_t n = 0, n_all, length = 0;
        _cleanup_free_ Service **found = NULL;
        char joined[SUBJECTS_MAX * (DEFINITION_NAME_MAX + 1)] = "*";
        int r;

        (void) supervisor_services(c->supervisor, &n_all);
        found = calloc(n_all + 1, sizeof *found);
        r = found ? read_names(c, m, found, &n, reterr_error) : -ENOMEM;
        if (r < 0)
                return r;
        for (size_t i = 0; n <= SUBJECTS_MAX && i < n; i++)
                length += (size_t) snprintf(joined + length, sizeof joined - length, "%s%s", i > 0 ? " " : "",
                                            found[i]->definition->name);
        *ret = strdup(joined);
        return *ret ? 0 : -ENOMEM;
}

int bus_arguments_measure_texts(sd_bus_message *m, size_t *ret) {
        const char *text;
        size_t n = 0;
        int r = sd_bus_message_enter_container(m, 'a', "s");

        while (r >= 0 && (r = sd_bus_message_read_basic(m, 's', &text)) > 0)
                n += strlen(text);
        if (r < 0)
                return r;
        *ret = n;
        return 0;
}
