/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/socket_stale.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "boundary/socket_path.h"
#include "boundary/unix_connect.h"

/* `name` in `folder` is removed only while it still is the very file that was asked about. */
static int unlink_same(int folder, const char *name, const struct stat *asked) {
        struct stat st;

        if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (st.st_ino != asked->st_ino || st.st_dev != asked->st_dev)
                return 0;
        if (unlinkat(folder, name, 0) < 0)
                return errno == ENOENT ? 0 : -errno;
        return 1;
}

int socket_remove_stale(const char *path) {
        _cleanup_close_ int folder = -1, file = -1;
        const char *name;
        struct stat st;
        int r;

        folder = socket_path_open_folder(-1, path, &name);
        if (folder < 0)
                return folder == -ENOENT ? 0 : folder;

        /* From here on everything is asked of this one inode, whatever happens to the name. */
        file = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (file < 0)
                return errno == ENOENT ? 0 : -errno;
        if (fstat(file, &st) < 0)
                return -errno;
        if (!S_ISSOCK(st.st_mode))
                return 0;

        r = unix_is_bound(file);
        if (r != 0)
                return r < 0 ? r : 0;
        return unlink_same(folder, name, &st);
}
