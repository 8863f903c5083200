/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What hero_proc_hands does for the server: the two things that take a capability over what is others'. Each is done to
 * a descriptor that the server has opened, so no path and no number of a process is believed, and a folder that is
 * read-only to the server stays as it is. */

#include <stdint.h>

typedef enum HandsVerb {
        HANDS_GIVE_FOLDER = 1, /* the folder that comes along, to the user `first` and group `second` */
        HANDS_SIGNAL,          /* the signal `first` to the process of the pidfd that comes along */
} HandsVerb;

typedef struct HandsQuestion {
        uint32_t verb, first, second;
} HandsQuestion;

/* 0 or negative errno. -ENOTDIR, -EINVAL: that is not to be given away, or to nobody; -EPERM: a signal that is none of
 * SIGTERM and SIGKILL. */
int hands_do(const HandsQuestion *q, int fd);

/* Takes a question from a connection of errand_serve()'s and answers it. */
void hands_serve(int asker);
