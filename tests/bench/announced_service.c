/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A service that says when it is there, one byte into a pipe, and does nothing else: what the benchmark starts a
 * thousand times. It takes no arguments, so that every supervisor can start it without a shell. */
#include <fcntl.h>
#include <unistd.h>

#define STARTED "/run/bench/started"

int main(void) {
        int fd = open(STARTED,
                      O_WRONLY | O_NONBLOCK | O_CLOEXEC); /* with nobody at the other end it fails: never mind */

        if (fd >= 0) {
                (void) !write(fd, "", 1);
                (void) close(fd);
        }
        for (;;)
                (void) pause();
}
