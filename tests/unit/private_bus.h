/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A dbus-daemon of the test's own, and stand-in servers on it: for what only a real bus does. */

#include <fcntl.h>

#include "proc1_stand_in.h"

typedef struct PrivateBus {
        pid_t daemon, server;
        char directory[32], config[64], address[128];
} PrivateBus;

static const char private_bus_config[] =
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" "
        "\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
        "<busconfig><type>session</type><listen>unix:path=%s/bus</listen><policy context=\"default\">"
        "<allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/>"
        "</policy></busconfig>\n";

static bool private_bus_write_config(PrivateBus *b) {
        FILE *f;

        (void) snprintf(b->directory, sizeof b->directory, "/tmp/private_bus.XXXXXX");
        if (!mkdtemp(b->directory))
                return false;
        (void) snprintf(b->config, sizeof b->config, "%s/config", b->directory);
        (void) snprintf(b->address, sizeof b->address, "unix:path=%s/bus", b->directory);
        f = fopen(b->config, "we");
        if (!f)
                return false;
        fprintf(f, private_bus_config, b->directory);
        return fclose(f) == 0;
}

/* Waits until the daemon has said its address: from then on it takes connections. False: there is no dbus-daemon here.
 */
static bool private_bus_start(PrivateBus *b) {
        int fds[2];
        char byte;
        bool ready;

        *b = (PrivateBus){ 0 };
        if (!private_bus_write_config(b) || pipe(fds) < 0)
                return false;
        fflush(NULL);
        b->daemon = fork();
        if (b->daemon == 0) {
                char config[96], print[32];

                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(fds[0]);
                (void) dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO); /* it grumbles about limits */
                (void) snprintf(config, sizeof config, "--config-file=%s", b->config);
                (void) snprintf(print, sizeof print, "--print-address=%d", fds[1]);
                execlp("dbus-daemon", "dbus-daemon", "--nofork", "--nopidfile", config, print, NULL);
                _exit(127);
        }
        close(fds[1]);
        ready = read(fds[0], &byte, 1) == 1;
        close(fds[0]);
        (void) setenv("DBUS_SYSTEM_BUS_ADDRESS", b->address, 1);
        return ready;
}

static bool private_bus_serve(const PrivateBus *b, bool reborn, int ready_fd) {
        sd_bus *bus = NULL;

        if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, b->address) < 0 || sd_bus_set_bus_client(bus, 1) < 0 ||
            sd_bus_start(bus) < 0)
                return false;
        /* What is asked before the object is there finds nothing; so the name comes after. */
        return stand_in_serve(bus, "org.hero.Proc1", reborn, ready_fd);
}

/* A server on the bus; when it ends, another one follows. Returns
 * once the first has its name. */
static _unused_ bool private_bus_start_server(PrivateBus *b) {
        int fds[2];
        char byte;
        bool ready;

        if (pipe(fds) < 0)
                return false;
        fflush(NULL);
        b->server = fork();
        if (b->server == 0) {
                pid_t first;

                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(fds[0]);
                first = fork();
                if (first == 0) {
                        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                        private_bus_serve(b, false, fds[1]);
                        _exit(0);
                }
                close(fds[1]);
                stand_in_reap(first);
                private_bus_serve(b, true, -1);
                _exit(0);
        }
        close(fds[1]);
        ready = read(fds[0], &byte, 1) == 1;
        close(fds[0]);
        return ready;
}

static void private_bus_done(PrivateBus *b) {
        char path[96];

        if (b->daemon > 0)
                (void) kill(b->daemon, SIGKILL);
        stand_in_reap(b->daemon);
        stand_in_reap(b->server); /* ends with the bus */
        (void) snprintf(path, sizeof path, "%s/bus", b->directory);
        (void) unlink(path);
        (void) unlink(b->config);
        (void) rmdir(b->directory);
}
