/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gateway/gateway.h"

/* GET /health and GET /.well-known/heroservice.json, as hero services have them, on both faces. */
int health_add_routes(Gateway *g);

/* {"status", "service", "version", …} as JSON. *ret_status is what HTTP says with it: hero_proc is well only if its
 * server is there. To be freed; NULL on -ENOMEM. */
char *health_json(const Gateway *g, unsigned *ret_status);
