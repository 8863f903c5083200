/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Dead socket files. Needs nothing but libc, unix_connect.c and socket_path.c: hero_proc_notify runs it before every
 * service's start. */

/* Removes `path` if and only if it is a socket file that no socket of any kind is bound to any more. A bound socket
 * (also one that does not listen yet), any other kind of file, and a symbolic link are left alone; no link is followed
 * but root's own on the way (socket_path.h). The asking makes no connection: a live service never notices. 1 removed, 0
 * left alone or not there, negative errno: -ELOOP where another link is on the way. */
int socket_remove_stale(const char *path);
