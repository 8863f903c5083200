/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The folder of a service's sockets is its user's: made by the server, and given away by hero_proc_hands, which takes a
 * moment. */

#include "server/service.h"

/* Makes the folder, and begins to give it away where that is to be done. 0 or negative errno: -ESRCH (no such user or
 * group). Of a gift that fails the log tells. */
int folder_gift_begin(Service *s);

/* For an action that is about to be started: true once the folder is there and given away, or is not to be had, which
 * the start will tell. While false the service is marked when that changes. */
bool folder_gift_is_over(Service *s);
