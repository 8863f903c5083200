/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/face_rpc.h"

int face_rpc_add_routes(Gateway *g) {
        (void) g;
        return 0;
}
