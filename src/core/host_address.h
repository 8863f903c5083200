/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Another machine as people name it: [USER@]HOST[:PORT][/CONTAINER], as systemctl -H takes it. A HOST that is an IPv6
 * address stands in brackets. Pure. */

enum {
        HOST_DESTINATION_MAX = 320, /* a name of DNS has 253 at most, and a user 64 */
        HOST_PORT_MAX = 6,
        HOST_CONTAINER_MAX = 65,
};

typedef struct HostAddress {
        char destination[HOST_DESTINATION_MAX]; /* USER@HOST without brackets, as ssh takes it */
        char port[HOST_PORT_MAX];               /* "": ssh's own choice */
        char container[HOST_CONTAINER_MAX];     /* "": the machine itself */
} HostAddress;

/* 0 or -EINVAL: nobody can be meant. */
int host_address_parse(const char *text, HostAddress *ret);
