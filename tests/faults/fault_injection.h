/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Makes the n-th allocation or system call of this process fail. To be included once in a program of tests: what stands
 * here takes the place of malloc() and its kin, read() and its kin, in this program and in every library that it uses
 * (libsystemd, json-c, sqlite3, libc's strdup(), open_memstream(), …), with any sanitizer or none.
 *
 * What is to fail is said by a FaultPlan: the program's own, or one in a file that others write to while it runs
 * ($FAULT_PLAN). Where libc itself reads and writes (stdio), calls are not seen; their allocations are. */

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "faults/fault_plan.h"

/* A sanitizer asks for memory before it is ready to look at what is done here. */
#define FAULT_PLAIN __attribute__((no_sanitize("address", "undefined")))
#define FAULT_HOOK FAULT_PLAIN __attribute__((visibility("default"), used))

static FaultPlan fault_own_plan;
static FaultPlan *fault_plan = &fault_own_plan;

/* Where it failed, on standard error, for addr2line: with $FAULT_TRACE. */
static bool fault_traces;

FAULT_PLAIN static void fault_trace(void) {
        void *frames[32];
        FaultKind kind = (FaultKind) fault_plan->kind;

        if (!fault_traces || fault_plan->n_failed > 1)
                return;
        fault_plan->kind = FAULT_NONE; /* what is called here may ask for memory itself */
        backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
        fault_plan->kind = (uint64_t) kind;
}

FAULT_PLAIN static bool fault_is_due(FaultKind kind) {
        uint64_t n;

        if (atomic_load_explicit(&fault_plan->kind, memory_order_relaxed) != (uint64_t) kind)
                return false;
        n = atomic_fetch_add(&fault_plan->n_seen, 1) + 1;
        if (n < fault_plan->n || n - fault_plan->n >= fault_plan->span)
                return false;
        atomic_fetch_add(&fault_plan->n_failed, 1);
        fault_trace();
        return true;
}

static inline void fault_begin(FaultKind kind, uint64_t n, uint64_t span) {
        fault_plan->n = n;
        fault_plan->span = span;
        fault_plan->n_seen = fault_plan->n_failed = 0;
        fault_plan->kind = (uint64_t) kind;
}

/* True: something did fail. */
static inline bool fault_end(void) {
        fault_plan->kind = FAULT_NONE;
        return fault_plan->n_failed > 0;
}

/* -- allocations -- */

/* A sanitizer's, where there is one, so that it sees every block. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);
void __libc_free(void *p);
__attribute__((weak)) void *__interceptor_malloc(size_t n);
__attribute__((weak)) void *__interceptor_calloc(size_t n, size_t size);
__attribute__((weak)) void *__interceptor_realloc(void *p, size_t n);
__attribute__((weak)) void *__interceptor_memalign(size_t alignment, size_t n);
__attribute__((weak)) void __interceptor_free(void *p);

FAULT_PLAIN static void *fault_count(void *p) {
        if (p)
                atomic_fetch_add_explicit(&fault_plan->n_blocks, 1, memory_order_relaxed);
        return p;
}

FAULT_PLAIN static bool fault_no_memory(void) {
        if (!fault_is_due(FAULT_ALLOCATION))
                return false;
        errno = ENOMEM;
        return true;
}

FAULT_HOOK void *malloc(size_t n) {
        if (fault_no_memory())
                return NULL;
        return fault_count(__interceptor_malloc ? __interceptor_malloc(n) : __libc_malloc(n));
}

FAULT_HOOK void *calloc(size_t n, size_t size) {
        if (fault_no_memory())
                return NULL;
        return fault_count(__interceptor_calloc ? __interceptor_calloc(n, size) : __libc_calloc(n, size));
}

FAULT_HOOK void *realloc(void *p, size_t n) {
        void *q;

        if (n > 0 && fault_no_memory())
                return NULL;
        q = __interceptor_realloc ? __interceptor_realloc(p, n) : __libc_realloc(p, n);
        if (!p)
                fault_count(q);
        else if (n == 0 && !q)
                atomic_fetch_sub_explicit(&fault_plan->n_blocks, 1, memory_order_relaxed);
        return q;
}

FAULT_HOOK void *reallocarray(void *p, size_t n, size_t size) {
        size_t n_bytes;

        if (__builtin_mul_overflow(n, size, &n_bytes)) {
                errno = ENOMEM;
                return NULL;
        }
        return realloc(p, n_bytes);
}

FAULT_HOOK void *memalign(size_t alignment, size_t n);
FAULT_HOOK void *memalign(size_t alignment, size_t n) {
        if (fault_no_memory())
                return NULL;
        return fault_count(__interceptor_memalign ? __interceptor_memalign(alignment, n)
                                                  : __libc_memalign(alignment, n));
}

FAULT_HOOK void *aligned_alloc(size_t alignment, size_t n) {
        return memalign(alignment, n);
}

FAULT_HOOK int posix_memalign(void **ret, size_t alignment, size_t n) {
        void *p = memalign(alignment, n);

        if (!p)
                return ENOMEM;
        *ret = p;
        return 0;
}

FAULT_HOOK void free(void *p) {
        if (p)
                atomic_fetch_sub_explicit(&fault_plan->n_blocks, 1, memory_order_relaxed);
        if (__interceptor_free)
                __interceptor_free(p);
        else
                __libc_free(p);
}

/* -- system calls -- */

/* Whether the call fails; *n is what is left to do of it where it only falls short. */
FAULT_PLAIN static bool fault_io(int error, size_t *n) {
        if (fault_is_due(FAULT_ERROR))
                errno = error;
        else if (fault_is_due(FAULT_INTERRUPTED))
                errno = EINTR;
        else {
                if (n && *n > 1 && fault_is_due(FAULT_SHORT))
                        *n = 1;
                return false;
        }
        return true;
}

FAULT_PLAIN static bool fault_refused(int error) {
        if (!fault_is_due(FAULT_ERROR))
                return false;
        errno = error;
        return true;
}

FAULT_PLAIN static bool fault_wakes(void) {
        if (!fault_is_due(FAULT_INTERRUPTED))
                return false;
        errno = EINTR;
        return true;
}

/* Timers, signals, inotify and their kin have no device behind them and give one whole piece at a time, and so does a
 * pipe of what was written to it in one: that these would fail is no fault that there is. */
FAULT_PLAIN static bool fault_gives_pieces(int fd, size_t n) {
        struct stat st;

        return syscall(SYS_fstat, fd, &st) == 0 &&
               ((st.st_mode & S_IFMT) == 0 || (S_ISFIFO(st.st_mode) && n <= 8 && n > 1));
}

FAULT_HOOK ssize_t read(int fd, void *bytes, size_t n) {
        bool fails = fault_gives_pieces(fd, n) ? fault_wakes() : fault_io(EIO, &n);

        return fails ? -1 : (ssize_t) syscall(SYS_read, fd, bytes, n);
}

FAULT_HOOK ssize_t __read_chk(int fd, void *bytes, size_t n, size_t size);
FAULT_HOOK ssize_t __read_chk(int fd, void *bytes, size_t n, size_t size) {
        if (n > size)
                abort();
        return read(fd, bytes, n);
}

FAULT_HOOK ssize_t write(int fd, const void *bytes, size_t n) {
        bool fails = fault_gives_pieces(fd, n) ? fault_wakes() : fault_io(ENOSPC, &n);

        return fails ? -1 : (ssize_t) syscall(SYS_write, fd, bytes, n);
}

FAULT_HOOK ssize_t pread64(int fd, void *bytes, size_t n, off64_t at) {
        return fault_io(EIO, &n) ? -1 : (ssize_t) syscall(SYS_pread64, fd, bytes, n, at);
}

FAULT_HOOK ssize_t pread(int fd, void *bytes, size_t n, off_t at) {
        return pread64(fd, bytes, n, at);
}

FAULT_HOOK ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
        return fault_io(ENOSPC, &n) ? -1 : (ssize_t) syscall(SYS_pwrite64, fd, bytes, n, at);
}

FAULT_HOOK ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
        return pwrite64(fd, bytes, n, at);
}

/* Of several pieces only the first is short of. */
FAULT_PLAIN static size_t fault_first_piece(const struct iovec *pieces, size_t n_pieces) {
        return n_pieces > 0 ? pieces[0].iov_len : 0;
}

FAULT_HOOK ssize_t readv(int fd, const struct iovec *pieces, int n_pieces) {
        size_t n = fault_first_piece(pieces, (size_t) n_pieces), all = n;

        if (fault_io(EIO, &n))
                return -1;
        return n < all ? syscall(SYS_read, fd, pieces[0].iov_base, n) : syscall(SYS_readv, fd, pieces, n_pieces);
}

FAULT_HOOK ssize_t writev(int fd, const struct iovec *pieces, int n_pieces) {
        size_t n = fault_first_piece(pieces, (size_t) n_pieces), all = n;

        if (fault_io(ENOSPC, &n))
                return -1;
        return n < all ? syscall(SYS_write, fd, pieces[0].iov_base, n) : syscall(SYS_writev, fd, pieces, n_pieces);
}

FAULT_HOOK ssize_t recvfrom(int fd, void *bytes, size_t n, int flags, struct sockaddr *from, socklen_t *n_from) {
        return fault_io(ECONNRESET, flags & (MSG_PEEK | MSG_TRUNC) ? NULL : &n)
                       ? -1
                       : syscall(SYS_recvfrom, fd, bytes, n, flags, from, n_from);
}

FAULT_HOOK ssize_t recv(int fd, void *bytes, size_t n, int flags) {
        return recvfrom(fd, bytes, n, flags, NULL, NULL);
}

FAULT_HOOK ssize_t __recv_chk(int fd, void *bytes, size_t n, size_t size, int flags);
FAULT_HOOK ssize_t __recv_chk(int fd, void *bytes, size_t n, size_t size, int flags) {
        if (n > size)
                abort();
        return recv(fd, bytes, n, flags);
}

FAULT_HOOK ssize_t sendto(int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to, socklen_t n_to) {
        return fault_io(EPIPE, &n) ? -1 : syscall(SYS_sendto, fd, bytes, n, flags, to, n_to);
}

FAULT_HOOK ssize_t send(int fd, const void *bytes, size_t n, int flags) {
        return sendto(fd, bytes, n, flags, NULL, 0);
}

FAULT_PLAIN static bool fault_is_stream(int fd) {
        int type = 0;
        socklen_t size = sizeof type;

        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/* A datagram is whole or not at all. */
FAULT_HOOK ssize_t recvmsg(int fd, struct msghdr *m, int flags) {
        size_t n = fault_first_piece(m->msg_iov, m->msg_iovlen), all = n;
        struct iovec piece;
        struct msghdr shorter;
        ssize_t r;

        if (fault_io(ECONNRESET, fault_is_stream(fd) && !(flags & MSG_PEEK) ? &n : NULL))
                return -1;
        if (n == all)
                return syscall(SYS_recvmsg, fd, m, flags);
        piece = (struct iovec){ m->msg_iov[0].iov_base, n };
        shorter = *m;
        shorter.msg_iov = &piece;
        shorter.msg_iovlen = 1;
        r = syscall(SYS_recvmsg, fd, &shorter, flags);
        m->msg_namelen = shorter.msg_namelen;
        m->msg_controllen = shorter.msg_controllen;
        m->msg_flags = shorter.msg_flags;
        return r;
}

FAULT_HOOK ssize_t sendmsg(int fd, const struct msghdr *m, int flags) {
        size_t n = fault_first_piece(m->msg_iov, m->msg_iovlen), all = n;
        struct iovec piece;
        struct msghdr shorter;

        if (fault_io(EPIPE, fault_is_stream(fd) ? &n : NULL))
                return -1;
        if (n == all)
                return syscall(SYS_sendmsg, fd, m, flags);
        piece = (struct iovec){ m->msg_iov[0].iov_base, n };
        shorter = *m;
        shorter.msg_iov = &piece;
        shorter.msg_iovlen = 1;
        return syscall(SYS_sendmsg, fd, &shorter, flags);
}

FAULT_HOOK int openat64(int at, const char *path, int flags, ...) {
        mode_t mode = 0;

        if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {
                __builtin_va_list ap;

                __builtin_va_start(ap, flags);
                mode = __builtin_va_arg(ap, mode_t);
                __builtin_va_end(ap);
        }
        return fault_refused(EMFILE) ? -1 : (int) syscall(SYS_openat, at, path, flags, mode);
}

#define FAULT_OPEN(name, ...)                                              \
        {                                                                  \
                mode_t mode = 0;                                           \
                if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) { \
                        __builtin_va_list ap;                              \
                        __builtin_va_start(ap, flags);                     \
                        mode = __builtin_va_arg(ap, mode_t);               \
                        __builtin_va_end(ap);                              \
                }                                                          \
                return openat64(__VA_ARGS__, path, flags, mode);           \
        }

FAULT_HOOK int openat(int at, const char *path, int flags, ...) FAULT_OPEN(openat, at) FAULT_HOOK
        int open(const char *path, int flags, ...) FAULT_OPEN(open, AT_FDCWD) FAULT_HOOK
        int open64(const char *path, int flags, ...) FAULT_OPEN(open64, AT_FDCWD)

                FAULT_HOOK int socket(int domain, int type, int protocol) {
        return fault_refused(EMFILE) ? -1 : (int) syscall(SYS_socket, domain, type, protocol);
}

FAULT_HOOK int accept4(int fd, struct sockaddr *from, socklen_t *n_from, int flags) {
        return fault_refused(EMFILE) ? -1 : (int) syscall(SYS_accept4, fd, from, n_from, flags);
}

FAULT_HOOK int epoll_create1(int flags) {
        return fault_refused(EMFILE) ? -1 : (int) syscall(SYS_epoll_create1, flags);
}

FAULT_HOOK int fsync(int fd) {
        return fault_refused(EIO) ? -1 : (int) syscall(SYS_fsync, fd);
}

FAULT_HOOK int fdatasync(int fd) {
        return fault_refused(EIO) ? -1 : (int) syscall(SYS_fdatasync, fd);
}

FAULT_HOOK int ftruncate64(int fd, off64_t n) {
        return fault_refused(ENOSPC) ? -1 : (int) syscall(SYS_ftruncate, fd, n);
}

FAULT_HOOK int ftruncate(int fd, off_t n) {
        return ftruncate64(fd, n);
}

FAULT_HOOK int rename(const char *from, const char *to) {
        return fault_refused(ENOSPC) ? -1 : (int) syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

FAULT_HOOK int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask) {
        struct timespec left = timeout ? *timeout : (struct timespec){ 0 };

        return fault_wakes() ? -1 : (int) syscall(SYS_ppoll, fds, n, timeout ? &left : NULL, mask, 8);
}

FAULT_HOOK int poll(struct pollfd *fds, nfds_t n, int timeout) {
        struct timespec left = { timeout / 1000, timeout % 1000 * 1000000L };

        return ppoll(fds, n, timeout < 0 ? NULL : &left, NULL);
}

FAULT_HOOK int epoll_pwait(int fd, struct epoll_event *events, int n, int timeout, const sigset_t *mask) {
        return fault_wakes() ? -1 : (int) syscall(SYS_epoll_pwait, fd, events, n, timeout, mask, 8);
}

FAULT_HOOK int epoll_wait(int fd, struct epoll_event *events, int n, int timeout) {
        return epoll_pwait(fd, events, n, timeout, NULL);
}

FAULT_HOOK int epoll_pwait2(int fd, struct epoll_event *events, int n, const struct timespec *timeout,
                            const sigset_t *mask) {
        return fault_wakes() ? -1 : (int) syscall(441 /* epoll_pwait2 */, fd, events, n, timeout, mask, 8);
}

/* -- a plan from outside -- */

/* $FAULT_PLAN: a file that is shared. $FAULT_KIND, $FAULT_N and $FAULT_SPAN (0: for ever): from the first instruction
 * on. */
__attribute__((constructor)) static void fault_read_environment(void) {
        const char *path = getenv("FAULT_PLAN"), *kind = getenv("FAULT_KIND"), *n = getenv("FAULT_N"),
                   *span = getenv("FAULT_SPAN");
        int fd = path ? (int) syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;

        fault_traces = getenv("FAULT_TRACE") != NULL;
        if (fault_traces)
                (void) backtrace(&(void *){ NULL }, 1); /* it loads a library, whose blocks stay */
        if (fd >= 0) {
                void *shared = mmap(NULL, sizeof(FaultPlan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

                if (shared != MAP_FAILED) {
                        ((FaultPlan *) shared)->n_blocks = fault_plan->n_blocks;
                        fault_plan = shared;
                }
                (void) syscall(SYS_close, fd);
        }
        if (kind && n && span)
                fault_begin((FaultKind) atoi(kind), strtoull(n, NULL, 10),
                            *span == '0' ? FAULT_FOR_EVER : strtoull(span, NULL, 10));
}
