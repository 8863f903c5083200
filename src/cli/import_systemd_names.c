/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/import_systemd_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define SERVICE ".service"

/* Where ".service" begins; the end of a name without an ending. */
static const char *ending_of(const char *name) {
        const char *dot = strrchr(name, '.');

        return dot ? dot : name + strlen(name);
}

UnitNameKind unit_name_kind(const char *name) {
        const char *at = strchr(name, '@'), *ending = ending_of(name);

        if (!at || at > ending)
                return UNIT_NAME_PLAIN;
        return at + 1 == ending ? UNIT_NAME_TEMPLATE : UNIT_NAME_INSTANCE;
}

bool unit_name_is_service(const char *name) {
        const char *ending = ending_of(name);

        return ending > name && strcmp(ending, SERVICE) == 0;
}

static int copy(const char *name, char **ret) {
        *ret = strdup(name);
        return *ret ? 0 : -ENOMEM;
}

char *unit_name_complete(const char *name, bool is_file) {
        char *complete;

        if (is_file || unit_name_is_service(name))
                return strdup(name);
        return asprintf(&complete, "%s" SERVICE, name) < 0 ? NULL : complete;
}

int unit_name_template(const char *instance, char **ret) {
        int n = (int) (strchr(instance, '@') + 1 - instance);

        return asprintf(ret, "%.*s%s", n, instance, ending_of(instance)) < 0 ? -ENOMEM : 0;
}

/* The instance of a template that `like` is of another one. */
static int instance_of(const char *template, const char *like, char **ret) {
        int n = (int) (strchr(template, '@') - template);

        return asprintf(ret, "%.*s%s", n, template, strchr(like, '@')) < 0 ? -ENOMEM : 0;
}

/* How much of the first `n` bytes ends with a dash and is shorter. 0: nothing. */
static size_t up_to_dash(const char *name, size_t n) {
        while (n > 0 && name[n - 1] != '-')
                n--;
        return n > 1 ? n : 0; /* a dash at the beginning divides nothing */
}

int unit_name_shorten(const char *name, char **ret) {
        UnitNameKind kind = unit_name_kind(name);
        const char *ending = ending_of(name);
        const char *end = kind == UNIT_NAME_PLAIN ? ending : strchr(name, '@');
        size_t n = (size_t) (end - name), shorter = up_to_dash(name, n);

        *ret = NULL;
        if (shorter == n && n > 0)
                shorter = up_to_dash(name, n - 1);
        if (shorter == 0)
                return 0;
        return asprintf(ret, "%.*s%s", (int) shorter, name, kind == UNIT_NAME_INSTANCE ? end : ending) < 0 ? -ENOMEM
                                                                                                           : 0;
}

int unit_name_of_target(const char *name, const char *target, char **ret) {
        UnitNameKind kind = unit_name_kind(name), target_kind = unit_name_kind(target);

        if (strcmp(ending_of(name), ending_of(target)) != 0)
                return -ENOENT;
        if (kind == UNIT_NAME_INSTANCE && target_kind == UNIT_NAME_TEMPLATE)
                return instance_of(target, name, ret);
        return kind == target_kind ? copy(target, ret) : -ENOENT;
}

int unit_name_of_alias(const char *alias, const char *unit, char **ret) {
        if (unit_name_kind(alias) == UNIT_NAME_TEMPLATE && unit_name_kind(unit) == UNIT_NAME_INSTANCE)
                return instance_of(alias, unit, ret);
        return copy(alias, ret);
}

const char *unit_path_base(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

int unit_path_folder(const char *path, char **ret) {
        size_t n = (size_t) (unit_path_base(path) - path);

        if (n <= 1)
                return copy(n == 1 ? "/" : ".", ret);
        *ret = strndup(path, n - 1);
        return *ret ? 0 : -ENOMEM;
}
