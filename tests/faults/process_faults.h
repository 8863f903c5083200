/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* More calls that fail as FaultPlan says: those by which a process becomes another one, and hands on what it has. For a
 * program that lives by them (the shim); to be included after fault_injection.h. */

#include <dlfcn.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "faults/fault_injection.h"

static struct {
        pid_t (*fork)(void);
        pid_t (*waitpid)(pid_t pid, int *status, int options);
        int (*execv)(const char *path, char *const *arguments);
        int (*execvp)(const char *file, char *const *arguments);
        int (*pipe2)(int *fds, int flags);
        int (*dup2)(int from, int to);
        int (*fcntl)(int fd, int command, ...);
        int (*close_range)(unsigned first, unsigned last, int flags);
        int (*unlink)(const char *path);
        int (*unlinkat)(int at, const char *path, int flags);
        int (*fstat)(int fd, struct stat *ret);
        int (*lstat)(const char *path, struct stat *ret);
        int (*inotify_init1)(int flags);
        int (*inotify_add_watch)(int fd, const char *path, uint32_t mask);
        int (*timerfd_create)(int clock, int flags);
        int (*timerfd_settime)(int fd, int flags, const struct itimerspec *value, struct itimerspec *ret_old);
} libc_own;

#define LIBC_OWN(name) *(void **) &libc_own.name = dlsym(RTLD_NEXT, #name)

/* Before fault_injection.h reads its plan: nothing fails here. */
__attribute__((constructor(102))) static void find_libc_own(void) {
        LIBC_OWN(fork);
        LIBC_OWN(waitpid);
        LIBC_OWN(execv);
        LIBC_OWN(execvp);
        LIBC_OWN(pipe2);
        LIBC_OWN(dup2);
        LIBC_OWN(fcntl);
        LIBC_OWN(close_range);
        LIBC_OWN(unlink);
        LIBC_OWN(unlinkat);
        LIBC_OWN(fstat);
        LIBC_OWN(lstat);
        LIBC_OWN(inotify_init1);
        LIBC_OWN(inotify_add_watch);
        LIBC_OWN(timerfd_create);
        LIBC_OWN(timerfd_settime);
}

FAULT_HOOK pid_t fork(void) {
        return fault_refused(EAGAIN) ? -1 : libc_own.fork();
}

FAULT_HOOK pid_t waitpid(pid_t pid, int *status, int options) {
        return fault_io(ECHILD, NULL) ? -1 : libc_own.waitpid(pid, status, options);
}

FAULT_HOOK int execv(const char *path, char *const *arguments) {
        return fault_refused(ENOMEM) ? -1 : libc_own.execv(path, arguments);
}

FAULT_HOOK int execvp(const char *file, char *const *arguments) {
        return fault_refused(ENOMEM) ? -1 : libc_own.execvp(file, arguments);
}

FAULT_HOOK int pipe2(int fds[2], int flags) {
        return fault_refused(ENFILE) ? -1 : libc_own.pipe2(fds, flags);
}

FAULT_HOOK int dup2(int from, int to) {
        return fault_refused(EMFILE) ? -1 : libc_own.dup2(from, to);
}

FAULT_HOOK int fcntl(int fd, int command, ...) {
        __builtin_va_list ap;
        long argument;

        __builtin_va_start(ap, command);
        argument = __builtin_va_arg(ap, long);
        __builtin_va_end(ap);
        return fault_refused(EMFILE) ? -1 : libc_own.fcntl(fd, command, argument);
}

FAULT_HOOK int close_range(unsigned first, unsigned last, int flags) {
        return fault_refused(ENOSYS) ? -1 : libc_own.close_range(first, last, flags);
}

FAULT_HOOK int unlink(const char *path) {
        return fault_refused(EROFS) ? -1 : libc_own.unlink(path);
}

FAULT_HOOK int unlinkat(int at, const char *path, int flags) {
        return fault_refused(EROFS) ? -1 : libc_own.unlinkat(at, path, flags);
}

FAULT_HOOK int fstat(int fd, struct stat *ret) {
        return fault_refused(EIO) ? -1 : libc_own.fstat(fd, ret);
}

FAULT_HOOK int lstat(const char *path, struct stat *ret) {
        return fault_refused(EIO) ? -1 : libc_own.lstat(path, ret);
}

FAULT_HOOK int inotify_init1(int flags) {
        return fault_refused(EMFILE) ? -1 : libc_own.inotify_init1(flags);
}

FAULT_HOOK int inotify_add_watch(int fd, const char *path, uint32_t mask) {
        return fault_refused(ENOSPC) ? -1 : libc_own.inotify_add_watch(fd, path, mask);
}

FAULT_HOOK int timerfd_create(int clock, int flags) {
        return fault_refused(EMFILE) ? -1 : libc_own.timerfd_create(clock, flags);
}

FAULT_HOOK int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *ret_old) {
        return fault_refused(EINVAL) ? -1 : libc_own.timerfd_settime(fd, flags, value, ret_old);
}
