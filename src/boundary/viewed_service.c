/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/viewed_service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

ViewedService *viewed_service_new(const char *name) {
        ViewedService *s = calloc(1, sizeof *s);

        if (!s)
                return NULL;
        *s = (ViewedService){ .name = strdup(name), .state = SERVICE_UNKNOWN };
        return s->name ? s : viewed_service_free(s);
}

static void free_reasons(ViewedReason *reasons, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(reasons[i].code);
                free(reasons[i].subject);
                free(reasons[i].text);
        }
        free(reasons);
}

ViewedService *viewed_service_free(ViewedService *s) {
        if (!s)
                return NULL;
        free_reasons(s->reasons, s->n_reasons);
        free(s->name);
        free(s);
        return NULL;
}

const char *viewed_service_reason(const ViewedService *s) {
        if (s->n_reasons == 0)
                return "";
        return *s->reasons[0].text ? s->reasons[0].text : s->reasons[0].code;
}

static void forget_reasons(ViewedService *s) {
        free_reasons(s->reasons, s->n_reasons);
        s->reasons = NULL;
        s->n_reasons = 0;
}

static int append_reason(ViewedReason **reasons, size_t *n, const char *code, const char *subject, const char *text) {
        ViewedReason *grown = reallocarray(*reasons, *n + 1, sizeof *grown);

        if (!grown)
                return -ENOMEM;
        *reasons = grown;
        grown[*n] = (ViewedReason){ strdup(code), strdup(subject), strdup(text) };
        (*n)++;
        return grown[*n - 1].code && grown[*n - 1].subject && grown[*n - 1].text ? 0 : -ENOMEM;
}

static bool same_reasons(const ViewedService *s, const ViewedReason *reasons, size_t n) {
        if (s->n_reasons != n)
                return false;
        for (size_t i = 0; i < n; i++)
                if (strcmp(s->reasons[i].code, reasons[i].code) != 0 ||
                    strcmp(s->reasons[i].subject, reasons[i].subject) != 0 ||
                    strcmp(s->reasons[i].text, reasons[i].text) != 0)
                        return false;
        return true;
}

/* `before` keeps its own. */
static int read_reasons(sd_bus_message *message, const ViewedService *before, ViewedService *s, bool *changed) {
        const char *code, *subject, *text;
        ViewedReason *reasons = NULL;
        size_t n = 0;
        int r = sd_bus_message_enter_container(message, 'v', "a(sss)");

        if (r >= 0)
                r = sd_bus_message_enter_container(message, 'a', "(sss)");
        while (r >= 0) {
                r = sd_bus_message_read(message, "(sss)", &code, &subject, &text);
                if (r == 0)
                        break;
                if (r > 0)
                        r = append_reason(&reasons, &n, code, subject, text);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        if (r < 0 || same_reasons(s, reasons, n)) {
                free_reasons(reasons, n);
                return r;
        }
        if (s->reasons != before->reasons)
                forget_reasons(s);
        s->reasons = reasons;
        s->n_reasons = n;
        *changed = true;
        return 0;
}

static int read_property(sd_bus_message *message, const char *key, const ViewedService *before, ViewedService *s,
                         bool *changed) {
        const char *word;
        uint64_t since_usec;
        int r;

        if (strcmp(key, "Reasons") == 0)
                return read_reasons(message, before, s, changed);
        if (strcmp(key, "StateSinceUSec") == 0) {
                r = sd_bus_message_read(message, "v", "t", &since_usec);
                *changed = *changed || (r >= 0 && since_usec != s->since_usec);
                s->since_usec = r >= 0 ? since_usec : s->since_usec;
                return r;
        }
        if (strcmp(key, "State") == 0) {
                ServiceState state;

                r = sd_bus_message_read(message, "v", "s", &word);
                state = r >= 0 ? service_state_from_string(word) : s->state;
                /* A newer server's word. */
                if ((int) state < 0)
                        state = SERVICE_UNKNOWN;
                *changed = *changed || state != s->state;
                s->state = state;
                return r;
        }
        if (strcmp(key, "Wanted") == 0) {
                r = sd_bus_message_read(message, "v", "s", &word);
                *changed = *changed || (r >= 0 && s->wanted_up != (strcmp(word, "up") == 0));
                s->wanted_up = r >= 0 ? strcmp(word, "up") == 0 : s->wanted_up;
                return r;
        }
        return sd_bus_message_skip(message, "v");
}

static int read_properties(sd_bus_message *message, const ViewedService *before, ViewedService *s, bool *changed) {
        const char *key;
        int r = sd_bus_message_enter_container(message, 'a', "{sv}");

        while (r >= 0) {
                r = sd_bus_message_enter_container(message, 'e', "sv");
                if (r == 0)
                        return sd_bus_message_exit_container(message);
                if (r > 0)
                        r = sd_bus_message_read(message, "s", &key);
                if (r > 0)
                        r = read_property(message, key, before, s, changed);
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
        }
        return r;
}

/* All of it or nothing: a half would be told of as a change that there was not. */
int viewed_service_read(sd_bus_message *message, ViewedService *s, bool *changed) {
        ViewedService next = *s;
        int r = read_properties(message, s, &next, changed);
        ViewedService *other = r < 0 ? &next : s;

        if (next.reasons != s->reasons)
                free_reasons(other->reasons, other->n_reasons);
        if (r >= 0)
                *s = next;
        return r;
}

void viewed_service_forget(ViewedService *s) {
        s->state = SERVICE_UNKNOWN;
        s->since_usec = 0;
        forget_reasons(s);
}
