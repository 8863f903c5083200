/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A program that does nothing but run errands, for who connects to the socket that systemd gives it as standard input.
 */

typedef struct ErrandProgram {
        const char *name;
        const char *purpose;         /* one line, for people */
        const char *socket_unit;     /* that starts it */
        void (*run)(int connection); /* see errand_serve() */
} ErrandProgram;

/* The whole of main(). Comes back with an exit code (base/outcome.h) once it cannot go on. */
int errand_program_main(const ErrandProgram *program, int argc, char **argv);
