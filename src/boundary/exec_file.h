/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The exact orders for one start of one action: arguments and what the shim has to do first. hero_proc_server writes
 * it, hero_proc_notify reads it. It exists because systemd 252 alters ';' and '$' in ExecStart at every daemon-reload.
 *
 * The file is NUL-separated text so that any byte but NUL passes unchanged:
 *     "hero_proc-exec-1"  READY  READY_FILE  N_SOCKETS  socket...  N_ARGUMENTS  argument...
 * READY is one of exec, notify, fd3, file, none (none: exec at once, send nothing: oneshots). READY_FILE may be empty.
 * It is written to a temporary name, synced and renamed, mode 0644, so that a reader never sees half of one. */

#include <stddef.h>

#include "base/cleanup.h"

enum {
        EXEC_FILE_BYTES_MAX = 8 * 1024 * 1024,
};

typedef struct ExecFile {
        char *ready;      /* "exec", "notify", "fd3", "file" or "none" */
        char *ready_file; /* absolute, or "" */
        char **sockets;   /* NULL-terminated; absolute paths to clean when dead */
        char **arguments; /* NULL-terminated, at least one */
        char *buffer;     /* what exec_file_read() allocated the strings in; NULL when built by hand */
} ExecFile;

/* Writes `f` to `path`, whose folder must exist. Negative errno. */
int exec_file_write(const char *path, const ExecFile *f);

/* The bytes that the file is to hold. *ret is to be freed. */
int exec_file_format(const ExecFile *f, char **ret, size_t *ret_size);

/* Reads and checks; exec_file_done() frees what it holds. -EBADMSG: not such a file, or damaged. -ENOENT, -E2BIG, … */
int exec_file_read(const char *path, ExecFile *ret);
void exec_file_done(ExecFile *f);
