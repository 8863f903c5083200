/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/hands_work.h"

#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "boundary/errand.h"

/* (uid_t) -1 would leave the folder to whoever has it, and be said to have been given; of a group it is meant so. */
static int give_folder(int fd, uid_t uid, gid_t gid) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISDIR(st.st_mode))
                return -ENOTDIR;
        if (uid == (uid_t) -1)
                return -EINVAL;
        return fchown(fd, uid, gid) < 0 ? -errno : 0;
}

static int signal_process(int pidfd, uint32_t number) {
        if (number != SIGTERM && number != SIGKILL)
                return -EPERM;
        return pidfd_send_signal(pidfd, (int) number, NULL, 0) < 0 ? -errno : 0;
}

int hands_do(const HandsQuestion *q, int fd) {
        if (fd < 0)
                return -EBADF;
        switch (q->verb) {
        case HANDS_GIVE_FOLDER:
                return give_folder(fd, q->first, q->second);
        case HANDS_SIGNAL:
                return signal_process(fd, q->first);
        default:
                return -EOPNOTSUPP;
        }
}

void hands_serve(int asker) {
        _cleanup_close_ int fd = -1;
        HandsQuestion q;

        if (errand_read_question(asker, &q, sizeof(q), &fd) == 0)
                errand_answer(asker, -hands_do(&q, fd), -1);
}
