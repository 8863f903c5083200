/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From the path of a socket to its file, in folders that may belong to somebody who wants to lead us elsewhere. What is
 * opened here is one inode: whatever is asked of it afterwards is asked of the file that stood there, even when its
 * name means another one by then.
 *
 * No symbolic link is followed, but those on the way that root made where only root could: a folder of root's that
 * nobody else can write to, or one with the sticky bit (/var/run -> /run). In the last place none is. Needs nothing but
 * libc: hero_proc_notify uses it too. */

/* Opens the file at `path`, O_PATH. `root`: the folder that '/' stands for, an open one; -1: our own. -ELOOP: there is
 * a link that is not followed (socket_path_link_text() tells which one); -ENOENT and other negative errnos. */
int socket_path_open(int root, const char *path);

/* Opens the folder of `path`, O_PATH, by the same rules; *ret_name points at the last component. -EINVAL where `path`
 * has none. */
int socket_path_open_folder(int root, const char *path, const char **ret_name);

/* Why socket_path_open() said -ELOOP, for people: "is a symbolic link to /run/x", or with the folder that is one in
 * front. To be freed; NULL: there is no such link now, or no memory. What it points to is made printable. */
char *socket_path_link_text(int root, const char *path);
