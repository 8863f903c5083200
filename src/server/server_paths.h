/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where a server keeps what. */

#include <stdbool.h>

#include "base/cleanup.h"

typedef struct ServerPaths {
        char *socket_dir, *exec_dir, *alert_dir, *store_path;
        const char *dialer, *hands; /* sockets, of the environment; NULL: there are none */
} ServerPaths;

/* The folders of the machine's server, or of a user's by the XDG variables. socket_dir and state_dir stand for those of
 * the command line, NULL where none were given: $HERO_SOCKET_DIR comes next. To be given to server_paths_done()
 * whatever comes. -EINVAL and a line in the log where a variable that is needed is missing; -ENOMEM. */
int server_paths_find(ServerPaths *ret, bool is_user, const char *socket_dir, const char *state_dir);
void server_paths_done(ServerPaths *p);
