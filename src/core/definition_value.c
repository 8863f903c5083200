/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/definition_value.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

static const char letters_and_underscore[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

bool definition_has_control(const char *s, const char *allowed) {
        for (; *s; s++)
                if (((unsigned char) *s < ' ' || *s == 0x7f) && !strchr(allowed, *s))
                        return true;
        return false;
}

static bool component_is_plain(const char *s, size_t n) {
        return n > 0 && n <= NAME_MAX && !(n == 1 && s[0] == '.') && !(n == 2 && s[0] == '.' && s[1] == '.');
}

bool definition_path_is_relative(const char *s) {
        if (strlen(s) >= PATH_MAX || definition_has_control(s, ""))
                return false;
        for (;;) {
                size_t n = strcspn(s, "/");

                if (!component_is_plain(s, n))
                        return false;
                if (s[n] == '\0')
                        return true;
                s += n + 1;
        }
}

bool definition_path_is_absolute(const char *s) {
        return s[0] == '/' && (s[1] == '\0' || (strlen(s) < PATH_MAX && definition_path_is_relative(s + 1)));
}

/* Decimal digits only: strtoull() would take signs, blanks and the locale's idea of digits. */
static bool read_digits(const char **s, uint64_t *ret) {
        uint64_t v = 0;
        const char *p = *s;

        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t) (*p - '0'), &v))
                        return false;
        if (p == *s)
                return false;
        *s = p;
        *ret = v;
        return true;
}

bool definition_user_is_valid(const char *s) {
        const char *end = s;
        uint64_t id;

        if (read_digits(&end, &id))
                /* 65535 and 4294967295 mean "unchanged" to old and new system calls. */
                return *end == '\0' && id < UINT32_MAX && id != UINT16_MAX;
        if (!*s || !strchr(letters_and_underscore, *s) || strlen(s) > 31)
                return false;
        for (; *s; s++)
                if (!strchr(letters_and_underscore, *s) && !strchr("0123456789.-", *s))
                        return false;
        return true;
}

bool definition_env_name_is_valid(const char *s) {
        if (!*s || !strchr(letters_and_underscore, *s))
                return false;
        for (; *s; s++)
                if (!strchr(letters_and_underscore, *s) && !strchr("0123456789", *s))
                        return false;
        return true;
}

bool definition_header_name_is_valid(const char *s) {
        static const char *const ours[] = {
                "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Expect", "TE", "Trailer", "Keep-Alive"
        };

        if (!*s || strlen(s) > 128)
                return false;
        for (const char *p = s; *p; p++)
                if (!strchr(letters_and_underscore, *p) && !strchr("!#$%&'*+-.^`|~0123456789", *p))
                        return false;
        for (size_t i = 0; i < ELEMENTSOF(ours); i++)
                if (strcasecmp(s, ours[i]) == 0)
                        return false;
        return true;
}

bool definition_size_from_string(const char *s, uint64_t *ret_bytes) {
        static const char units[] = "KMGT";
        const char *unit;
        uint64_t v;

        if (!read_digits(&s, &v))
                return false;
        if (*s) {
                unit = strchr(units, *s);
                if (!unit || s[1] != '\0' || __builtin_mul_overflow(v, UINT64_C(1) << (10 * (unit - units + 1)), &v))
                        return false;
        }
        if (v > INT64_MAX)
                return false;
        *ret_bytes = v;
        return true;
}

int definition_umask_from_string(const char *s) {
        size_t n = strlen(s);

        if (n < 3 || n > 4 || strspn(s, "01234567") != n || (n == 4 && s[0] != '0'))
                return -1;
        return (int) strtoul(s, NULL, 8);
}

/* "RTMIN+3" and "RTMAX-1". The C library keeps the first few real-time signals for itself; SIGRTMIN knows. */
static int real_time_signal(const char *s) {
        bool from_min = strncmp(s, "RTMIN", 5) == 0;
        uint64_t offset = 0, span = (uint64_t) (SIGRTMAX - SIGRTMIN);

        if (!from_min && strncmp(s, "RTMAX", 5) != 0)
                return 0;
        s += 5;
        if (*s) {
                if (*s++ != (from_min ? '+' : '-') || !read_digits(&s, &offset) || *s || offset > span)
                        return 0;
        }
        return from_min ? SIGRTMIN + (int) offset : SIGRTMAX - (int) offset;
}

int definition_signal_from_string(const char *s) {
        const char *end = s;
        uint64_t number;

        if (read_digits(&end, &number))
                return *end == '\0' && number > 0 && number < NSIG ? (int) number : 0;
        if (strncmp(s, "SIG", 3) == 0)
                s += 3;
        for (int i = 1; i < NSIG; i++) {
                const char *name = sigabbrev_np(i);

                if (name && strcmp(name, s) == 0)
                        return i;
        }
        return real_time_signal(s);
}

bool definition_next_status_range(const char **s, uint16_t *ret_first, uint16_t *ret_last) {
        const char *p = *s;
        uint64_t first, last;

        p += strspn(p, " ");
        if (!read_digits(&p, &first))
                return false;
        last = first;
        if (*p == '-') {
                p++;
                if (!read_digits(&p, &last))
                        return false;
        }
        p += strspn(p, " ");
        if (first < 100 || first > last || last > 599 || (*p != ',' && *p != '\0') || (*p == ',' && p[1] == '\0'))
                return false;
        *s = p + (*p == ',');
        *ret_first = (uint16_t) first;
        *ret_last = (uint16_t) last;
        return true;
}
