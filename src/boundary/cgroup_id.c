/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/cgroup_id.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "boundary/process_unit.h"

enum {
        HANDLE_TYPE_KERNFS = 0xfe, /* FILEID_KERNFS: the handle is the 64 bits of the id */
};

/* The second one: on machines that still have v1 beside it. */
int cgroup_root_open(void) {
        static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                _cleanup_close_ int fd = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                struct statfs fs;

                if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
                        return TAKE_FD(fd);
        }
        return -EOPNOTSUPP;
}

static int open_by_id(uint64_t id) {
        union {
                struct file_handle handle;
                uint8_t space[sizeof(struct file_handle) + sizeof(id)];
        } asked = { .handle = { .handle_bytes = sizeof(id), .handle_type = HANDLE_TYPE_KERNFS } };
        _cleanup_close_ int root = cgroup_root_open();
        int fd;

        if (root < 0)
                return root;
        memcpy(asked.handle.f_handle, &id, sizeof(id));
        fd = open_by_handle_at(root, &asked.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int cgroup_id_find_unit(uint64_t id, bool is_user, char **ret_unit, int *ret_fd) {
        _cleanup_close_ int fd = open_by_id(id);
        char link[sizeof("/proc/self/fd/-2147483648")], path[PATH_MAX];
        ssize_t n;
        int r;

        if (fd < 0)
                return fd;
        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return -errno;
        path[n] = '\0';
        r = process_unit_of_cgroup(path, is_user, ret_unit);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}
