/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Processes of a test's own, which go with it. */

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "boundary/errand.h"
#include "unit_sockets.h"

static _unused_ void forked_process_end(pid_t *pid) {
        if (*pid <= 0)
                return;
        (void) kill(*pid, SIGKILL);
        (void) waitpid(*pid, NULL, 0);
}

#define _cleanup_process_ _unused_ _cleanup_(forked_process_end)

/* As fork(); the child ends when the test does, and what the test has said so far is said once. */
static _unused_ pid_t forked_process_new(void) {
        pid_t pid;

        (void) fflush(stdout);
        pid = fork();
        if (pid == 0)
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        return pid;
}

/* One that runs errands at `path`, as hero_proc_dialer and hero_proc_hands do. */
static _unused_ pid_t forked_process_serve(const char *path, void (*run)(int connection)) {
        _cleanup_close_ int listener = bind_at(path, SOCK_SEQPACKET);
        pid_t pid;

        if (listener < 0 || listen(listener, 8) < 0)
                return -1;
        pid = forked_process_new();
        if (pid == 0)
                _exit(errand_serve(listener, run) < 0);
        return pid;
}
