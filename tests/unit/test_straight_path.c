/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "boundary/straight_path.h"

static char folder[] = "/tmp/straight_path.XXXXXX";

static const char *below(const char *name) {
        static char path[128];

        (void) snprintf(path, sizeof path, "%s/%s", folder, name);
        return path;
}

TEST(what_no_link_leads_to_is_opened_and_is_the_same_file) {
        _cleanup_close_ int fd = -1;
        struct stat a, b;

        ASSERT(mkdtemp(folder));
        ASSERT_EQ(mkdir(below("real"), 0700), 0);
        ASSERT_EQ(close(creat(below("real/file"), 0600)), 0);
        fd = straight_path_open(below("real/file"));
        ASSERT(fd >= 0);
        ASSERT_EQ(fstat(fd, &a), 0);
        ASSERT_EQ(stat(below("real/file"), &b), 0);
        ASSERT_EQ(a.st_ino, b.st_ino);
        ASSERT_EQ(straight_path_open(below("real/none")), -ENOENT);
        ASSERT_EQ(straight_path_open(below("real/file/x")), -ENOTDIR);
}

TEST(a_link_on_the_way_or_at_the_end_is_refused) {
        ASSERT_EQ(symlink(folder, below("loop")), 0);
        ASSERT_EQ(symlink("real/file", below("end")), 0);
        ASSERT_EQ(straight_path_open(below("loop/real/file")), -ELOOP);
        ASSERT_EQ(straight_path_open(below("end")), -ELOOP);
        ASSERT_EQ(unlink(below("end")), 0);
        ASSERT_EQ(unlink(below("loop")), 0);
        ASSERT_EQ(unlink(below("real/file")), 0);
        ASSERT_EQ(rmdir(below("real")), 0);
        ASSERT_EQ(rmdir(folder), 0);
}
