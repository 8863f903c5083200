/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file that tells the shim what to execute: what is read is written again and means the same. */
#include "fuzz_target.h"

#include <sys/mman.h>

#include "boundary/exec_file.h"

/* A file of no folder: nothing is left behind. The path is good until the next call. */
static const char *write_file(const uint8_t *data, size_t size) {
        static char path[64];
        static int fd = -1;

        if (fd < 0)
                fd = memfd_create("exec", MFD_CLOEXEC);
        CLAIM(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t) size, "memfd");
        (void) snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        return path;
}

static void claim_same_list(char **a, char **b) {
        for (; *a && *b; a++, b++)
                CLAIM(strcmp(*a, *b) == 0, "%s, not %s", *a, *b);
        CLAIM(!*a && !*b, "as many");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(exec_file_done) ExecFile f = { 0 }, again = { 0 };
        _cleanup_free_ char *written = NULL;
        size_t n = 0;

        if (exec_file_read(write_file(data, size), &f) != 0)
                return 0;
        CLAIM(f.arguments[0] && *f.arguments[0], "there is something to execute");
        CLAIM(exec_file_format(&f, &written, &n) == 0, "what was read can be written");
        CLAIM(n <= size, "the shortest form"); /* a count may have had zeros before it */
        CLAIM(n < size || memcmp(written, data, size) == 0, "the same bytes");
        CLAIM(exec_file_read(write_file((const uint8_t *) written, n), &again) == 0, "what was written can be read");
        CLAIM(strcmp(f.ready, again.ready) == 0 && strcmp(f.ready_file, again.ready_file) == 0, "%s", f.ready);
        claim_same_list(f.sockets, again.sockets);
        claim_same_list(f.arguments, again.arguments);
        return 0;
}
