/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/systemd_facts.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "core/printable_text.h"

enum {
        STATUS_TEXT_MAX = 127, /* what is longer is cut: it is kept of each service */
};

UnitLoad systemd_facts_load_state(const char *word) {
        static const struct {
                const char *word;
                UnitLoad load;
        } words[] = {
                { "loaded", UNIT_LOADED },           { "not-found", UNIT_NOT_LOADED }, { "stub", UNIT_NOT_LOADED },
                { "bad-setting", UNIT_BAD_SETTING }, { "masked", UNIT_MASKED },
        };
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strcmp(words[i].word, word) == 0)
                        return words[i].load;
        return UNIT_LOAD_ERROR;
}

static void set_active(UnitFacts *f, const char *word) {
        UnitActive active = unit_active_from_string(word);

        f->active = (int) active < 0 ? UNIT_MAINTENANCE : active;
}

static void set_sub_state(UnitFacts *f, const char *word) {
        (void) snprintf(f->sub_state, sizeof f->sub_state, "%s", word);
}

static void set_load(UnitFacts *f, const char *word) {
        f->load = systemd_facts_load_state(word);
}

static void set_result(UnitFacts *f, const char *word) {
        UnitResult result = unit_result_from_string(word);

        f->result = (int) result < 0 ? UNIT_RESULT_OTHER : result;
}

static void set_restart(UnitFacts *f, const char *word) {
        f->restart_is_off = strcmp(word, "no") == 0;
}

static void set_status_text(UnitFacts *f, const char *word) {
        char cut[STATUS_TEXT_MAX + 1];

        /* Half a character at its end would be no text: sd-bus sends no message that holds one. */
        printable_text(word, strlen(word), cut, sizeof cut);
        rare_text_set(&f->status_text, cut);
}

/* Each property that is kept: its name, type, and where it goes. */
static const struct {
        const char *name;
        char type;
        size_t offset;
        void (*set)(UnitFacts *f, const char *word);
} properties[] = {
        { "LoadState", 's', 0, set_load },
        { "ActiveState", 's', 0, set_active },
        { "SubState", 's', 0, set_sub_state },
        { "Result", 's', 0, set_result },
        { "StatusText", 's', 0, set_status_text },
        { "Restart", 's', 0, set_restart },
        { "MainPID", 'u', offsetof(UnitFacts, main_pid), NULL },
        { "NRestarts", 'u', offsetof(UnitFacts, n_restarts), NULL },
        { "ExecMainCode", 'i', offsetof(UnitFacts, exec_code), NULL },
        { "ExecMainStatus", 'i', offsetof(UnitFacts, exec_status), NULL },
        { "InactiveExitTimestampMonotonic", 't', offsetof(UnitFacts, inactive_exit_usec), NULL },
        { "InactiveEnterTimestampMonotonic", 't', offsetof(UnitFacts, inactive_enter_usec), NULL },
        { "ActiveEnterTimestampMonotonic", 't', offsetof(UnitFacts, active_enter_usec), NULL },
        { "ActiveExitTimestampMonotonic", 't', offsetof(UnitFacts, active_exit_usec), NULL },
        { "ExecMainStartTimestampMonotonic", 't', offsetof(UnitFacts, exec_main_start_usec), NULL },
        { "ExecMainExitTimestampMonotonic", 't', offsetof(UnitFacts, exec_main_exit_usec), NULL },
};

static int read_word(sd_bus_message *m, UnitFacts *f, void (*set)(UnitFacts *f, const char *word)) {
        const char *word;
        int r = sd_bus_message_read(m, "v", "s", &word);

        if (r >= 0)
                set(f, word);
        return r;
}

static int read_job(sd_bus_message *m, UnitFacts *f) {
        return sd_bus_message_read(m, "v", "(uo)", &f->job_id, NULL);
}

static int read_invocation(sd_bus_message *m, UnitFacts *f) {
        const void *id;
        size_t n;
        int r = sd_bus_message_enter_container(m, 'v', "ay");

        if (r < 0)
                return r;
        r = sd_bus_message_read_array(m, 'y', &id, &n);
        if (r < 0)
                return r;
        if (n == sizeof f->invocation)
                memcpy(f->invocation, id, n);
        return sd_bus_message_exit_container(m);
}

static int read_property(sd_bus_message *m, const char *name, UnitFacts *f) {
        if (strcmp(name, "Job") == 0)
                return read_job(m, f);
        if (strcmp(name, "InvocationID") == 0)
                return read_invocation(m, f);
        for (size_t i = 0; i < ELEMENTSOF(properties); i++) {
                const char type[] = { properties[i].type, '\0' };

                if (strcmp(properties[i].name, name) != 0)
                        continue;
                if (properties[i].set)
                        return read_word(m, f, properties[i].set);
                return sd_bus_message_read(m, "v", type, (char *) f + properties[i].offset);
        }
        return sd_bus_message_skip(m, "v");
}

static int read_properties(sd_bus_message *m, UnitFacts *f) {
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *name;

                r = sd_bus_message_read(m, "s", &name);
                if (r >= 0)
                        r = read_property(m, name, f);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int systemd_facts_read(sd_bus_message *m, UnitFacts *f) {
        UnitFacts all = *f;
        int r;

        all.status_text = (RareText){ 0 };
        rare_text_set(&all.status_text, rare_text_get(&f->status_text));
        r = read_properties(m, &all);
        if (r >= 0 && rare_text_is_lost(&all.status_text))
                r = -ENOMEM;
        if (r < 0) {
                rare_text_done(&all.status_text);
                return r;
        }
        rare_text_done(&f->status_text);
        *f = all;
        /* Kept so that the tail of a stop (down, its job not yet removed) is not taken for a start. */
        if (f->active == UNIT_DEACTIVATING && f->job_id != 0)
                f->stopping_job_id = f->job_id;
        return 0;
}
