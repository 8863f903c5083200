/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* For LD_PRELOAD: the real-time clock of one process is off by as many seconds as the file $JUMPING_CLOCK holds, and
 * jumps when that is written anew. Nothing else is touched: libfaketime alters what is asked of timerfd too, and with
 * that the monotonic clock, which never jumps. */

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* The file holds one binary int64, mapped once, so that a jump costs no system call and no file descriptor. */
static long long offset_seconds(void) {
        static const volatile long long *offset;
        static int tried;

        if (!tried) {
                const char *path = getenv("JUMPING_CLOCK");
                int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

                tried = 1;
                if (fd >= 0) {
                        void *mapped = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);

                        offset = mapped != MAP_FAILED ? mapped : NULL;
                        (void) close(fd);
                }
        }
        return offset ? *offset : 0;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *ret) {
        int r = (int) syscall(SYS_clock_gettime, clock, ret);

        if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
                ret->tv_sec += offset_seconds();
        return r;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict ret, void *restrict zone) {
        struct timespec t;
        int r = clock_gettime(CLOCK_REALTIME, &t);

        (void) zone;
        *ret = (struct timeval){ .tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000 };
        return r;
}

__attribute__((visibility("default"))) time_t time(time_t *ret) {
        struct timespec t;

        (void) clock_gettime(CLOCK_REALTIME, &t);
        if (ret)
                *ret = t.tv_sec;
        return t.tv_sec;
}
