/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* hero_proc_dialer: makes the connections of probes to TCP ports, for the server, which has no network. All that it can
 * be asked for is a port on loopback. It parses nothing: the server alone talks to who is at the other end. */

#include "boundary/errand_program.h"
#include "boundary/port_connection.h"

int main(int argc, char **argv) {
        static const ErrandProgram program = {
                .name = "hero_proc_dialer",
                .purpose = "Connects to ports of this machine for hero_proc_server, which has no network.",
                .socket_unit = "hero_proc-dialer.socket",
                .run = port_connection_serve,
        };
        return errand_program_main(&program, argc, argv);
}
