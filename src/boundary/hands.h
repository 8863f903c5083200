/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Has hero_proc_hands do what the unit leaves the server no right for (boundary/hands_work.h), or does it itself where
 * there is no such helper: a server of a user has only what is his. */

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"

typedef struct Hands {
        sd_event *event;
        const char *path; /* the socket of hero_proc_hands; NULL: there is none */
} Hands;

typedef struct HandsCall HandsCall;
/* `r`: 0 or negative errno; -ETIMEDOUT: there was no answer within two seconds. May free the call. */
typedef void (*hands_done_t)(void *userdata, int r);

/* 0: it is done; 1: it is under way, and `done` will be called, unless *ret is freed before; negative errno. The
 * descriptor is the caller's, who may close it at once. */
int hands_give_folder(const Hands *h, int folder, uid_t uid, gid_t gid, hands_done_t done, void *userdata,
                      HandsCall **ret);
int hands_signal(const Hands *h, int pidfd, int signal, hands_done_t done, void *userdata, HandsCall **ret);

HandsCall *hands_call_free(HandsCall *call);
DEFINE_CLEANUP(HandsCall *, hands_call_free)
