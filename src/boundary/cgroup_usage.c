/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/cgroup_usage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "core/unit_names.h"

static bool is_cgroup2(const char *path) {
        struct statfs fs;

        return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

bool cgroup_usage_find_root(bool is_user, char *ret, size_t size) {
        const char *mount = "/sys/fs/cgroup";
        unsigned uid = (unsigned) getuid();
        int n;

        if (!is_cgroup2(mount))
                mount = "/sys/fs/cgroup/unified"; /* beside the controllers of version 1 */
        if (!is_cgroup2(mount))
                return false;
        n = is_user ? snprintf(ret, size, "%s/user.slice/user-%u.slice/user@%u.service", mount, uid, uid)
                    : snprintf(ret, size, "%s", mount);
        return n >= 0 && (size_t) n < size;
}

/* The file's beginning, as a text. */
static bool read_file(const char *folder, const char *name, char *ret, size_t size) {
        char path[PATH_MAX];
        _cleanup_close_ int fd = -1;
        ssize_t n;

        if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int) sizeof path)
                return false;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        n = read(fd, ret, size - 1);
        if (n <= 0)
                return false;
        ret[n] = '\0';
        return true;
}

/* UINT64_MAX: it does not begin with a number. */
static uint64_t parse_number(const char *text) {
        if (*text < '0' || *text > '9')
                return UINT64_MAX;
        return strtoull(text, NULL, 10);
}

static bool name_folder(const char *root, const char *service, char *ret, size_t size) {
        char slice[UNIT_NAME_MAX];

        if (!service_name_is_valid(service))
                return false;
        unit_name_of_slice(service, slice);
        return snprintf(ret, size, "%s/hero.slice/%s", root, slice) < (int) size;
}

void cgroup_usage_read(const char *root, const char *service, CgroupUsage *ret) {
        static const char usage[] = "usage_usec ";
        char folder[PATH_MAX], text[512];

        *ret = (CgroupUsage){ UINT64_MAX, UINT64_MAX };
        if (!name_folder(root, service, folder, sizeof folder))
                return;
        if (read_file(folder, "memory.current", text, sizeof text))
                ret->memory_bytes = parse_number(text);
        if (read_file(folder, "cpu.stat", text, sizeof text) && strncmp(text, usage, strlen(usage)) == 0)
                ret->cpu_usec = parse_number(text + strlen(usage));
}

bool cgroup_usage_may_have_slice(bool is_user, const char *service) {
        char root[PATH_MAX], folder[PATH_MAX];

        if (!cgroup_usage_find_root(is_user, root, sizeof root) || access(root, X_OK) < 0 ||
            !name_folder(root, service, folder, sizeof folder))
                return true;
        return access(folder, F_OK) == 0 || errno != ENOENT;
}
