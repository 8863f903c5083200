/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* hero_proc_hands: gives the folders of services to their users, and ends processes where a definition says
 * kill_others, for the server, which has no capability for either. What it is to be done to comes as a descriptor that
 * the server has opened. */

#include "boundary/errand_program.h"
#include "boundary/hands_work.h"

int main(int argc, char **argv) {
        static const ErrandProgram program = {
                .name = "hero_proc_hands",
                .purpose = "Owns folders and ends processes for hero_proc_server, which may not.",
                .socket_unit = "hero_proc-hands.socket",
                .run = hands_serve,
        };
        return errand_program_main(&program, argc, argv);
}
