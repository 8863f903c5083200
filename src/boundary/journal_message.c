/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/journal_message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "base/cleanup.h"

enum {
        FIELDS_MAX = 16,
};

int journal_message_send(const char *const *fields, size_t n) {
        static const struct sockaddr_un journal = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket" };
        _cleanup_close_ int fd = -1;
        struct iovec parts[2 * FIELDS_MAX];
        const struct msghdr message = {
                .msg_name = (void *) &journal, .msg_namelen = sizeof journal, .msg_iov = parts, .msg_iovlen = 2 * n
        };

        if (n > FIELDS_MAX)
                return -E2BIG;
        for (size_t i = 0; i < n; i++) {
                parts[2 * i] = (struct iovec){ (char *) fields[i], strcspn(fields[i], "\n") };
                parts[2 * i + 1] = (struct iovec){ (char *) "\n", 1 };
        }
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}
