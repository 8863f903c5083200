/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/unit_names.h"

#include <stdio.h>
#include <string.h>

#define UNIT_PREFIX "hero-"
#define ESCAPED_DASH "\\x2d"

void unit_name_of_slice(const char *service, char ret[UNIT_NAME_MAX]) {
        char escaped[DEFINITION_NAME_MAX * (sizeof ESCAPED_DASH - 1) + 1], *p = escaped;

        for (const char *c = service; *c && (size_t) (c - service) < DEFINITION_NAME_MAX; c++)
                if (*c == '-')
                        p = stpcpy(p, ESCAPED_DASH);
                else
                        *p++ = *c;
        *p = '\0';
        (void) snprintf(ret, UNIT_NAME_MAX, UNIT_PREFIX "%s.slice", escaped);
}

void unit_name_of_action(const ServiceDefinition *d, size_t action, char ret[UNIT_NAME_MAX]) {
        const char *name = d->actions[action].name;

        if (d->n_actions == 1 && strcmp(name, "main") == 0)
                (void) snprintf(ret, UNIT_NAME_MAX, UNIT_PREFIX "%s.service", d->name);
        else
                (void) snprintf(ret, UNIT_NAME_MAX, UNIT_PREFIX "%s@%s.service", d->name, name);
}

/* Copies n bytes with "\x2d" turned back; false when it does not fit, or holds a plain '-': a slice that nests is none
 * of ours. */
static bool copy_unescaped(const char *from, size_t n, char to[DEFINITION_NAME_MAX + 1]) {
        size_t length = 0;

        for (size_t i = 0; i < n; i++) {
                char c = from[i];

                if (n - i >= strlen(ESCAPED_DASH) && strncmp(from + i, ESCAPED_DASH, strlen(ESCAPED_DASH)) == 0) {
                        c = '-';
                        i += strlen(ESCAPED_DASH) - 1;
                }
                if (from[i] == '-' || length >= DEFINITION_NAME_MAX)
                        return false;
                to[length++] = c;
        }
        to[length] = '\0';
        return true;
}

static bool copy_name(const char *from, size_t n, char to[DEFINITION_NAME_MAX + 1]) {
        if (n > DEFINITION_NAME_MAX)
                return false;
        memcpy(to, from, n);
        to[n] = '\0';
        return true;
}

bool unit_name_parse(const char *unit, char ret_service[DEFINITION_NAME_MAX + 1],
                     char ret_action[DEFINITION_NAME_MAX + 1]) {
        const char *name, *dot, *at;

        if (strncmp(unit, UNIT_PREFIX, strlen(UNIT_PREFIX)) != 0)
                return false;
        name = unit + strlen(UNIT_PREFIX);
        dot = strrchr(name, '.');
        if (!dot || dot == name)
                return false;

        if (strcmp(dot, ".slice") == 0) {
                ret_action[0] = '\0';
                return copy_unescaped(name, (size_t) (dot - name), ret_service) && service_name_is_valid(ret_service);
        }
        if (strcmp(dot, ".service") != 0)
                return false;

        at = memchr(name, '@', (size_t) (dot - name));
        if (!copy_name(name, (size_t) ((at ? at : dot) - name), ret_service) || !service_name_is_valid(ret_service))
                return false;
        if (!at)
                return copy_name("main", strlen("main"), ret_action);
        return copy_name(at + 1, (size_t) (dot - at - 1), ret_action) && action_name_is_valid(ret_action);
}
