/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/unit_cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "boundary/socket_holders.h"

enum {
        DESCRIPTORS_A_STEP = 500,
        DESCRIPTORS_OF_MEMBER_MAX = 4000,
        DEPTH_MAX = 8, /* of cgroups below the unit's */
};

#define TIME_MAX_USEC (10 * USEC_PER_MSEC)

typedef struct Search {
        uint32_t socket;
        uint64_t give_up_usec;
        pid_t found;
} Search;

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

/* The path in /proc/PID/cgroup up to the unit's own component. */
int unit_cgroup_open(pid_t member, const char *unit) {
        _cleanup_fclose_ FILE *f = NULL;
        _cleanup_free_ char *line = NULL;
        _cleanup_close_ int root = -1;
        char name[sizeof("/proc/-2147483648/cgroup")];
        size_t n = 0;

        (void) snprintf(name, sizeof(name), "/proc/%d/cgroup", (int) member);
        f = fopen(name, "re");
        if (!f)
                return errno == ENOENT ? -ESRCH : -errno;
        while (getline(&line, &n, f) > 0) {
                char *path = line + strlen("0::/"), *end;
                int fd;

                if (strncmp(line, "0::/", strlen("0::/")) != 0)
                        continue;
                line[strcspn(line, "\n")] = '\0';
                end = strstr(path, unit);
                if (!end || (end != path && end[-1] != '/') || (end[strlen(unit)] != '\0' && end[strlen(unit)] != '/'))
                        return -ESRCH;
                end[strlen(unit)] = '\0';
                root = cgroup_root_open();
                if (root < 0)
                        return root;
                fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                return fd < 0 ? -errno : fd;
        }
        return -ESRCH;
}

/* In the processes of this very cgroup. 1: found. */
static int search_processes(Search *s, int folder) {
        _cleanup_(holder_search_freep) HolderSearch *h = NULL;
        const SocketHolder *holders;
        size_t n;
        int r = holder_search_new(&s->socket, 1, folder, &h);

        while (r == 0) {
                if (clock_monotonic_usec() > s->give_up_usec)
                        return -E2BIG;
                r = holder_search_step(h, DESCRIPTORS_A_STEP);
                holders = holder_search_found(h, &n);
                if (n > 0) {
                        s->found = holders[0].pid;
                        return 1;
                }
        }
        return r < 0 ? r : holder_search_is_partial(h) ? -EACCES : 0;
}

static int search_folder(Search *s, int folder, unsigned depth);

static int search_subfolders(Search *s, int folder, unsigned depth) {
        int copy = fcntl(folder, F_DUPFD_CLOEXEC, 3), r = 0, worst = 0;
        DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
        const struct dirent *entry;

        if (!dir) {
                r = -errno;
                if (copy >= 0)
                        (void) close(copy);
                return r;
        }
        while (r <= 0 && (entry = readdir(dir))) {
                _cleanup_close_ int sub = -1;

                if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
                        continue;
                sub = openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = sub < 0 ? (errno == ENOENT ? 0 : -errno) : search_folder(s, sub, depth + 1);
                if (r < 0)
                        worst = r;
        }
        (void) closedir(dir);
        return r > 0 ? r : worst;
}

/* 1: found; negative: not found, and that is no proof. */
static int search_folder(Search *s, int folder, unsigned depth) {
        int r, r_below;

        if (depth > DEPTH_MAX)
                return -E2BIG;
        r = search_processes(s, folder);
        if (r > 0)
                return r;
        r_below = search_subfolders(s, folder, depth);
        return r_below != 0 ? r_below : r;
}

int unit_cgroup_find_holder(pid_t member, const char *unit, uint32_t socket, pid_t *ret_pid) {
        Search s = { .socket = socket, .give_up_usec = clock_monotonic_usec() + TIME_MAX_USEC };
        _cleanup_close_ int folder = unit_cgroup_open(member, unit);
        int r;

        if (folder < 0)
                return folder;
        if (process_holds_socket(member, socket, DESCRIPTORS_OF_MEMBER_MAX) > 0) {
                *ret_pid = member;
                return 1;
        }
        r = search_folder(&s, folder, 0);
        if (r > 0)
                *ret_pid = s.found;
        return r;
}
