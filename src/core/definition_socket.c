/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/outcome.h"
#include "core/definition_reader.h"
#include "core/definition_value.h"

enum {
        SOCKET_PATH_MAX = sizeof((struct sockaddr_un *) NULL)->sun_path - 1, /* 107, the kernel's limit */
};

static SocketDefinition *find(const ServiceDefinition *d, const char *path) {
        for (size_t i = 0; i < d->n_sockets; i++)
                if (strcmp(d->sockets[i].path, path) == 0)
                        return &d->sockets[i];
        return NULL;
}

/* ".ready" and ".ready.ACTION" in the same folder are the ready files. */
static bool is_ready_file(const char *s) {
        return strncmp(s, ".ready", 6) == 0 && (s[6] == '\0' || s[6] == '.');
}

/* A relative path may lead into subfolders, but never out: neither ".." nor a spelling that hides one is taken. */
static int resolve(DefinitionReader *r, const JsonValue *v, char **ret) {
        _cleanup_free_ char *path = NULL;
        const char *s = v->string;

        if (s[0] == '/' ? !definition_path_is_absolute(s) || s[1] == '\0' : !definition_path_is_relative(s))
                return definition_refuse(r, v,
                                         "expected a socket's path without \".\", \"..\", \"//\" or '/' at its end");
        if (s[0] != '/' && is_ready_file(s))
                return definition_refuse(r, v, "expected another name; this one is for the ready file");
        if ((s[0] == '/' ? asprintf(&path, "%s", s) : asprintf(&path, "%s/%s", r->service->directory, s)) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (strlen(path) > SOCKET_PATH_MAX)
                return definition_refuse(r, v, "expected at most %d bytes, and \"%s\" has %zu", SOCKET_PATH_MAX, path,
                                         strlen(path));
        *ret = TAKE_PTR(path);
        return 0;
}

static int append(DefinitionReader *r, const JsonValue *v, char **path, int action) {
        ServiceDefinition *d = r->service;
        SocketDefinition *grown;
        char *name = NULL;
        int ret;

        if (d->n_sockets >= DEFINITION_SOCKETS_MAX)
                return definition_refuse(r, v, "expected at most %d sockets in a service", DEFINITION_SOCKETS_MAX);
        grown = reallocarray(d->sockets, d->n_sockets + 1, sizeof d->sockets[0]);
        if (!grown)
                return -ENOMEM;
        d->sockets = grown;
        ret = definition_copy(v->string, &name);
        if (ret < 0)
                return ret;
        d->sockets[d->n_sockets++] = (SocketDefinition){ .name = name, .path = TAKE_PTR(*path), .action = action };
        return 0;
}

static int declare(DefinitionReader *r, const JsonValue *v, int action) {
        _cleanup_free_ char *path = NULL;
        SocketDefinition *known;
        int ret;

        ret = resolve(r, v, &path);
        if (ret != 0)
                return ret;
        known = find(r->service, path);
        if (!known)
                return append(r, v, &path, action);
        if (known->action == action)
                return definition_refuse(r, v, "expected each socket once");
        if (known->action >= 0)
                return definition_refuse(r, v, "already declared by action \"%s\"",
                                         r->service->actions[known->action].name);
        known->action = action;
        return 0;
}

int definition_read_sockets(DefinitionReader *r, const JsonValue *object, int action) {
        const JsonValue *array = json_member(object, "sockets");
        size_t mark, i = 0;

        if (!array)
                return 0;
        mark = definition_enter(r, "sockets");
        for (const JsonValue *v = array->first; v; v = v->next, i++) {
                size_t element = definition_enter_index(r, i);
                int ret = declare(r, v, action);

                if (ret != 0)
                        return ret;
                definition_leave(r, element);
        }
        definition_leave(r, mark);
        return 0;
}

static int refuse_undeclared(DefinitionReader *r, const JsonValue *v) {
        const ServiceDefinition *d = r->service;
        char names[200] = "";
        size_t n = 0;

        for (size_t i = 0; i < d->n_sockets && n < sizeof names; i++)
                n += (size_t) snprintf(names + n, sizeof names - n, "%s%s", i > 0 ? ", " : "", d->sockets[i].name);
        if (d->n_sockets == 0)
                return definition_refuse(r, v, "expected an absolute path, since the service declares no sockets");
        return definition_refuse(r, v, "expected a declared socket (%s%s) or an absolute path", names,
                                 n < sizeof names ? "" : "…");
}

int definition_find_socket(DefinitionReader *r, const JsonValue *v, char **ret) {
        _cleanup_free_ char *path = NULL;
        int err;

        err = resolve(r, v, &path);
        if (err != 0)
                return err;
        if (v->string[0] != '/' && !find(r->service, path))
                return refuse_undeclared(r, v);
        *ret = TAKE_PTR(path);
        return 0;
}
