/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who may change something: root and the server's own user, and the gateway's user what gateway_members lists. Asked of
 * the bus without blocking the loop: the caller's uid comes in a reply, and the method is carried out then. Any error
 * is a denial. */

#include <systemd/sd-bus.h>

/* Calls `allowed` with the message once its sender has proved to be entitled, else answers NotAuthorized. Returns what
 * a method handler returns; `allowed` too (negative: the error in reterr_error, or errno, becomes the reply). */
typedef int (*bus_authority_allowed_t)(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error);
int bus_authority_require(sd_bus_message *m, bus_authority_allowed_t allowed, void *userdata);
