/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sees that a service is ready, in a way that systemd cannot see itself, and tells it. Made in the process that will
 * become the service; run in another one, because the main process must stay the one that systemd forked. */

#include <stdbool.h>
#include <stddef.h>

#include "boundary/notify_socket.h"

typedef enum RelayKind {
        RELAY_EXEC, /* ready once the program has been executed */
        RELAY_FD3,  /* ready at an empty line, or a line READY=1, on a pipe */
        RELAY_FILE, /* ready once a regular file is there */
} RelayKind;

typedef struct ReadinessRelay {
        RelayKind kind;
        const char *ready_file;     /* RELAY_FILE; borrowed */
        const NotifySocket *notify; /* borrowed */
        int file_error;             /* errno: why the file could not be looked for when that was last said */
        int watch_error;            /* negative errno: why watch_fd could not be read to its end */
        int watch_fd;               /* the pipe or the inotify; -1: it has nothing more to say */
        int main_fd;                /* pidfd of the process that made this; -1: it has exited */
        int barrier_fd;             /* hangs up when systemd has handled READY=1; -1: not sent, or handled */
        char line[8];               /* what has come of a line: room for READY=1 and one byte that says "longer" */
        size_t line_length;
        bool is_ready;
} ReadinessRelay;

#define READINESS_RELAY_NULL \
        { .watch_fd = -1, .main_fd = -1, .barrier_fd = -1 }

/* Made by the process whose readiness it is. *ret_fd is what that process keeps:
 *     RELAY_EXEC  a close-on-exec pipe: write a byte when the exec failed, else it closes by itself
 *     RELAY_FD3   the pipe to give the service as its file descriptor 3 (close-on-exec until then)
 *     RELAY_FILE  -1
 * A file that lies there already counts as ready: remove a stale one first. */
int readiness_relay_init(ReadinessRelay *relay, RelayKind kind, const char *ready_file, const NotifySocket *notify,
                         int *ret_fd);
void readiness_relay_done(ReadinessRelay *relay);

/* In the other process: says READY=1 once, at most, then waits until systemd has heard it and, where there is a pipe,
 * drains it so that the service never gets EPIPE or blocks. Returns when nothing is left to do: the barrier answered
 * and the pipe closed, or the service dead. Negative errno: systemd could not be told,
 * or the pipe not be read. */
int readiness_relay_run(ReadinessRelay *relay);
