/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What processes leave behind in the file system when they are gone. */

#include "server/service.h"

/* Removes dead socket files and the ready file of `action`; of all for -1. Sockets of no action go along when every
 * action is down. */
void socket_cleaning_run(Service *service, int action);
