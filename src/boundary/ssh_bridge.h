/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The bus of another machine over ssh(1), for a caller that asks many at a time: nobody is asked for a password, and
 * what ssh says stays off the terminal. sd-bus has a way of its own for one machine, which does neither. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct SshBridge {
        pid_t pid;       /* 0: not started */
        int pidfd;       /* readable once it has ended */
        int words_fd;    /* what it says on standard error; does not block */
        char words[512]; /* the end of that */
        size_t n_words;
} SshBridge;

/* `host` is of core/host_address.h's form. *ret_fd speaks D-Bus once ssh is through, and is the caller's. Negative
 * errno. */
int ssh_bridge_start(const char *host, uint64_t timeout_usec, SshBridge *ret, int *ret_fd);
/* Takes what it has said since; to be called when words_fd is readable. False: it will say no more. */
bool ssh_bridge_listen(SshBridge *b);
/* The last line of what it said, as text that is safe to print; "" where it said nothing. */
void ssh_bridge_last_words(const SshBridge *b, char *ret, size_t size);
/* Ends it at once, with whatever it has started. May be called twice. */
void ssh_bridge_stop(SshBridge *b);
