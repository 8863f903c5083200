/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/journal_match.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

#include "base/cleanup.h"

static _Thread_local sigjmp_buf *way_back; /* out of sd_journal_add_match(), for a thread that is in there */

/* C has it that a process goes on whose handler of SIGABRT does not return, and abort() may be left like that at any
 * time. What aborts where no call has failed (libc, of a damaged heap), or is aborted by others, ends by that. */
static void on_abort(int signal_number, siginfo_t *info, void *context _unused_) {
        if (way_back && errno != 0 && info->si_code == SI_TKILL)
                siglongjmp(*way_back, 1);
        (void) signal(signal_number, SIG_DFL);
        (void) raise(signal_number); /* it comes when this returns */
}

/* What libsystemd has built by then is whole, and belongs to the journal: an OR term, at most, that lacks its match. */
static int add(sd_journal *j, const char *match) {
        sigjmp_buf here;
        int r;

        if (sigsetjmp(here, 1) != 0) {
                way_back = NULL;
                return -ENOMEM;
        }
        way_back = &here;
        errno = 0; /* ENOMEM later, or what the log of the assertion makes of it */
        r = sd_journal_add_match(j, match, 0);
        way_back = NULL;
        return r;
}

int journal_match_add(sd_journal *j, const char *field, const char *value) {
        static const struct sigaction action = { .sa_sigaction = on_abort, .sa_flags = SA_SIGINFO };
        _cleanup_free_ char *match = NULL;

        if (asprintf(&match, "%s=%s", field, value) < 0)
                return -ENOMEM;
        return sigaction(SIGABRT, &action, NULL) < 0 ? -errno : add(j, match);
}
