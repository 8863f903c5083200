/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/server_paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

static const char *environment(const char *name) {
        const char *value = getenv(name);

        return value && *value ? value : NULL;
}

/* `first` itself, or `base` with `end` behind it. */
static char *path_of(const char *first, const char *base, const char *end) {
        char *path;

        return asprintf(&path, "%s%s", first ? first : base, first ? "" : end) < 0 ? NULL : path;
}

static int fill(ServerPaths *p, const char *sockets, const char *runtime, const char *state) {
        p->socket_dir = path_of(sockets, runtime, "/hero");
        p->exec_dir = path_of(NULL, runtime, "/hero_proc/exec");
        p->alert_dir = path_of(NULL, runtime, "/hero_proc/alert");
        p->store_path = path_of(NULL, state, "/hero_proc.db");
        return p->socket_dir && p->exec_dir && p->alert_dir && p->store_path ? 0 : -ENOMEM;
}

static int find_of_user(ServerPaths *p, const char *socket_dir, const char *state_dir) {
        const char *runtime = environment("XDG_RUNTIME_DIR"), *state = environment("XDG_STATE_HOME"),
                   *home = environment("HOME");
        _cleanup_free_ char *folder = NULL;

        if (!runtime || (!state && !home && !state_dir)) {
                log_error("--user needs $XDG_RUNTIME_DIR, and $XDG_STATE_HOME or $HOME");
                return -EINVAL;
        }
        if (state_dir)
                folder = path_of(state_dir, NULL, NULL);
        else
                folder = path_of(NULL, state ? state : home, state ? "/hero_proc" : "/.local/state/hero_proc");
        return folder ? fill(p, socket_dir, runtime, folder) : -ENOMEM;
}

int server_paths_find(ServerPaths *ret, bool is_user, const char *socket_dir, const char *state_dir) {
        if (!socket_dir)
                socket_dir = environment("HERO_SOCKET_DIR");
        ret->dialer = environment("HERO_PROC_DIALER");
        ret->hands = environment("HERO_PROC_HANDS");
        if (is_user)
                return find_of_user(ret, socket_dir, state_dir);
        return fill(ret, socket_dir, "/run", state_dir ? state_dir : "/var/lib/hero_proc");
}

void server_paths_done(ServerPaths *p) {
        free(p->socket_dir);
        free(p->exec_dir);
        free(p->alert_dir);
        free(p->store_path);
}
