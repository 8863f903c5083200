/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The folders of a service: where its sockets are, and where its argument files are. Root makes folders here that a
 * service's user owns, so every step is taken from an open parent and follows no link. */

#include <sys/types.h>

#include "core/service_definition.h"

typedef struct FolderGift {
        int folder; /* to be closed */
        uid_t uid;
        gid_t gid; /* -1: the group stays */
} FolderGift;

/* Makes $HERO_SOCKET_DIR/NAME, 0755, which is to be owned by the user and group of its first action that names a user.
 * 0: it is there, and theirs; 1: it is there, and *ret says who it is to be given to (hands.h); -ENOTDIR, -ESRCH (no
 * such user or group) or other negative errno. Who a name is, is looked up, which may block, only when the folder is
 * new or owned by another than it last was. */
int service_folder_make(const ServiceDefinition *d, FolderGift *ret);
/* Removes it, if it is empty. */
int service_folder_remove(const ServiceDefinition *d);

/* The folder of the argument files of one service, 0755. */
int service_folder_make_exec(const char *exec_dir, const char *service);
int service_folder_remove_exec(const char *exec_dir, const char *service);
