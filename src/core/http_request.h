/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The request of an HTTP probe, as the bytes that go over the wire. Pure; built once and sent many times. */

#include <stddef.h>

#include "core/service_definition.h"

/* Builds the request of `p`: its method, path, headers and body. Host (localhost), User-Agent, Accept and "Connection:
 * close" are added unless `p` names them. The framing is always ours: Content-Length is computed, and a Content-Length
 * or Transfer-Encoding of `p` is left out, because a wrong one would hang the probe and blame the service.
 *
 * -EINVAL where a part would break out of its place in the request (a blank in the path, a line end in a header).
 * -ENOMEM. */
int http_request_build(const ProbeDefinition *p, char **ret_bytes, size_t *ret_length);
