/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/host_address.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"
#define NAME_CHARACTERS DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_."

enum {
        PORT_LAST = 65535,
};

static int take(const char *from, size_t n, char *ret, size_t size) {
        if (n == 0 || n >= size)
                return -EINVAL;
        memcpy(ret, from, n);
        ret[n] = '\0';
        return 0;
}

/* "USER@", which may hold more than names do. Its length, 0 where there is none. */
static size_t user_length(const char *text) {
        const char *at = strrchr(text, '@');

        return at ? (size_t) (at + 1 - text) : 0;
}

/* A name, or a numeric address in brackets. Its length as it stands; `*ret_name` are the letters that count. */
static size_t host_length(const char *text, const char **ret_name, size_t *ret_n) {
        const char *end;

        *ret_name = text;
        *ret_n = strcspn(text, ":/");
        if (*text != '[')
                return *ret_n;
        end = strchr(text, ']');
        *ret_name = text + 1;
        *ret_n = end ? (size_t) (end - text - 1) : 0;
        return end ? *ret_n + 2 : 0;
}

/* [:PORT][/CONTAINER], and systemd's older :CONTAINER. */
static int parse_rest(const char *rest, HostAddress *a) {
        int r = 0;

        if (*rest == ':') {
                size_t n = strcspn(rest + 1, "/");
                bool is_port = strspn(rest + 1, DIGITS) == n;

                if (!is_port && rest[1 + n])
                        return -EINVAL;
                r = take(rest + 1, n, is_port ? a->port : a->container, is_port ? sizeof a->port : sizeof a->container);
                if (r < 0 || atoi(a->port) > PORT_LAST)
                        return -EINVAL;
                rest += 1 + n;
        }
        if (*rest == '/')
                r = take(rest + 1, strlen(rest + 1), a->container, sizeof a->container);
        else if (*rest)
                r = -EINVAL;
        return strspn(a->container, NAME_CHARACTERS) == strlen(a->container) ? r : -EINVAL;
}

int host_address_parse(const char *text, HostAddress *ret) {
        HostAddress a = { 0 };
        size_t user = user_length(text), n, taken;
        const char *host;
        int r;

        taken = host_length(text + user, &host, &n);
        if (user == 1 || n == 0 || user + n >= sizeof a.destination)
                return -EINVAL;
        memcpy(a.destination, text, user);
        memcpy(a.destination + user, host, n);
        r = parse_rest(text + user + taken, &a);
        if (r == 0)
                *ret = a;
        return r;
}
